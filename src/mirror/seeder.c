/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of records that we make ourselves (seed.h). Tombstones take the place of a long hole in a lane's queue, one
 * batch ahead of what is appended. Seeding a lane: in place of the source, this file feeds it.
 *
 *   opening -> FILLING: the plan stands in snapshots until the control side has recorded it (mirror_lane_seed)
 *           -> one batch after the other is offered and appended
 *           -> all stand in the log: the control side deletes them (mirror_lane_trimmed)
 *           -> the lane is opened again, finds the log as it should be, and copies
 *
 * What goes wrong on the way ends in an opening too, which goes on from the log end. */
#include "base/log.h"
#include "mirror/mirror_priv.h"

void seeder_smaller(struct mirror_lane *ml, int32_t n)
{
	ml->seed_records_max = n / 2;
}

static int32_t at_most(const struct mirror_lane *ml, int32_t n)
{
	return ml->seed_records_max > 0 ? MIN(n, ml->seed_records_max) : n;
}

/* All full batches are the same bytes: they are packed once for a data loop. */
static struct buf *batch_of(struct mirror *m, int32_t n, enum seed_kind kind)
{
	struct buf **kept = &m->seeds[kind];

	if (n != SEED_RECORDS)
		return seed_batch(m->small_pool, n, kind);
	if (*kept == NULL)
		*kept = seed_batch(m->small_pool, n, kind);
	if (*kept != NULL)
		buf_ref(*kept);
	return *kept;
}

/* But for the time of tombstones. */
static struct buf *retimed(struct mirror *m, struct buf *buf, int64_t timestamp)
{
	struct buf *copy = buf == NULL ? NULL : buf_get(m->small_pool, buf->len);

	if (copy != NULL) {
		copy->len = buf->len;
		memcpy(copy->data, buf->data, buf->len);
		batch_retime(copy->data, (uint32_t)copy->len, timestamp);
	}
	buf_unref(buf);
	return copy;
}

/* Where nothing is known to stand below, 0: some consumers have no use for a negative time. */
void seeder_tombstones(struct mirror_lane *ml)
{
	struct lane *lane = &ml->lane;
	int64_t n = lane_tombstone_head(lane);
	struct buf *buf;

	if (n == 0)
		return;
	buf = batch_of(ml->mirror, at_most(ml, (int32_t)MIN(n, (int64_t)SEED_RECORDS)), SEED_TOMBSTONES);
	buf = retimed(ml->mirror, buf, MAX(lane->sent_timestamp, 0));
	if (buf == NULL)
		return;  /* the next answer or tick tries again */
	lane_put_tombstones(lane, buf, loop_now(ml->mirror->loop));
	buf_unref(buf);
}

void seeder_fini(struct mirror *m)
{
	for (size_t i = 0; i < ARRAY_LEN(m->seeds); i++) {
		buf_unref(m->seeds[i]);
		m->seeds[i] = NULL;
	}
}

/* One batch ahead is enough: the timestamps of seeds are so old that only one may be under way (lane_depth). */
void seeder_feed(struct mirror_lane *ml)
{
	struct lane *lane = &ml->lane;
	struct buf *buf;

	if (!ml->seed.recorded || !lane_is_open(lane) || lane->unsent_bytes > 0)
		return;
	if (lane->acked >= ml->seed.to) {
		snapshot_soon(ml->mirror);
		return;
	}
	if (lane->accepted >= ml->seed.to)
		return;
	buf = batch_of(ml->mirror, at_most(ml, seed_records(lane->accepted, ml->seed.to)),
		       ml->spec.compacted ? SEED_EMPTY_KEYS : SEED_NO_KEYS);
	if (buf == NULL)
		return;  /* the next answer or tick tries again */
	lane_offer_seed(lane, buf);
	buf_unref(buf);
	mirror_lane_ready(ml);
}

void seeder_begin(struct mirror_lane *ml)
{
	log_info(ml->subject, ml->seed.lost ? "the source has lost offsets" : "the head is seeded",
		 "from=%lld to=%lld log_end=%lld", (long long)ml->seed.from, (long long)ml->seed.to,
		 (long long)ml->lane.acked);
	ml->known_offset = ml->known_epoch = -1;  /* the pair is of what is gone */
	lane_seeding(&ml->lane, loop_now(ml->mirror->loop));
	snapshot_soon(ml->mirror);
	seeder_feed(ml);
}

void seeder_recorded(struct mirror_lane *ml, int64_t from, int64_t to)
{
	ml->spec.seed_from = from;
	ml->spec.seed_to = to;
	if (ml->seed.from != from || ml->seed.to != to)
		return;
	ml->seed.recorded = true;
	seeder_feed(ml);
}

void seeder_trimmed(struct mirror_lane *ml, int64_t log_start)
{
	ml->local_log_start = MAX(ml->local_log_start, log_start);
	if (!mirror_lane_seeded(ml) || ml->local_log_start < ml->seed.to)
		return;
	log_info(ml->subject, "the seeds are deleted", "log_start=%lld", (long long)ml->local_log_start);
	lane_cast_doubt(&ml->lane);
	mirror_lane_settle(ml);
}
