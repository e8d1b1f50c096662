/* SPDX-License-Identifier: Apache-2.0 */
/* What was counted of lanes and links since the data loop began: it stays when they are closed and opened again, so that
 * counters never go back while the process lives. A few dozen bytes for each name that ever was. */
#pragma once

#include "base/list.h"
#include "client/counts.h"

struct lane_counts {
	uint64_t fetched_bytes, fetched_records, fetched_batches;   /* as the source has them; what came twice counts twice */
	uint64_t written_bytes, written_records, written_batches;   /* acknowledged by the destination */
	uint64_t filled, tombstones;   /* offsets */
	uint64_t coalesced;            /* source batches */
};

struct link_totals {
	char *name;
	struct client_counts client;   /* of its source */
	struct list node_;
};

struct topic_totals {
	char *link, *topic;
	struct lane_counts *gone;      /* [n]: of the partitions' lanes that are closed */
	int32_t n;
	struct list node_;
};

struct totals {
	struct list links, topics;
};

void totals_init(struct totals *totals);
void totals_fini(struct totals *totals);
struct link_totals *totals_link(struct totals *totals, const char *name);
/* Of a partition; made when it is new. Valid until the next call. */
struct lane_counts *totals_lane(struct totals *totals, const char *link, const char *topic, int32_t partition);
/* Takes them out, for the lane that goes on counting. */
struct lane_counts totals_take(struct totals *totals, const char *link, const char *topic, int32_t partition);
void lane_counts_add(struct lane_counts *counts, const struct lane_counts *more);
