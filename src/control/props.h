/* SPDX-License-Identifier: Apache-2.0 */
/* Java .properties: comments with # and !, separators =, : or blank, continuation with a backslash, the escapes
 * \t \n \r \f \uXXXX, any other backslash dropped. A later definition of a key replaces an earlier one. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct prop {
	char *key, *value;
	char *file;       /* where it was defined: a path, or "--config" */
	int line;         /* from 1; 0 where there are no lines */
};

struct props {
	struct prop *items;   /* in the order of the first definition of a key */
	int n;
};

void props_fini(struct props *props);

/* Adds what text says; file is for messages. RC_USAGE with file:line on a bad \u escape or a NUL byte. */
int props_parse(struct props *props, const char *file, const char *text, size_t len, struct err *err) MUST_USE;
/* Reads a file (at most 4 MiB) and parses it. */
int props_load(struct props *props, const char *path, struct err *err) MUST_USE;
/* "k=v,k=v": a piece without = belongs to the value before it; later duplicates win. */
int props_inline(struct props *props, const char *text, struct err *err) MUST_USE;

/* NULL when it is not there. */
const struct prop *props_find(const struct props *props, const char *key);
const char *props_get(const struct props *props, const char *key);
void props_set(struct props *props, const char *key, const char *value, const char *file, int line);
/* Every definition of `from`, as if it stood behind those of `to`. */
void props_add(struct props *to, const struct props *from);
/* Whether both define the same keys with the same values, in whatever order and wherever. */
bool props_equal(const struct props *a, const struct props *b);
void props_remove(struct props *props, const char *key);

/* What other users may do with a file that holds secrets. */
enum file_exposure { FILE_PRIVATE, FILE_READABLE, FILE_WRITABLE };
/* FILE_PRIVATE also for what is no regular file. */
enum file_exposure props_file_exposure(const char *path);
