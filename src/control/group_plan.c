/* SPDX-License-Identifier: Apache-2.0 */
#include "control/group_plan.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/canary.h"
#include "control/filters.h"

#include <string.h>
#include <strings.h>

enum { DAY_S = 86400 };

const char *group_state_word(enum group_state state)
{
	static const char *const words[] = { "SYNCED", "BEHIND", "PARTIAL", "SKIPPED" };

	return words[state];
}

const char *group_reason_word(enum group_reason reason)
{
	static const char *const words[] = {
		[GROUP_REASON_NONE] = NULL,
		[GROUP_ACTIVE_ON_DESTINATION] = "ACTIVE_ON_DESTINATION",
		[GROUP_DESTINATION_AHEAD] = "DESTINATION_AHEAD",
		[GROUP_NOT_CONSUMER] = "NOT_A_CONSUMER_GROUP",
		[GROUP_OF_KRMIRROR] = "GROUP_OF_KRMIRROR",
		[GROUP_NO_MIRRORED_TOPICS] = "NO_MIRRORED_TOPICS",
		[GROUP_PARTITION_FAILED] = "PARTITION_FAILED",
		[GROUP_GONE_AT_SOURCE] = "GONE_AT_SOURCE",
		[GROUP_NOT_AUTHORIZED] = "NOT_AUTHORIZED",
		[GROUP_ERROR] = "ERROR",
	};

	return words[reason];
}

bool group_reason_parse(const char *word, enum group_reason *reason)
{
	for (int i = GROUP_REASON_NONE + 1; i <= GROUP_ERROR; i++)
		if (text_eq(word, group_reason_word((enum group_reason)i))) {
			*reason = (enum group_reason)i;
			return true;
		}
	return false;
}

/* ---- kinds ---- */

static bool is(const char *text, const char *word)
{
	return text != NULL && strcasecmp(text, word) == 0;
}

static bool told(const char *text)
{
	return text != NULL && text[0] != '\0';
}

bool group_is_consumer(const struct group_kind *kind)
{
	if (told(kind->type) && !is(kind->type, "classic") && !is(kind->type, "consumer"))
		return false;
	return !told(kind->protocol_type) || is(kind->protocol_type, "consumer");
}

bool group_is_live(const struct group_kind *kind)
{
	return told(kind->state) && !is(kind->state, "Empty") && !is(kind->state, "Dead");
}

/* ---- offsets ---- */

enum group_step group_plan_step(const struct group_position *p, int64_t *target)
{
	*target = -1;
	if (p->failed)
		return GROUP_STEP_FAILED;
	if (p->log_start < 0 || p->high_watermark < p->log_start || p->source < 0)
		return GROUP_STEP_UNKNOWN;
	*target = MAX(MIN(p->source, p->high_watermark), p->log_start);
	if (p->destination > *target && p->destination != p->wrote)
		return GROUP_STEP_AHEAD;
	if (p->destination == *target && p->same_metadata && !p->expires)
		return GROUP_STEP_KEEP;
	return GROUP_STEP_COMMIT;
}

int64_t group_plan_behind(const struct group_position *p)
{
	int64_t from = p->destination >= 0 ? p->destination : MAX(p->log_start, 0);

	return MAX(p->source - from, 0);
}

bool group_plan_clamps(int64_t committed, int64_t high_watermark)
{
	return high_watermark >= 0 && committed > high_watermark;
}

int64_t group_plan_day(const char *group, int64_t wall_ms)
{
	int64_t offset_s = (int64_t)(hash_bytes(group, strlen(group)) % DAY_S);

	return (wall_ms / 1000 + DAY_S - offset_s) / DAY_S;
}

/* ---- filters ---- */

bool group_filter_takes(const json_t *filters, const char *group)
{
	return !canary_is(group) && filters_take(filters, "groupFilters", group);
}
