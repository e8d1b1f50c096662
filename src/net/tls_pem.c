/* SPDX-License-Identifier: Apache-2.0 */
/* PEM text out of a properties file, where joined lines and blanks have taken the place of line ends: Kafka's own
 * reader takes any white space (DefaultSslEngineFactory.PemStore), OpenSSL's only lines. */
#include "net/tls_priv.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

enum { COLUMNS = 64 };

struct lines {
	char *text;
	size_t len, column;
};

static void put(struct lines *out, const char *data, size_t len)
{
	memcpy(out->text + out->len, data, len);
	out->len += len;
}

static void put_body(struct lines *out, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (isspace((unsigned char)data[i]))
			continue;
		put(out, &data[i], 1);
		if (++out->column % COLUMNS == 0)
			put(out, "\n", 1);
	}
	if (out->column % COLUMNS != 0)
		put(out, "\n", 1);
	out->column = 0;
}

/* Behind "-----BEGIN X-----" or "-----END X-----" at p; NULL: it does not end. */
static const char *after_label(const char *p)
{
	const char *dashes = strstr(p + 5, "-----");

	return dashes == NULL ? NULL : dashes + 5;
}

char *tls_pem_lines(const char *text)
{
	struct lines out = { .text = xcalloc(1, 3 * strlen(text) + 8) };
	const char *begin = strstr(text, "-----BEGIN ");

	while (begin != NULL) {
		const char *body = after_label(begin);
		const char *end = body == NULL ? NULL : strstr(body, "-----END ");
		const char *next = end == NULL ? NULL : after_label(end);

		if (next == NULL)
			break;
		put(&out, begin, (size_t)(body - begin));
		put(&out, "\n", 1);
		/* Lines like "Proc-Type: 4,ENCRYPTED" are lines for a reason. */
		if (memchr(body, ':', (size_t)(end - body)) != NULL)
			put(&out, body + (*body == '\n'), (size_t)(end - body) - (*body == '\n'));
		else
			put_body(&out, body, (size_t)(end - body));
		put(&out, end, (size_t)(next - end));
		put(&out, "\n", 1);
		begin = strstr(next, "-----BEGIN ");
	}
	return out.text;
}
