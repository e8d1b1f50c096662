/* SPDX-License-Identifier: Apache-2.0 */
/* A text that grows. */
#pragma once

#include <stddef.h>

/* Zeroed is empty. */
struct doc {
	char *data;                  /* xfree; ends with NUL, unless it is empty */
	size_t len;
	/* private */
	size_t cap_;
};

/* Ends with NUL behind what was added, also where that is "". */
void doc_add(struct doc *doc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void doc_add_bytes(struct doc *doc, const char *data, size_t len);
