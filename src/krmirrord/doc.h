/* SPDX-License-Identifier: Apache-2.0 */
/* A text that grows, for the answers of the HTTP thread. */
#pragma once

#include <stddef.h>

/* Zeroed is empty. */
struct doc {
	char *data;                  /* xfree; ends with NUL, unless it is empty */
	size_t len;
	/* private */
	size_t cap_;
};

void doc_add(struct doc *doc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void doc_add_bytes(struct doc *doc, const char *data, size_t len);
