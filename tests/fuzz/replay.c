/* SPDX-License-Identifier: Apache-2.0 */
/* replay [-N] DIR...: feeds every file of the corpus to the fuzz target, and of each N (2000) mutations that are the same
 * in every run, so that `make check` sees them without a fuzzer. A target stops by aborting. With libFuzzer instead:
 *
 *   clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -include config.h -I. -I../src -Isrc \
 *     ../tests/fuzz/fuzz_codec.c libwire.a libbase.a -lisal -lcrypto -o fuzz && ./fuzz ../tests/fuzz/corpus/codec
 */
#include "fuzz.h"

#include "base/mem.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_MAX_ = 1 << 16 };

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Flips, overwrites, cuts, doubles. Gives the new size. */
static size_t mutate(uint8_t *data, size_t size, uint64_t *seed)
{
	static const uint8_t nasty[] = { 0, 1, 0x7f, 0x80, 0xfe, 0xff };
	size_t at, n;

	for (uint64_t rounds = 1 + next(seed) % 6; rounds > 0 && size > 0; rounds--) {
		at = next(seed) % size;
		switch (next(seed) % 5) {
		case 0: data[at] ^= (uint8_t)(1u << next(seed) % 8); break;
		case 1: data[at] = nasty[next(seed) % sizeof(nasty)]; break;
		case 2: data[at] = (uint8_t)next(seed); break;
		case 3: size = at; break;
		default:
			n = next(seed) % (size - at) + 1;
			if (size + n <= SIZE_MAX_) {
				memmove(data + at + n, data + at, size - at);
				size += n;
			}
			break;
		}
	}
	return size;
}

/* Exactly sized, so that a sanitizer sees the first byte beyond. */
static void feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = xmalloc(size + 1);

	memcpy(copy + 1, data, size);
	LLVMFuzzerTestOneInput(copy + 1, size);
	xfree(copy);
}

static void replay(const char *path, int mutations, uint64_t *seed)
{
	static uint8_t seen[SIZE_MAX_], data[SIZE_MAX_];
	FILE *f = fopen(path, "rb");
	size_t size;

	CHECK(f != NULL);
	size = fread(seen, 1, sizeof(seen), f);
	fclose(f);
	feed(seen, size);
	for (int i = 0; i < mutations; i++) {
		memcpy(data, seen, size);
		feed(data, mutate(data, size, seed));
	}
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int main(int argc, char **argv)
{
	uint64_t seed = 88172645463325252u;
	bool given = argc > 1 && argv[1][0] == '-';
	int files = 0, mutations = given ? (int)strtol(argv[1] + 1, NULL, 10) : 2000;

	for (int i = given ? 2 : 1; i < argc; i++) {
		struct dirent **names;
		int n = scandir(argv[i], &names, NULL, by_name);

		CHECK(n >= 0);
		for (int j = 0; j < n; j++) {
			char *path = xasprintf("%s/%s", argv[i], names[j]->d_name);

			if (names[j]->d_name[0] != '.') {
				replay(path, mutations, &seed);
				files++;
			}
			xfree(path);
			free(names[j]);
		}
		free(names);
	}
	printf("%d inputs, %d mutations of each\n", files, mutations);
	return files == 0;
}
