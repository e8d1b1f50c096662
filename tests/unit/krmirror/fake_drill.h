/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a drill, without clusters. */
#pragma once

#include "krmirror/drill.h"

struct fake_drill {
	const char *fails;          /* the step that does; NULL: none */
	enum outcome outcome;
	int64_t rto_ms, rpo_records;
	int cleaned;                /* how often it cleaned up behind itself */
};
extern struct fake_drill fake_drill;
