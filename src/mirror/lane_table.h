/* SPDX-License-Identifier: Apache-2.0 */
/* From a topic (by name or id) and a partition, as they stand in a response, to the lane. One table per link for the
 * source's names, one per data loop for the destination's. */
#pragma once

#include "base/map.h"
#include "base/str.h"

struct mirror_lane;

struct lane_topic {
	char *name;
	struct uuid id;                  /* zero: none */
	struct mirror_lane **lanes;      /* by partition; NULL where there is none */
	int32_t n_lanes;                 /* length of lanes[] */
	int32_t n_used;
	/* scratch of whoever builds a request: lanes of one topic are gathered under one entry */
	uint64_t build;
	int32_t build_index;
};

/* Zeroed is empty. */
struct lane_table {
	struct map by_name, by_id;
	uint64_t build;                  /* the last request that was built; ++ for a new one */
	int n_without_id;                /* topics whose id is zero */
	struct lane_topic *found;        /* by id, the last time; NULL: look */
};

void lane_table_fini(struct lane_table *table);
/* Adds a lane; the topic is made when it is new. A topic that stands with another id is a programmer's error. */
struct lane_topic *lane_table_add(struct lane_table *table, const char *name, const struct uuid *id,
				  int32_t partition, struct mirror_lane *lane);
void lane_table_remove(struct lane_table *table, struct lane_topic *topic, int32_t partition);
/* NULL: none. By id when it is not zero, else by name. */
struct lane_topic *lane_table_find(struct lane_table *table, struct str name, const struct uuid *id);
static inline struct mirror_lane *lane_topic_at(const struct lane_topic *topic, int32_t partition)
{
	return topic != NULL && partition >= 0 && partition < topic->n_lanes ? topic->lanes[partition] : NULL;
}
