/* SPDX-License-Identifier: Apache-2.0 */
#include "kmsgc.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (o->len + (size_t)n + 1 > o->cap) {
		size_t cap = (o->cap + (size_t)n + 4096) * 2;

		o->text = pool_grow(o->text, o->len, cap);
		o->cap = cap;
	}
	va_start(ap, fmt);
	vsnprintf(o->text + o->len, o->cap - o->len, fmt, ap);
	va_end(ap);
	o->len += (size_t)n;
}

static bool same(const struct out *o, const char *path)
{
	char *old = pool_new(o->len + 1);
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL)
		return false;
	n = fread(old, 1, o->len + 1, f);
	fclose(f);
	return n == o->len && memcmp(old, o->text, n) == 0;
}

void out_write(struct out *o, const char *dir, const char *name)
{
	const char *path = pool_printf("%s/%s", dir, name);
	bool ok;
	FILE *f;

	if (same(o, path))
		return;
	f = fopen(path, "wb");
	ok = f != NULL && fwrite(o->text, 1, o->len, f) == o->len;
	if (f != NULL && fclose(f) != 0)
		ok = false;
	if (!ok)
		complain(path, 0, "cannot be written");
}
