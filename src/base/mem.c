/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdarg.h>
#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "krmirror: %s:%d: check failed: %s\n", file, line, what);
	abort();
}

static void *must(void *p)
{
	if (p == NULL)
		check_failed(__FILE__, __LINE__, "out of memory");
	return p;
}

void *xmalloc(size_t size)
{
	return must(malloc(size != 0 ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return must(calloc(n != 0 ? n : 1, size != 0 ? size : 1));
}

void *xrealloc(void *p, size_t n, size_t size)
{
	if (n == 0 || size == 0)
		n = size = 1;
	return must(reallocarray(p, n, size));
}

char *xstrdup(const char *s)
{
	return must(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return must(strndup(s, n));
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	CHECK(n >= 0);
	return s;
}

void xfree(void *p)
{
	free(p);
}

void xfree_secret(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}
