/* SPDX-License-Identifier: Apache-2.0 */
/* The lane: one partition pair. Pure: events in, decisions out, no I/O, no clock of its own. It owns the queue of what
 * is to be appended and is the only place that changes the lane's state.
 *
 *   UNBOUND -> PROBING -> ALIGNED -> COPYING <-> FILLING     any -> PAUSED | STOPPED | FAILED(reason)
 *                 ^                     |  any doubt
 *                 +---------------------+
 *
 * Offsets, always acked <= sent <= accepted:
 *   acked     the destination's log end as far as it is proven; equal to it when nothing is in flight
 *   sent      everything below was handed to the sink or the filler
 *   accepted  the next offset that is wanted from the source
 *
 * The queue holds batches and fills: runs of offsets that have no record at the source, to be used up at the destination
 * (DESIGN 4). Neighbouring holes are one fill. A fill is written only while nothing else of the lane is in flight, and
 * nothing of the lane follows before it is proven.
 *
 * A batch in the queue holds a reference to the received frame that it lies in. Two owners are possible: the queue
 * (until acknowledged or dropped) and an append in flight (the driver's own reference). */
#pragma once

#include "base/buf.h"
#include "mirror/mirror.h"
#include "wire/batch.h"

enum {
	LANE_IN_FLIGHT_MAX = 5,          /* brokers remember the last five batches of a producer */
	LANE_FILL_AHEAD = 50000,         /* offsets to fill, about a second, before which nothing more is read */
};

/* Where it may be, the part of a hole beyond the limit of fills is used up with tombstones (seed.h): batches like others,
 * which the owner makes when they are to go out. */
enum lane_item_kind { ITEM_BATCH, ITEM_FILL, ITEM_TOMBSTONES };

/* What is to be appended next to what is before it. */
struct lane_item {
	enum lane_item_kind kind;
	int32_t epoch;                   /* the source's leader epoch that wrote it */
	int64_t first, n;                /* its offsets: first .. first + n - 1 */
	/* of a batch */
	bool tombstones;                 /* in place of a hole */
	bool made;                       /* by us: it could be made of fewer records */
	struct buf *frame;
	const uint8_t *data;             /* its header, in the frame */
	uint32_t len;                    /* header and records */
	int32_t sequence;                /* given when it is sent */
	int64_t max_timestamp;
};

struct lane {
	enum lane_state state;
	enum lane_reason reason;
	char error[256];
	int64_t since_ns;                /* of the state; monotonic, from the caller */

	int64_t accepted, sent, acked;
	int32_t accepted_epoch;          /* of the batch below accepted; -1: not known */
	int32_t acked_epoch;
	bool doubt;                      /* nothing is sent until all is answered and the lane is opened again */

	int64_t producer_id;
	int16_t producer_epoch;
	int32_t next_sequence;
	bool fence_unproven;             /* the broker does not know the id yet: one append at a time */
	int64_t acked_timestamp;         /* max timestamp of the last acknowledged batch; -1: none */
	int64_t sent_timestamp;          /* the highest one below `sent`, as far as known; -1: none */

	int64_t fill_limit;              /* the longest hole that is filled by markers; set by the owner after lane_init */
	bool fill_tombstones;            /* what is longer is filled with tombstones; likewise */
	int64_t hole_first;              /* where the hole that reaches up to `accepted` begins; accepted: there is none */
	int32_t filling;                 /* offsets of the fill in flight; 0: none */
	int64_t bad_at;                  /* nothing is read from here on before all below is appended; -1: it may be */
	int64_t suspect;                 /* the batch of this offset is checked record by record, for the destination
	                                  * refused it without a reason that tells; -1: none */
	int64_t fill_end_max;            /* a fill in doubt reached at most up to here; -1: none since the last opening */

	size_t queued_bytes;             /* accepted and not acknowledged */
	size_t unsent_bytes;
	int64_t unfilled;                /* offsets of fills that are accepted and not proven */
	uint64_t bytes, batches, records;   /* acknowledged since the lane was initialised; records: without tombstones */
	uint64_t filled;                 /* offsets, likewise */
	uint64_t tombstones;             /* how many of them with tombstones */

	/* private: a ring of items; [head_, next_) in flight, [next_, tail_) waiting. A fill in flight is at next_ */
	struct lane_item *ring_;
	uint32_t cap_, head_, next_, tail_;
};

/* Without a limit of fills. */
void lane_init(struct lane *lane, int64_t producer_id);
/* Drops everything. */
void lane_fini(struct lane *lane);

/* Begins to open: drops what waits. Only with nothing in flight. */
void lane_probe(struct lane *lane, int64_t now_ns);

/* What the opening found out about the destination. */
struct lane_opening {
	int64_t log_end;
	bool producer_known;
	int16_t producer_epoch;          /* as listed; ignored when not known */
	int32_t last_sequence;           /* as listed; -1: only a marker is known */
	int32_t source_epoch;            /* of the source batch below log_end; -1: not known */
	int64_t timestamp;               /* the max timestamp of the destination's last batch; -1: not known */
};
/* PROBING -> ALIGNED: the position is the destination's log end. */
void lane_align(struct lane *lane, const struct lane_opening *opening, int64_t now_ns);

