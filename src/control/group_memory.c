/* SPDX-License-Identifier: Apache-2.0 */
#include "control/group_memory.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/group_sync.h"

#include <string.h>

enum { SKIPPED_MAX = 500 };

json_t *group_skipped_json(const struct group_info *groups, int n)
{
	json_t *object = json_object();

	for (int i = 0; i < n && json_object_size(object) < SKIPPED_MAX; i++) {
		json_t *group;

		if (groups[i].reason == GROUP_REASON_NONE)
			continue;
		group = json_object();
		json_object_set_new(group, "reason", json_string(group_reason_word(groups[i].reason)));
		json_object_set_new(group, "since_ms", json_integer(groups[i].since_ms));
		json_object_set_new(object, groups[i].group_id, group);
	}
	return object;
}

const json_t *group_skipped_of(const struct link_state *state)
{
	return json_object_get(json_object_get(state->tasks, "ConsumerOffsetSync"), "groups");
}

void group_memory_recall(struct group_memory *memory, const json_t *skipped)
{
	const char *id;
	json_t *group;

	json_object_foreach((json_t *)(uintptr_t)skipped, id, group) {
		const char *word = json_string_value(json_object_get(group, "reason"));
		enum group_reason reason;
		struct group_known *known;

		if (!group_reason_parse(word, &reason))
			continue;
		known = group_memory_get(memory, id);
		known->state = GROUP_SKIPPED;
		known->reason = reason;
		known->since_ms = json_integer_value(json_object_get(group, "since_ms"));
	}
}

struct group_memory *group_memory_create(void)
{
	return xcalloc(1, sizeof(struct group_memory));
}

void group_known_forget(struct group_known *known)
{
	for (int i = 0; i < known->n_wrote; i++)
		xfree(known->wrote[i].topic);
	xfree(known->wrote);
	known->wrote = NULL;
	known->n_wrote = 0;
}

static void known_free(struct group_known *known)
{
	group_known_forget(known);
	xfree(known->id);
	xfree(known);
}

void group_memory_drop(struct group_memory *memory, struct group_known *known)
{
	map_del(&memory->groups, known->id, strlen(known->id));
	known_free(known);
}

void group_memory_destroy(struct group_memory *memory)
{
	struct group_known *known;
	size_t at = 0;

	if (memory == NULL)
		return;
	while ((known = map_next(&memory->groups, &at)) != NULL)
		known_free(known);
	map_fini(&memory->groups);
	xfree(memory);
}

struct group_known *group_memory_get(struct group_memory *memory, const char *id)
{
	struct group_known *known = map_get(&memory->groups, id, strlen(id));

	if (known != NULL)
		return known;
	known = xcalloc(1, sizeof(*known));
	known->id = xstrdup(id);
	known->node = -1;
	known->day = group_plan_day(id, clock_wall_ms());
	known->since_ms = clock_wall_ms();
	known->behind = -1;
	map_put(&memory->groups, known->id, strlen(known->id), known);
	return known;
}

/* Where the partition stands, or would. */
static int place(const struct group_known *known, const char *topic, int32_t partition, bool *there)
{
	int low = 0, high = known->n_wrote;

	*there = false;
	while (low < high) {
		int mid = low + (high - low) / 2;
		const struct group_wrote *w = &known->wrote[mid];
		int order = strcmp(w->topic, topic);

		if (order == 0)
			order = (w->partition > partition) - (w->partition < partition);
		if (order == 0)
			*there = true;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int64_t group_known_wrote(const struct group_known *known, const char *topic, int32_t partition)
{
	bool there;
	int at = place(known, topic, partition, &there);

	return there ? known->wrote[at].offset : -1;
}

void group_known_note(struct group_known *known, const char *topic, int32_t partition, int64_t offset)
{
	bool there;
	int at = place(known, topic, partition, &there);

	if (!there) {
		known->wrote = xrealloc(known->wrote, (size_t)known->n_wrote + 1, sizeof(*known->wrote));
		memmove(&known->wrote[at + 1], &known->wrote[at], (size_t)(known->n_wrote - at) * sizeof(*known->wrote));
		known->wrote[at] = (struct group_wrote){ xstrdup(topic), partition, -1 };
		known->n_wrote++;
	}
	known->wrote[at].offset = offset;
}
