/* SPDX-License-Identifier: Apache-2.0 */
/* The readable form of a message, one field a line; what a golden test compares and a trace shows. */
#include "base/doc.h"
#include "wire/codec_impl.h"

#include <inttypes.h>

static void print_msg(struct doc *doc, const struct msg_desc *desc, int16_t version, const uint8_t *msg, int depth);

static void print_str(struct doc *doc, struct str v)
{
	if (v.len < 0) {
		doc_add(doc, "null\n");
		return;
	}
	doc_add(doc, "\"");
	for (int32_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.data[i];

		if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			doc_add(doc, "\\x%02x", c);
		else
			doc_add(doc, "%c", c);
	}
	doc_add(doc, "\"\n");
}

static void print_bytes(struct doc *doc, const uint8_t *data, int32_t len)
{
	enum { SHOWN = 96 };

	if (len < 0) {
		doc_add(doc, "null\n");
		return;
	}
	doc_add(doc, "%" PRId32 " bytes", len);
	for (int32_t i = 0; i < len && i < SHOWN; i++)
		doc_add(doc, "%s%02x", i == 0 ? " " : "", data[i]);
	doc_add(doc, len > SHOWN ? "...\n" : "\n");
}

/* Slices are not joined for a trace: their sum says enough. */
static void print_records(struct doc *doc, const struct records *rec)
{
	if (rec->n_iov > 0)
		doc_add(doc, "%" PRId32 " bytes in %" PRId32 " slices\n", rec->len, rec->n_iov);
	else
		print_bytes(doc, rec->data, rec->len);
}

static void print_uuid(struct doc *doc, const struct uuid *u)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_text(u, text);
	doc_add(doc, "%s\n", text);
}

static void print_value(struct doc *doc, const struct field_desc *f, int16_t version, const void *at, int depth)
{
	if ((f->flags & FIELD_SECRET) != 0) {
		doc_add(doc, "***\n");
		return;
	}
	switch ((enum field_type)f->type) {
	case FIELD_BOOL: doc_add(doc, "%s\n", *(const bool *)at ? "true" : "false"); break;
	case FIELD_INT8: doc_add(doc, "%d\n", *(const int8_t *)at); break;
	case FIELD_INT16: doc_add(doc, "%d\n", *(const int16_t *)at); break;
	case FIELD_UINT16: doc_add(doc, "%u\n", *(const uint16_t *)at); break;
	case FIELD_INT32: doc_add(doc, "%" PRId32 "\n", *(const int32_t *)at); break;
	case FIELD_UINT32: doc_add(doc, "%" PRIu32 "\n", *(const uint32_t *)at); break;
	case FIELD_INT64: doc_add(doc, "%" PRId64 "\n", *(const int64_t *)at); break;
	case FIELD_FLOAT64: doc_add(doc, "%g\n", *(const double *)at); break;
	case FIELD_UUID: print_uuid(doc, at); break;
	case FIELD_STRING: print_str(doc, *(const struct str *)at); break;
	case FIELD_BYTES: print_bytes(doc, ((const struct bytes *)at)->data, ((const struct bytes *)at)->len); break;
	case FIELD_RECORDS: print_records(doc, at); break;
	case FIELD_STRUCT:
		doc_add(doc, "\n");
		print_msg(doc, f->sub, version, at, depth + 1);
		break;
	}
}

static void print_array(struct doc *doc, const struct field_desc *f, int16_t version, const void *at, int depth)
{
	struct array_view v = array_get(at);
	size_t size = field_size(f);

	if (v.n < 0)
		doc_add(doc, "null\n");
	else
		doc_add(doc, "%" PRId32 "\n", v.n);
	for (int32_t i = 0; i < v.n; i++) {
		doc_add(doc, "%*s[%" PRId32 "]%s", 2 * (depth + 1), "", i, f->type == FIELD_STRUCT ? "" : " ");
		print_value(doc, f, version, (const uint8_t *)v.items + (size_t)i * size, depth + 1);
	}
}

static void print_msg(struct doc *doc, const struct msg_desc *desc, int16_t version, const uint8_t *msg, int depth)
{
	for (int i = 0; i < desc->n_fields; i++) {
		const struct field_desc *f = &desc->fields[i];
		const uint8_t *at = msg + f->offset;

		if (!field_in(f, version) || (f->tag != FIELD_NO_TAG && field_is_default(f, at)))
			continue;
		doc_add(doc, "%*s%s%s:%s", 2 * depth, "", f->name, f->flags & FIELD_ARRAY ? "[]" : "",
			f->type == FIELD_STRUCT && (f->flags & FIELD_ARRAY) == 0 ? "" : " ");
		if (f->flags & FIELD_ARRAY)
			print_array(doc, f, version, at, depth);
		else
			print_value(doc, f, version, at, depth);
	}
}

void msg_print(const struct msg_desc *desc, int16_t version, const void *msg, char **text)
{
	struct doc doc = { 0 };

	doc_add(&doc, "%s", *text != NULL ? *text : "");
	xfree(*text);
	print_msg(&doc, desc, version, msg, 0);
	*text = doc.data;
}