enum lane_verdict { LANE_TAKE, LANE_SKIP, LANE_LATER, LANE_REWRITE, LANE_STOP };
/* A complete batch of the source with records that are to be copied. Offsets between the position and the batch are a
 * hole. TAKE: it is queued, a reference to frame is held. SKIP: it lies below the position. LATER: the batch should be
 * fetched again, when the long hole before it is filled, or (lane_drains) what is queued is appended. REWRITE: it cannot
 * be appended as it is; nothing happened, and what the rewriter makes of it, from the position on, is to be offered in
 * its place. STOP: it cannot be copied exactly, or the hole is too long; the lane is FAILED with kind and offset in
 * `error`. */
enum lane_verdict lane_offer(struct lane *lane, struct buf *frame, const struct batch_header *b, int64_t now_ns)
	__attribute__((warn_unused_result));
/* The batch that was taken last was made by us. */
void lane_made(struct lane *lane);
/* The oldest item that is not acknowledged, or NULL. */
const struct lane_item *lane_first(const struct lane *lane);
/* The append in flight that is to be answered next. */
const struct lane_item *lane_oldest(const struct lane *lane);
/* A batch that cannot be copied, found at an offset at or above the position. True: the lane may be failed for it. False:
 * what is queued below is appended first, and then the batch is met again. */
bool lane_bad(struct lane *lane, int64_t offset) __attribute__((warn_unused_result));
/* That is under way: nothing is to be fetched. */
static inline bool lane_drains(const struct lane *lane)
{
	return lane->bad_at >= 0 && (lane->tail_ != lane->head_ || lane->filling > 0);
}
/* A complete batch, magic 2, none of whose offsets has a record to be copied: everything up to its last offset is a
 * hole. */
enum lane_verdict lane_offer_hole(struct lane *lane, const struct batch_header *b, int64_t now_ns)
	__attribute__((warn_unused_result));

/* ALIGNED -> FILLING: seeds come instead of batches of the source, until the lane is opened again. */
void lane_seeding(struct lane *lane, int64_t now_ns);
/* A batch of seeds in frame, from its first byte to its last, for the offsets from the position on. */
void lane_offer_seed(struct lane *lane, struct buf *frame);

/* Whether the data id's last sequence, as listed, is that of the last batch that this lane sent. */
bool lane_sequence_is_ours(const struct lane *lane, int32_t last_sequence);

/* The source answered for the position, with or without records: ALIGNED -> COPYING. */
void lane_copying(struct lane *lane, int64_t now_ns);

/* How many appends may be in flight now: 1 while the broker's fence may be weak (an id it does not know, or records so
 * old that it may have forgotten it: DESIGN 3, the hole in the fence), else LANE_IN_FLIGHT_MAX. */
int lane_depth(const struct lane *lane, int64_t wall_ms);
/* Appends in flight: batches, or one fill. */
static inline int lane_in_flight(const struct lane *lane)
{
	return (int)(lane->next_ - lane->head_) + (lane->filling > 0);
}
/* Batches and fills that wait. */
static inline int lane_waiting(const struct lane *lane)
{
	return (int)(lane->tail_ - lane->next_) - (lane->filling > 0);
}
/* The next batch to send, or NULL: none, a fill comes first, or the lane may not send (state, doubt). Does not look at
 * lane_depth. */
const struct lane_item *lane_head(const struct lane *lane);
/* The head goes out: gives it its sequence. The batch is valid until it is acknowledged or dropped. */
const struct lane_item *lane_send(struct lane *lane);

/* The oldest append in flight was answered with error 0: base_offset must be its first offset. False: it is not, or
 * nothing was in flight; the lane is FAILED as DIVERGED. */
bool lane_ack(struct lane *lane, int64_t base_offset, int64_t now_ns) __attribute__((warn_unused_result));
/* The oldest append in flight has no usable answer (an error, a lost connection). The lane is in doubt. */
void lane_unanswered(struct lane *lane);

/* How many offsets are to be filled now; 0: none, something else is in flight, or the lane may not send. */
int64_t lane_fill_head(const struct lane *lane);
/* n of them go out. -> FILLING. */
void lane_fill_send(struct lane *lane, int32_t n, int64_t now_ns);
/* The fill in flight stands in the log, exactly. -> COPYING when the hole is closed. */
void lane_filled(struct lane *lane, int64_t now_ns);
/* It has no usable answer. The lane is in doubt. */
void lane_unfilled(struct lane *lane);
/* How many offsets are to be filled with tombstones next, which are not made yet; 0: none, something else comes first, or
 * the lane may not send. */
int64_t lane_tombstone_head(const struct lane *lane);
/* A batch of so many tombstones, or of less, in frame, from its first byte to its last. -> FILLING. */
void lane_put_tombstones(struct lane *lane, struct buf *frame, int64_t now_ns);
/* Something else casts doubt: a leader or its epoch changed. */
void lane_cast_doubt(struct lane *lane);
/* Gives back all buffers that wait; the position goes back to `sent`. For a lane that cannot send. */
void lane_drop_unsent(struct lane *lane);

/* -> FAILED. A reason that stands is kept. Appends in flight are still to be answered. */
void lane_fail(struct lane *lane, enum lane_reason reason, int64_t now_ns, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* True when it takes batches: ALIGNED, COPYING or FILLING, without doubt. */
static inline bool lane_is_open(const struct lane *lane)
{
	return (lane->state == LANE_ALIGNED || lane->state == LANE_COPYING || lane->state == LANE_FILLING) &&
	       !lane->doubt;
}
