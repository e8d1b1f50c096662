/* SPDX-License-Identifier: Apache-2.0 */
/* Counted strings, bytes and uuids as they stand in a frame: pointers into memory that somebody else owns,
 * not terminated by NUL. len -1 is Kafka's null. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

struct str {
	const char *data;
	int32_t len;
};

struct bytes {
	const uint8_t *data;
	int32_t len;
};

struct uuid {
	uint8_t b[16];
};

#define STR_NULL ((struct str){ NULL, -1 })
#define STR_ARG(s) (int)((s).len > 0 ? (s).len : 0), ((s).len > 0 ? (s).data : "")  /* for "%.*s" */
#define UUID_TEXT_LEN 22

static inline struct str str_of(const char *s)
{
	return (struct str){ s, s != NULL ? (int32_t)strlen(s) : -1 };
}

static inline bool str_is(struct str a, const char *b)
{
	return a.len >= 0 && (size_t)a.len == strlen(b) && memcmp(a.data, b, (size_t)a.len) == 0;
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len <= 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}

/* Of strings that end with NUL; NULL equals only NULL. */
static inline bool text_eq(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The next item of a list with commas, without the white space around it; empty items are passed over. list moves on and
 * may be NULL, which is an empty list. False at the end. */
bool str_item(const char **list, struct str *item);

static inline bool uuid_is_zero(const struct uuid *u)
{
	static const struct uuid zero;

	return memcmp(u, &zero, sizeof(zero)) == 0;
}

static inline bool uuid_eq(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Kafka's own text form of a uuid: base64url without padding, 22 characters and NUL. */
void uuid_text(const struct uuid *u, char text[UUID_TEXT_LEN + 1]);
/* False when text is not such a form. */
bool uuid_parse(const char *text, struct uuid *u);

/* A NUL-terminated copy; the caller frees it with xfree. NULL for null. */
char *str_dup(struct str s);
