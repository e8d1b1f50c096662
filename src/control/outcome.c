/* SPDX-License-Identifier: Apache-2.0 */
#include "control/outcome.h"

#include "base/mem.h"

const char *side_name(enum side side)
{
	return side == SIDE_SOURCE ? "source" : "destination";
}

enum outcome outcome_of(const struct err *err, enum side side)
{
	switch (err->rc) {
	case RC_OK:
		return OUTCOME_DONE;
	case RC_USAGE:
		return OUTCOME_USAGE;
	case RC_AUTH:
		return OUTCOME_AUTH;
	case RC_REFUSED:
	case RC_EXISTS:
		return OUTCOME_REFUSED;
	case RC_DIVERGED:
		return OUTCOME_DIVERGED;
	case RC_KAFKA:
	case RC_NOT_FOUND:
	case RC_CORRUPT:
	case RC_CANCELLED:
		return OUTCOME_FAILED;
	default:
		/* Names, connections, silence, a peer that speaks something else: nobody was reached there. */
		return side == SIDE_SOURCE ? OUTCOME_SOURCE_UNREACHABLE : OUTCOME_DESTINATION_UNREACHABLE;
	}
}

static int rank(enum outcome outcome)
{
	static const int ranks[] = {
		[OUTCOME_DONE] = 0, [OUTCOME_FAILED] = 1, [OUTCOME_USAGE] = 2, [OUTCOME_TIMED_OUT] = 3,
		[OUTCOME_REFUSED] = 4, [OUTCOME_SOURCE_UNREACHABLE] = 5, [OUTCOME_DESTINATION_UNREACHABLE] = 6,
		[OUTCOME_AUTH] = 7, [OUTCOME_DIVERGED] = 8,
	};

	return ranks[outcome];
}

enum outcome outcome_worse(enum outcome a, enum outcome b)
{
	return rank(a) >= rank(b) ? a : b;
}

const char *outcome_word(enum outcome outcome, const struct err *err)
{
	static const char *const words[] = {
		[OUTCOME_DONE] = "NONE", [OUTCOME_FAILED] = "FAILED", [OUTCOME_USAGE] = "USAGE",
		[OUTCOME_SOURCE_UNREACHABLE] = "SOURCE_UNREACHABLE",
		[OUTCOME_DESTINATION_UNREACHABLE] = "DESTINATION_UNREACHABLE", [OUTCOME_AUTH] = "NOT_AUTHORIZED",
		[OUTCOME_REFUSED] = "REFUSED", [OUTCOME_TIMED_OUT] = "TIMED_OUT", [OUTCOME_DIVERGED] = "DIVERGED",
	};

	if (err != NULL && err->rc == RC_NOT_FOUND && outcome == OUTCOME_FAILED)
		return "NOT_FOUND";
	if (err != NULL && err->rc == RC_EXISTS && outcome == OUTCOME_REFUSED)
		return "EXISTS";
	return words[outcome];
}
