/* SPDX-License-Identifier: Apache-2.0 */
/* JSON objects to structs and back, by a table of fields. Used by record.c only. */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
	FIELD_TEXT,     /* char *, owned; NULL: absent */
	FIELD_I16, FIELD_I32, FIELD_I64,   /* `initial` when absent; that value is not written */
	FIELD_FLAG,     /* bool; absent is false, always written */
	FIELD_ID,       /* struct uuid; zero: absent */
	FIELD_OBJECT,   /* json_t *, owned; NULL: absent */
	FIELD_ENUM      /* enum as a word of `names` */
};

struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;
	int64_t initial;
	bool required;
	const char *const *names;   /* FIELD_ENUM: n_names words */
	int n_names;
};

struct fields {
	const struct field *rows;
	int n;
};

/* RC_PROTO with the field's name in err. What was read before stays: fields_fini frees it. */
int fields_decode(const struct fields *fields, void *object, json_t *value, struct err *err) MUST_USE;
/* Sets or deletes the fields in target. */
void fields_encode(const struct fields *fields, const void *object, json_t *target);
void fields_fini(const struct fields *fields, void *object);
/* Sets numbers to `initial`; the rest stays zero. */
void fields_init(const struct fields *fields, void *object);
