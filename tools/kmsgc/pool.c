/* SPDX-License-Identifier: Apache-2.0 */
#include "kmsgc.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

union block {
	union block *next;
	max_align_t align;
};

static union block *blocks;
static int n_complaints;

void *pool_new(size_t size)
{
	union block *b = calloc(1, sizeof(*b) + size);

	if (b == NULL) {
		fputs("kmsgc: out of memory\n", stderr);
		exit(1);
	}
	b->next = blocks;
	blocks = b;
	return b + 1;
}

void *pool_grow(void *old, size_t old_size, size_t size)
{
	void *p = pool_new(size);

	if (old_size > 0)
		memcpy(p, old, old_size);
	return p;
}

char *pool_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	s = pool_new((size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

char *upper(const char *s)
{
	char *u = pool_printf("%s", s);

	for (char *p = u; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	return u;
}

/* MaxWaitMs -> max_wait_ms, V3AndBelow -> v3_and_below. */
char *snake(const char *camel)
{
	char *s = pool_new(2 * strlen(camel) + 1), *p = s;

	for (const char *c = camel; *c != '\0'; c++) {
		if (isupper((unsigned char)*c) && c != camel)
			*p++ = '_';
		*p++ = (char)tolower((unsigned char)*c);
	}
	return s;
}

void pool_free(void)
{
	while (blocks != NULL) {
		union block *b = blocks;

		blocks = b->next;
		free(b);
	}
}

void complain(const char *path, int line, const char *fmt, ...)
{
	va_list ap;

	n_complaints++;
	fprintf(stderr, "%s:%d: ", path, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int complaints(void)
{
	return n_complaints;
}
