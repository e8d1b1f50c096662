/* SPDX-License-Identifier: Apache-2.0 */
/* What source and destination say about their ends, and what two such readings mean for a promotion. The judging is
 * pure. Only for control/. */
#pragma once

#include "control/session.h"

/* One reading of a mirror: [n] each. */
struct reading {
	int32_t n;
	int64_t *source_stable;      /* last stable offset */
	int64_t *source_high;        /* high watermark */
	int64_t *destination;        /* log end */
	int64_t at_ns;               /* monotonic */
};

void reading_fini(struct reading *reading);
/* Asks both clusters; n from the destination topic's partitions. */
enum outcome reading_take(struct session *session, const struct mirror_wish *wish, struct reading *reading,
			  struct err *err) MUST_USE;

enum reading_verdict {
	READING_LAG,         /* the destination has not everything yet */
	READING_OPEN,        /* something below the source's high watermark is not decided: an open transaction */
	READING_LEVEL,       /* last stable offset = high watermark = destination end, everywhere */
	READING_AHEAD        /* the destination has more than the source */
};

/* *partition: the first that is not level; *lag: the sum. OPEN is told before LAG. */
enum reading_verdict reading_judge(const struct reading *reading, int32_t *partition, int64_t *lag);
/* The first partition where the source has moved between the two, or -1. */
int32_t reading_moved(const struct reading *before, const struct reading *after);

/* The reading that the session keeps of a mirror between two attempts; NULL: none. keep takes the reading over;
 * drop forgets the lease's beginning too. */
const struct reading *promote_reading(const struct session *session, const char *link, const char *topic);
void promote_reading_keep(struct session *session, const char *link, const char *topic, struct reading *reading);
void promote_reading_drop(struct session *session, const char *link, const char *topic);
void promote_readings_free(struct session *session);

/* When waiting out a lease began for this mirror, in this session: the first call says now. Monotonic. */
int64_t promote_lease_from(struct session *session, const char *link, const char *topic);

/* Who produces there, for people: "producer id 7 (epoch 0), last record 2 s ago, ..."; of an open transaction its
 * first offset too, and the line that ends it. Empty when the broker cannot tell. True: a transaction is open. */
enum { PRODUCER_TEXT_MAX = 1024 };
bool reading_name_producer(struct cluster *source, const char *topic, int32_t partition, int64_t deadline_ns,
			   char text[PRODUCER_TEXT_MAX]);
