/* SPDX-License-Identifier: Apache-2.0 */
/* The lane: one partition pair. Pure: events in, decisions out, no I/O, no clock of its own. It owns the queue of
 * accepted batches and is the only place that changes the lane's state.
 *
 *   UNBOUND -> PROBING -> ALIGNED -> COPYING            any -> PAUSED | STOPPED | FAILED(reason)
 *                 ^                     |  any doubt
 *                 +---------------------+
 *
 * Offsets, always acked <= sent <= accepted:
 *   acked     the destination's log end as far as it is proven; equal to it when nothing is in flight
 *   sent      everything below was handed to the sink
 *   accepted  the next offset that is wanted from the source
 *
 * A batch in the queue holds a reference to the received frame that it lies in. Two owners are possible: the queue
 * (until acknowledged or dropped) and an append in flight (the driver's own reference). */
#pragma once

#include "base/buf.h"
#include "mirror/mirror.h"
#include "wire/batch.h"

enum {
	LANE_IN_FLIGHT_MAX = 5,          /* brokers remember the last five batches of a producer */
};

/* An accepted source batch. */
struct batch {
	struct buf *frame;
	const uint8_t *data;             /* its header, in the frame */
	uint32_t len;                    /* header and records */
	int32_t last_delta;
	int64_t first;                   /* its first offset */
	int64_t max_timestamp;
	int32_t epoch;                   /* the source's leader epoch that wrote it */
	int32_t sequence;                /* given when it is sent */
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

	size_t queued_bytes;             /* accepted and not acknowledged */
	size_t unsent_bytes;
	uint64_t bytes, batches;         /* acknowledged since the lane was initialised */

	/* private: a ring of batches; [head_, next_) in flight, [next_, tail_) waiting */
	struct batch *ring_;
	uint32_t cap_, head_, next_, tail_;
};

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
};
/* PROBING -> ALIGNED: the position is the destination's log end. */
void lane_align(struct lane *lane, const struct lane_opening *opening, int64_t now_ns);

enum lane_verdict { LANE_TAKE, LANE_SKIP, LANE_STOP };
/* A complete batch of the source. TAKE: it is queued, a reference to frame is held. SKIP: it lies below the position.
 * STOP: it cannot be copied exactly; the lane is FAILED with kind and offset in `error`. */
enum lane_verdict lane_offer(struct lane *lane, struct buf *frame, const struct batch_header *b, int64_t now_ns)
	__attribute__((warn_unused_result));

/* The source answered for the position, with or without records: ALIGNED -> COPYING. */
void lane_copying(struct lane *lane, int64_t now_ns);

/* How many appends may be in flight now: 1 while the broker's fence may be weak (an id it does not know, or records so
 * old that it may have forgotten it: DESIGN 3, the hole in the fence), else LANE_IN_FLIGHT_MAX. */
int lane_depth(const struct lane *lane, int64_t wall_ms);
/* Batches in flight. */
static inline int lane_in_flight(const struct lane *lane)
{
	return (int)(lane->next_ - lane->head_);
}
/* The next batch to send, or NULL: none, or the lane may not send (state, doubt). Does not look at lane_depth. */
const struct batch *lane_head(const struct lane *lane);
/* The head goes out: gives it its sequence. The batch is valid until it is acknowledged or dropped. */
const struct batch *lane_send(struct lane *lane);

/* The oldest append in flight was answered with error 0: base_offset must be its first offset. False: it is not, or
 * nothing was in flight; the lane is FAILED as DIVERGED. */
bool lane_ack(struct lane *lane, int64_t base_offset, int64_t now_ns) __attribute__((warn_unused_result));
/* The oldest append in flight has no usable answer (an error, a lost connection). The lane is in doubt. */
void lane_unanswered(struct lane *lane);
/* Something else casts doubt: a leader or its epoch changed. */
void lane_cast_doubt(struct lane *lane);
/* Gives back all buffers that wait; the position goes back to `sent`. For a lane that cannot send. */
void lane_drop_unsent(struct lane *lane);

/* -> FAILED. A reason that stands is kept. Appends in flight are still to be answered. */
void lane_fail(struct lane *lane, enum lane_reason reason, int64_t now_ns, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* -> PAUSED or STOPPED. */
void lane_rest(struct lane *lane, enum lane_state state, int64_t now_ns);

/* True when it takes batches: ALIGNED or COPYING, without doubt. */
static inline bool lane_is_open(const struct lane *lane)
{
	return (lane->state == LANE_ALIGNED || lane->state == LANE_COPYING) && !lane->doubt;
}
