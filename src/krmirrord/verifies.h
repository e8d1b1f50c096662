/* SPDX-License-Identifier: Apache-2.0 */
/* What `krmirror verify --report FILE` wrote of the last comparison of each topic. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { VERIFY_NAME_MAX = 250 };

/* The newest of one mirror topic; -1: not known. */
struct verify_told {
	char link[VERIFY_NAME_MAX], topic[VERIFY_NAME_MAX];
	int64_t run_ms;          /* when it was started; wall time */
	bool ok;
	int64_t mismatches;
};

struct verifies {
	struct verify_told *items;
	int n;
};

/* Reads the end of the file; what *verifies held is freed. */
void verifies_read(const char *path, struct verifies *verifies);
void verifies_copy(struct verifies *to, const struct verifies *from);
void verifies_fini(struct verifies *verifies);
