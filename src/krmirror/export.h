/* SPDX-License-Identifier: Apache-2.0 */
/* Records as JSON, one object a line: {"side", "partition", "offset", "timestamp", "key", "value", "headers":
 * [{"key", "value"}]}; keys and values in base64, null as null; the keys of headers are text. */
#pragma once

#include "base/err.h"
#include "wire/record_reader.h"

#include <stdio.h>

struct export {
	/* private */
	FILE *file_;
	const char *path_;
	char *text_;       /* base64 of one field */
};

/* The file must not be there yet, and only its owner may read it: it holds data. */
int export_open(struct export *export, const char *path, struct err *err) MUST_USE;
/* Fits struct proof's `only`; owner is the struct export. A full disk shows when it is closed. */
void export_record(void *owner, int32_t partition, int side, const struct record_view *v);
int export_close(struct export *export, struct err *err) MUST_USE;
