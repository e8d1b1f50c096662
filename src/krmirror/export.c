/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/export.h"

#include "base/mem.h"
#include "krmirror/both.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

int export_open(struct export *export, const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	*export = (struct export){ .path_ = path };
	if (fd < 0) {
		err_set(err, -errno, "cannot create %s: %s", path, strerror(errno));
		return errno == EEXIST ? err_hint(err, "it is there already: name another file") : err->rc;
	}
	export->file_ = fdopen(fd, "w");
	if (export->file_ == NULL) {
		close(fd);
		return err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
	}
	return RC_OK;
}

/* In pieces of whole groups of three bytes: a record may be as large as memory allows it. */
static void base64(struct export *export, const uint8_t *data, int32_t len)
{
	enum { PIECE = 3 * 4096, ROOM = PIECE / 3 * 4 + 1 };

	if (export->text_ == NULL)
		export->text_ = xmalloc(ROOM);
	for (int32_t at = 0; at < len; at += PIECE) {
		int n = EVP_EncodeBlock((unsigned char *)export->text_, data + at, MIN(len - at, PIECE));

		fwrite(export->text_, 1, (size_t)n, export->file_);
	}
}

static void field(struct export *export, const char *name, struct bytes b)
{
	if (b.len < 0) {
		fprintf(export->file_, ", \"%s\": null", name);
		return;
	}
	fprintf(export->file_, ", \"%s\": \"", name);
	base64(export, b.data, b.len);
	fputc('"', export->file_);
}

/* What is no UTF-8 cannot stand in JSON: such a key is marked as base64. */
static void header_key(struct export *export, struct str key)
{
	json_t *text = json_stringn(key.data, (size_t)MAX(key.len, 0));

	if (text != NULL) {
		fputs("{\"key\": ", export->file_);
		json_dumpf(text, export->file_, JSON_ENCODE_ANY);
	} else {
		fputs("{\"key_base64\": \"", export->file_);
		base64(export, (const uint8_t *)key.data, key.len);
		fputc('"', export->file_);
	}
	json_decref(text);
}

void export_record(void *owner, int32_t partition, int side, const struct record_view *v)
{
	struct export *export = owner;
	struct reader r = { .p = v->headers.data, .end = v->headers.data + MAX(v->headers.len, 0) };
	struct bytes value;
	struct str key;

	fprintf(export->file_, "{\"side\": \"%s\", \"partition\": %d, \"offset\": %lld, \"timestamp\": %lld",
		side_name(side_of(side)), partition, (long long)v->offset, (long long)v->timestamp);
	field(export, "key", v->key);
	field(export, "value", v->value);
	fputs(", \"headers\": [", export->file_);
	for (int32_t i = 0; i < v->n_headers && record_header_next(&r, &key, &value) == BATCH_OK; i++) {
		if (i > 0)
			fputs(", ", export->file_);
		header_key(export, key);
		field(export, "value", value);
		fputc('}', export->file_);
	}
	fputs("]}\n", export->file_);
}

int export_close(struct export *export, struct err *err)
{
	bool bad = ferror(export->file_) != 0;

	bad = fclose(export->file_) != 0 || bad;
	xfree(export->text_);
	return bad ? err_set(err, -EIO, "cannot write all of %s", export->path_) : RC_OK;
}
