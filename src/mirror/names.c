/* SPDX-License-Identifier: Apache-2.0 */
/* The public words of states and reasons (CLI.md, DESIGN 5). */
#include "mirror/mirror.h"

static const char *const states[] = {
	[LANE_UNBOUND] = "UNBOUND", [LANE_PROBING] = "PROBING", [LANE_ALIGNED] = "ALIGNED",
	[LANE_COPYING] = "COPYING", [LANE_FILLING] = "FILLING", [LANE_PAUSED] = "PAUSED",
	[LANE_STOPPED] = "STOPPED", [LANE_FAILED] = "FAILED",
};

static const char *const reasons[] = {
	[REASON_SOURCE_TOPIC_MAY_BE_DELETED] = "SOURCE_TOPIC_MAY_BE_DELETED",
	[REASON_SOURCE_TOPIC_ID_CHANGED] = "SOURCE_TOPIC_ID_CHANGED",
	[REASON_SOURCE_PARTITIONS_DECREASED] = "SOURCE_PARTITIONS_DECREASED",
	[REASON_UNEXPECTED_TRUNCATION] = "UNEXPECTED_TRUNCATION",
	[REASON_UNSUPPORTED_MESSAGE_FORMAT] = "UNSUPPORTED_MESSAGE_FORMAT",
	[REASON_DIVERGED] = "DIVERGED",
	[REASON_SOURCE_CLUSTER_ID_CHANGED] = "SOURCE_CLUSTER_ID_CHANGED",
	[REASON_DESTINATION_TOPIC_ID_CHANGED] = "DESTINATION_TOPIC_ID_CHANGED",
	[REASON_DESTINATION_TOPIC_DELETED] = "DESTINATION_TOPIC_DELETED",
	[REASON_FILL_REFUSED] = "FILL_REFUSED",
	[REASON_FILL_LIMIT] = "FILL_LIMIT",
	[REASON_RECORD_TOO_LARGE] = "RECORD_TOO_LARGE",
	[REASON_CORRUPT_SOURCE_BATCH] = "CORRUPT_SOURCE_BATCH",
	[REASON_AUTHORIZATION] = "AUTHORIZATION",
	[REASON_DATA_LOSS] = "DATA_LOSS",
	[REASON_UPGRADE_NEEDED] = "UPGRADE_NEEDED",
};
_Static_assert(ARRAY_LEN(reasons) == REASON_LAST, "every reason has its word");

const char *lane_state_name(enum lane_state state)
{
	return states[state];
}

const char *lane_reason_name(enum lane_reason reason)
{
	return reasons[reason];
}

enum lane_state lane_state_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(name, states[i]) == 0)
			return (enum lane_state)i;
	return LANE_UNBOUND;
}

enum lane_reason lane_reason_parse(const char *name)
{
	for (size_t i = 1; i < ARRAY_LEN(reasons); i++)
		if (strcmp(name, reasons[i]) == 0)
			return (enum lane_reason)i;
	return REASON_NONE;
}

bool lane_reason_retries(enum lane_reason reason)
{
	return reason == REASON_AUTHORIZATION || reason == REASON_RECORD_TOO_LARGE || reason == REASON_FILL_REFUSED ||
	       reason == REASON_SOURCE_TOPIC_MAY_BE_DELETED;
}
