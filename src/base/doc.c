/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc.h"

#include "base/mem.h"

#include <stdarg.h>
#include <string.h>

enum { DOC_MIN = 4096 };

static void reserve(struct doc *doc, size_t len)
{
	if (doc->cap_ - doc->len > len)
		return;
	doc->cap_ = MAX(MAX(doc->cap_ * 2, doc->len + len + 1), (size_t)DOC_MIN);
	doc->data = xrealloc(doc->data, doc->cap_, 1);
}

void doc_add_bytes(struct doc *doc, const char *data, size_t len)
{
	reserve(doc, len);
	memcpy(doc->data + doc->len, data, len);
	doc->len += len;
	doc->data[doc->len] = '\0';
}

void doc_add(struct doc *doc, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	CHECK(n >= 0);
	reserve(doc, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(doc->data + doc->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	doc->len += (size_t)n;
}
