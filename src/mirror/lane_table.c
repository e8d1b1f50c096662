/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/lane_table.h"

#include "base/mem.h"

void lane_table_fini(struct lane_table *table)
{
	CHECK(map_count(&table->by_name) == 0);
	map_fini(&table->by_name);
	map_fini(&table->by_id);
}

static struct lane_topic *create(struct lane_table *table, const char *name, const struct uuid *id)
{
	struct lane_topic *t = xcalloc(1, sizeof(*t));

	t->name = xstrdup(name);
	t->id = *id;
	table->found = NULL;
	map_put(&table->by_name, t->name, strlen(t->name), t);
	if (uuid_is_zero(id))
		table->n_without_id++;
	else
		map_put(&table->by_id, &t->id, sizeof(t->id), t);
	return t;
}

struct lane_topic *lane_table_add(struct lane_table *table, const char *name, const struct uuid *id,
				  int32_t partition, struct mirror_lane *lane)
{
	struct lane_topic *t = map_get(&table->by_name, name, strlen(name));

	if (t == NULL)
		t = create(table, name, id);
	CHECK(uuid_eq(&t->id, id));
	if (partition >= t->n_lanes) {
		t->lanes = xrealloc(t->lanes, (size_t)partition + 1, sizeof(*t->lanes));
		while (t->n_lanes <= partition)
			t->lanes[t->n_lanes++] = NULL;
	}
	CHECK(t->lanes[partition] == NULL);
	t->lanes[partition] = lane;
	t->n_used++;
	return t;
}

void lane_table_remove(struct lane_table *table, struct lane_topic *t, int32_t partition)
{
	CHECK(lane_topic_at(t, partition) != NULL);
	t->lanes[partition] = NULL;
	if (--t->n_used > 0)
		return;
	table->found = NULL;
	map_del(&table->by_name, t->name, strlen(t->name));
	if (uuid_is_zero(&t->id))
		table->n_without_id--;
	else
		map_del(&table->by_id, &t->id, sizeof(t->id));
	xfree(t->lanes);
	xfree(t->name);
	xfree(t);
}

struct lane_topic *lane_table_find(struct lane_table *table, struct str name, const struct uuid *id)
{
	/* Partitions of one topic are asked for in a row. */
	if (table->found != NULL && uuid_eq(&table->found->id, id))
		return table->found;
	if (!uuid_is_zero(id))
		return table->found = map_get(&table->by_id, id, sizeof(*id));
	return name.len >= 0 ? map_get(&table->by_name, name.data, (size_t)name.len) : NULL;
}
