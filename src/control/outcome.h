/* SPDX-License-Identifier: Apache-2.0 */
/* How an operation of the control side ended: the exit codes of CLI.md. What went wrong in words is in struct err. */
#pragma once

#include "base/err.h"

enum outcome {
	OUTCOME_DONE = 0,
	OUTCOME_FAILED = 1,
	OUTCOME_USAGE = 2,                 /* usage or configuration error */
	OUTCOME_SOURCE_UNREACHABLE = 3,
	OUTCOME_DESTINATION_UNREACHABLE = 4,
	OUTCOME_AUTH = 5,                  /* authentication or authorization refused */
	OUTCOME_REFUSED = 6,               /* a safety check said no */
	OUTCOME_TIMED_OUT = 7,             /* still in progress: run it again to resume */
	OUTCOME_DIVERGED = 8               /* divergence or data loss detected */
};

enum side { SIDE_SOURCE, SIDE_DESTINATION };

/* "source", "destination". */
const char *side_name(enum side side);

/* The class of an error that came from a call to one side. A deadline that passed while a broker was asked is that
 * side being unreachable; waits that time out by themselves say OUTCOME_TIMED_OUT. */
enum outcome outcome_of(const struct err *err, enum side side);

/* Of several: the first present of 8, 5, 4, 3, 6, 7, 2, 1. */
enum outcome outcome_worse(enum outcome a, enum outcome b);

/* The word for {"error": {"code": WORD}}: FAILED, USAGE, SOURCE_UNREACHABLE, DESTINATION_UNREACHABLE, NOT_AUTHORIZED,
 * REFUSED, TIMED_OUT, DIVERGED; finer where err (may be NULL) says more: NOT_FOUND, EXISTS. Done: "NONE". */
const char *outcome_word(enum outcome outcome, const struct err *err);
