/* SPDX-License-Identifier: Apache-2.0 */
/* The readable form of a message, one field a line; what a golden test compares and a trace shows. */
#include "wire/codec_impl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct sink {
	char *text;
	size_t len, cap;
};

static void print_msg(struct sink *s, const struct msg_desc *desc, int16_t version, const uint8_t *msg, int depth);

__attribute__((format(printf, 2, 3))) static void say(struct sink *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	CHECK(n >= 0);
	if (s->len + (size_t)n + 1 > s->cap) {
		s->cap = (s->cap + (size_t)n + 256) * 2;
		s->text = xrealloc(s->text, s->cap, 1);
	}
	va_start(ap, fmt);
	vsnprintf(s->text + s->len, s->cap - s->len, fmt, ap);
	va_end(ap);
	s->len += (size_t)n;
}

static void print_str(struct sink *s, struct str v)
{
	if (v.len < 0) {
		say(s, "null\n");
		return;
	}
	say(s, "\"");
	for (int32_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.data[i];

		if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			say(s, "\\x%02x", c);
		else
			say(s, "%c", c);
	}
	say(s, "\"\n");
}

static void print_bytes(struct sink *s, const uint8_t *data, int32_t len)
{
	enum { SHOWN = 96 };

	if (len < 0) {
		say(s, "null\n");
		return;
	}
	say(s, "%" PRId32 " bytes", len);
	for (int32_t i = 0; i < len && i < SHOWN; i++)
		say(s, "%s%02x", i == 0 ? " " : "", data[i]);
	say(s, len > SHOWN ? "...\n" : "\n");
}

/* Slices are not joined for a trace: their sum says enough. */
static void print_records(struct sink *s, const struct records *rec)
{
	if (rec->n_iov > 0)
		say(s, "%" PRId32 " bytes in %" PRId32 " slices\n", rec->len, rec->n_iov);
	else
		print_bytes(s, rec->data, rec->len);
}

static void print_uuid(struct sink *s, const struct uuid *u)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_text(u, text);
	say(s, "%s\n", text);
}

static void print_value(struct sink *s, const struct field_desc *f, int16_t version, const void *at, int depth)
{
	if ((f->flags & FIELD_SECRET) != 0) {
		say(s, "***\n");
		return;
	}
	switch ((enum field_type)f->type) {
	case FIELD_BOOL: say(s, "%s\n", *(const bool *)at ? "true" : "false"); break;
	case FIELD_INT8: say(s, "%d\n", *(const int8_t *)at); break;
	case FIELD_INT16: say(s, "%d\n", *(const int16_t *)at); break;
	case FIELD_UINT16: say(s, "%u\n", *(const uint16_t *)at); break;
	case FIELD_INT32: say(s, "%" PRId32 "\n", *(const int32_t *)at); break;
	case FIELD_UINT32: say(s, "%" PRIu32 "\n", *(const uint32_t *)at); break;
	case FIELD_INT64: say(s, "%" PRId64 "\n", *(const int64_t *)at); break;
	case FIELD_FLOAT64: say(s, "%g\n", *(const double *)at); break;
	case FIELD_UUID: print_uuid(s, at); break;
	case FIELD_STRING: print_str(s, *(const struct str *)at); break;
	case FIELD_BYTES: print_bytes(s, ((const struct bytes *)at)->data, ((const struct bytes *)at)->len); break;
	case FIELD_RECORDS: print_records(s, at); break;
	case FIELD_STRUCT:
		say(s, "\n");
		print_msg(s, f->sub, version, at, depth + 1);
		break;
	}
}

static void print_array(struct sink *s, const struct field_desc *f, int16_t version, const void *at, int depth)
{
	struct array_view v = array_get(at);
	size_t size = field_size(f);

	if (v.n < 0)
		say(s, "null\n");
	else
		say(s, "%" PRId32 "\n", v.n);
	for (int32_t i = 0; i < v.n; i++) {
		say(s, "%*s[%" PRId32 "]%s", 2 * (depth + 1), "", i, f->type == FIELD_STRUCT ? "" : " ");
		print_value(s, f, version, (const uint8_t *)v.items + (size_t)i * size, depth + 1);
	}
}

static void print_msg(struct sink *s, const struct msg_desc *desc, int16_t version, const uint8_t *msg, int depth)
{
	for (int i = 0; i < desc->n_fields; i++) {
		const struct field_desc *f = &desc->fields[i];
		const uint8_t *at = msg + f->offset;

		if (!field_in(f, version) || (f->tag != FIELD_NO_TAG && field_is_default(f, at)))
			continue;
		say(s, "%*s%s%s:%s", 2 * depth, "", f->name, f->flags & FIELD_ARRAY ? "[]" : "",
		    f->type == FIELD_STRUCT && (f->flags & FIELD_ARRAY) == 0 ? "" : " ");
		if (f->flags & FIELD_ARRAY)
			print_array(s, f, version, at, depth);
		else
			print_value(s, f, version, at, depth);
	}
}

void msg_print(const struct msg_desc *desc, int16_t version, const void *msg, char **text)
{
	struct sink s = { .text = *text };

	if (*text != NULL) {
		s.len = strlen(*text);
		s.cap = s.len + 1;
	}
	say(&s, "%s", "");
	print_msg(&s, desc, version, msg, 0);
	*text = s.text;
}
