/* SPDX-License-Identifier: Apache-2.0 */
/* What `krmirror drill run --report FILE` wrote of the last drills: one JSON object a line. What cannot be read is left
 * out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { DRILLS_MAX = 16 };

/* The newest of one plan; -1: not known. */
struct drill_told {
	char plan[200];
	int64_t run_ms, success_ms;      /* when it, and the last one that went well, was started; wall time */
	bool ok;
	int64_t rto_ms, rpo_records, rpo_ms;
};

struct drills {
	struct drill_told items[DRILLS_MAX];
	int n;
};

/* Reads the end of the file, so a small amount however long it has grown. */
void drills_read(const char *path, struct drills *drills);
