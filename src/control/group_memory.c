/* SPDX-License-Identifier: Apache-2.0 */
#include "control/group_memory.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/group_sync.h"

#include <string.h>

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
