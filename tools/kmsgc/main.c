/* SPDX-License-Identifier: Apache-2.0 */
/* kmsgc -o DIR FILE.kmsg ... [FILE.kerr]: writes DIR/NAME.h for each API, DIR/tables.c, and for the errors
 * DIR/kerr_codes.h and DIR/kerr_table.c. All files in one run, because labels are unique over all of them. */
#include "kmsgc.h"

#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static int by_key(const void *a, const void *b)
{
	const struct api *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static int usage(void)
{
	fputs("usage: kmsgc -o DIR FILE.kmsg ... [FILE.kerr]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *dir = argc > 3 && strcmp(argv[1], "-o") == 0 ? argv[2] : NULL;
	struct api *apis = pool_new((size_t)argc * sizeof(*apis));
	const char *kerr = NULL;
	struct source src;
	int n = 0, bad;

	if (dir == NULL)
		return pool_free(), usage();
	for (int i = 3; i < argc; i++) {
		if (ends_with(argv[i], ".kerr"))
			kerr = argv[i];
		else if (lex(argv[i], &src) && parse(&src, &apis[n]))
			n++;
	}
	if (complaints() == 0) {
		qsort(apis, (size_t)n, sizeof(*apis), by_key);
		check(apis, n);
	}
	if (complaints() == 0 && n > 0)
		emit(apis, n, dir);
	if (kerr != NULL)
		errors(kerr, dir);
	bad = complaints();
	pool_free();
	return bad > 0;
}
