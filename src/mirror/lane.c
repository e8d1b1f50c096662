/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/lane.h"

#include <stdarg.h>

enum {
	RING_MIN = 16,
	SEQUENCE_MASK = INT32_MAX,
	/* Brokers forget a producer by the timestamp of its last record, after a day by default and less where an
	 * operator said so; from this age on the fence is not relied on. */
	FENCE_AGE_MS = 6 * 3600 * 1000,
	MARKER_LEN = 78,             /* of a marker in the log */
	FILL_RATE = 40000,           /* markers a second, for estimates: the slower of the brokers that were measured */
};

static void set_state(struct lane *lane, enum lane_state state, int64_t now_ns)
{
	CHECK(lane->acked <= lane->sent && lane->sent <= lane->accepted);
	if (lane->state != state)
		lane->since_ns = now_ns;
	lane->state = state;
}

void lane_init(struct lane *lane, int64_t producer_id)
{
	*lane = (struct lane){
		.producer_id = producer_id, .accepted_epoch = -1, .acked_epoch = -1, .acked_timestamp = -1,
		.sent_timestamp = -1,
		.fill_limit = INT64_MAX, .fill_end_max = -1, .bad_at = -1, .suspect = -1,
	};
}

static struct lane_item *at(const struct lane *lane, uint32_t i)
{
	return &lane->ring_[i & (lane->cap_ - 1)];
}

void lane_fini(struct lane *lane)
{
	for (uint32_t i = lane->head_; i != lane->tail_; i++)
		buf_unref(at(lane, i)->frame);  /* a fill has none */
	xfree(lane->ring_);
	*lane = (struct lane){ .state = LANE_UNBOUND };
}

/* Of a fill in flight its rest is dropped. */
void lane_drop_unsent(struct lane *lane)
{
	uint32_t keep = lane->next_ + (lane->filling > 0);

	while (lane->tail_ != keep) {
		struct lane_item *item = at(lane, --lane->tail_);

		lane->queued_bytes -= item->len;
		lane->unsent_bytes -= item->len;
		lane->unfilled -= item->kind != ITEM_BATCH ? item->n : 0;
		buf_unref(item->frame);
	}
	if (lane->filling > 0) {
		struct lane_item *item = at(lane, lane->next_);

		lane->unfilled -= item->n - lane->filling;
		item->n = lane->filling;
	}
	lane->accepted = lane->hole_first = lane->sent;
	/* The epoch below the position is that of the last item in flight, or of the last one acknowledged. */
	lane->accepted_epoch = keep != lane->head_ ? at(lane, keep - 1)->epoch : lane->acked_epoch;
}

void lane_probe(struct lane *lane, int64_t now_ns)
{
	CHECK(lane_in_flight(lane) == 0);
	lane->sent = lane->acked;
	lane_drop_unsent(lane);
	lane->doubt = false;
	lane->reason = REASON_NONE;
	lane->error[0] = '\0';
	set_state(lane, LANE_PROBING, now_ns);
}

void lane_align(struct lane *lane, const struct lane_opening *o, int64_t now_ns)
{
	CHECK(lane->state == LANE_PROBING && lane->head_ == lane->tail_);
	lane->accepted = lane->sent = lane->acked = lane->hole_first = o->log_end;
	lane->fill_end_max = lane->bad_at = -1;
	lane->accepted_epoch = lane->acked_epoch = o->source_epoch;
	lane->sent_timestamp = o->timestamp;
	lane->fence_unproven = !o->producer_known;
	if (!o->producer_known) {
		lane->producer_epoch = 0;
		lane->next_sequence = (int32_t)(o->log_end & SEQUENCE_MASK);
	} else {
		lane->producer_epoch = o->producer_epoch;
		lane->next_sequence = o->last_sequence < 0 ? 0 : (int32_t)(((int64_t)o->last_sequence + 1) & SEQUENCE_MASK);
	}
	set_state(lane, LANE_ALIGNED, now_ns);
}

static void vfail(struct lane *lane, enum lane_reason reason, int64_t now_ns, const char *fmt, va_list ap)
{
	if (lane->state == LANE_FAILED)
		return;
	lane->reason = reason;
	vsnprintf(lane->error, sizeof(lane->error), fmt, ap);
	lane_drop_unsent(lane);
	set_state(lane, LANE_FAILED, now_ns);
}

void lane_fail(struct lane *lane, enum lane_reason reason, int64_t now_ns, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfail(lane, reason, now_ns, fmt, ap);
	va_end(ap);
}

/* ---- accepting ---- */

/* Whether record by record something must change: raw bytes cannot be appended (DESIGN 3). */
static bool needs_rewriting(const struct lane *lane, const struct batch_header *b)
{
	return b->magic != 2 || (b->attributes & BATCH_LOG_APPEND_TIME) || b->count != b->last_delta + 1 ||
	       b->base_offset < lane->accepted ||
	       (lane->suspect >= b->base_offset && lane->suspect <= b->base_offset + b->last_delta);
}

static enum lane_verdict stop(struct lane *lane, enum lane_reason reason, int64_t now_ns, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static enum lane_verdict stop(struct lane *lane, enum lane_reason reason, int64_t now_ns, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfail(lane, reason, now_ns, fmt, ap);
	va_end(ap);
	return LANE_STOP;
}

bool lane_bad(struct lane *lane, int64_t offset)
{
	lane->bad_at = offset;
	return !lane_drains(lane);
}

/* The place of the next item. */
static struct lane_item *grow(struct lane *lane)
{
	uint32_t n = lane->tail_ - lane->head_;

	if (n == lane->cap_) {
		uint32_t cap = MAX(lane->cap_ * 2, (uint32_t)RING_MIN);
		struct lane_item *ring = xcalloc(cap, sizeof(*ring));

		for (uint32_t i = 0; i < n; i++)
			ring[i] = *at(lane, lane->head_ + i);
		xfree(lane->ring_);
		lane->ring_ = ring;
		lane->cap_ = cap;
		lane->next_ -= lane->head_;
		lane->tail_ = n;
		lane->head_ = 0;
	}
	return at(lane, lane->tail_++);
}

static void push_batch(struct lane *lane, struct buf *frame, const struct batch_header *b)
{
	buf_ref(frame);
	*grow(lane) = (struct lane_item){
		.kind = ITEM_BATCH, .frame = frame, .data = b->data, .len = b->size, .first = b->base_offset,
		.n = (int64_t)b->last_delta + 1, .max_timestamp = b->max_timestamp, .epoch = b->leader_epoch,
	};
	lane->queued_bytes += b->size;
	lane->unsent_bytes += b->size;
	lane->accepted = lane->hole_first = b->base_offset + b->last_delta + 1;
	lane->accepted_epoch = b->leader_epoch;
}

/* Everything up to `end`, which is above the position, has no record. Neighbours are one fill, so long as one epoch
 * wrote them: the pair (offset, epoch) is true in the middle of a fill too. */
static bool push_hole(struct lane *lane, int64_t end, int32_t epoch, int64_t now_ns)
{
	int64_t n = end - lane->accepted;
	struct lane_item *last = lane->tail_ != lane->next_ ? at(lane, lane->tail_ - 1) : NULL;
	bool beyond = end - lane->hole_first > lane->fill_limit;
	enum lane_item_kind kind = beyond ? ITEM_TOMBSTONES : ITEM_FILL;

	if (beyond && !lane->fill_tombstones) {
		int64_t hole = end - lane->hole_first;

		lane_fail(lane, REASON_FILL_LIMIT, now_ns,
			  "hole of %lld offsets or more at offset %lld: mirror.fill.limit is %lld; to fill it takes about "
			  "%lld s and %lld MiB at the destination", (long long)hole, (long long)lane->hole_first,
			  (long long)lane->fill_limit, (long long)(hole / FILL_RATE + 1),
			  (long long)((hole * MARKER_LEN >> 20) + 1));
		return false;
	}
	if (last != NULL && last->kind == kind && last->epoch == epoch)
		last->n += n;
	else
		*grow(lane) = (struct lane_item){ .kind = kind, .first = lane->accepted, .n = n, .epoch = epoch };
	lane->unfilled += n;
	lane->accepted = end;
	lane->accepted_epoch = epoch;
	return true;
}

static bool epoch_went_back(struct lane *lane, const struct batch_header *b, int64_t now_ns)
{
	/* Batches made of messages v0 and v1 have none. */
	if (b->leader_epoch >= lane->accepted_epoch || b->leader_epoch < 0)
		return false;
	lane_fail(lane, REASON_UNEXPECTED_TRUNCATION, now_ns,
		  "the source's leader epoch went back from %d to %d at offset %lld", lane->accepted_epoch,
		  b->leader_epoch, (long long)b->base_offset);
	return true;
}

enum lane_verdict lane_offer(struct lane *lane, struct buf *frame, const struct batch_header *b, int64_t now_ns)
{
	int64_t last = b->base_offset + b->last_delta;

	CHECK(lane_is_open(lane));
	if (last < lane->accepted)
		return LANE_SKIP;
	if ((b->attributes & BATCH_CODEC) > BATCH_CODEC_LAST)
		return !lane_bad(lane, b->base_offset) ? LANE_LATER : stop(lane, REASON_UNSUPPORTED_MESSAGE_FORMAT, now_ns,
			    "unknown compression codec at offset %lld: this version cannot copy it exactly",
			    (long long)MAX(b->base_offset, lane->accepted));
	if (needs_rewriting(lane, b))
		return LANE_REWRITE;
	if (epoch_went_back(lane, b, now_ns))
		return LANE_STOP;
	if ((b->attributes & BATCH_CODEC) == 0 && !batch_deltas_ok(b))
		return !lane_bad(lane, b->base_offset) ? LANE_LATER : stop(lane, REASON_CORRUPT_SOURCE_BATCH, now_ns,
			    "the records of the batch at offset %lld do not have the offsets that its header says",
			    (long long)b->base_offset);
	if (b->base_offset > lane->accepted) {
		if (!push_hole(lane, b->base_offset, b->leader_epoch, now_ns))
			return LANE_STOP;
		if (lane->unfilled > LANE_FILL_AHEAD) {
			lane_copying(lane, now_ns);
			return LANE_LATER;
		}
	}
	push_batch(lane, frame, b);
	lane_copying(lane, now_ns);
	return LANE_TAKE;
}

enum lane_verdict lane_offer_hole(struct lane *lane, const struct batch_header *b, int64_t now_ns)
{
	int64_t end = b->base_offset + b->last_delta + 1;

	CHECK(lane_is_open(lane) && b->magic == 2);
	if (end <= lane->accepted)
		return LANE_SKIP;
	if (epoch_went_back(lane, b, now_ns) || !push_hole(lane, end, b->leader_epoch, now_ns))
		return LANE_STOP;
	lane_copying(lane, now_ns);
	return LANE_TAKE;
}

void lane_seeding(struct lane *lane, int64_t now_ns)
{
	CHECK(lane->state == LANE_ALIGNED);
	set_state(lane, LANE_FILLING, now_ns);
}

void lane_offer_seed(struct lane *lane, struct buf *frame)
{
	struct reader r = { .p = frame->data, .end = frame->data + frame->len };
	struct batch_header b;

	CHECK(lane->state == LANE_FILLING && batch_next(&r, &b) == BATCH_OK);
	b.base_offset = lane->accepted;
	b.leader_epoch = lane->accepted_epoch;
	push_batch(lane, frame, &b);
	lane_made(lane);
}

void lane_made(struct lane *lane)
{
	CHECK(lane->tail_ != lane->next_);
	at(lane, lane->tail_ - 1)->made = true;
}

const struct lane_item *lane_first(const struct lane *lane)
{
	return lane->head_ != lane->tail_ ? at(lane, lane->head_) : NULL;
}

const struct lane_item *lane_oldest(const struct lane *lane)
{
	CHECK(lane->next_ != lane->head_);
	return at(lane, lane->head_);
}

void lane_copying(struct lane *lane, int64_t now_ns)
{
	if (lane->state == LANE_ALIGNED)
		set_state(lane, LANE_COPYING, now_ns);
}

/* ---- sending ---- */

int lane_depth(const struct lane *lane, int64_t wall_ms)
{
	if (lane->fence_unproven || lane->acked_timestamp < wall_ms - FENCE_AGE_MS)
		return 1;
	return LANE_IN_FLIGHT_MAX;
}

const struct lane_item *lane_head(const struct lane *lane)
{
	if (!lane_is_open(lane) || lane->next_ == lane->tail_ || at(lane, lane->next_)->kind != ITEM_BATCH)
		return NULL;
	return at(lane, lane->next_);
}

const struct lane_item *lane_send(struct lane *lane)
{
	struct lane_item *b;

	CHECK(lane_head(lane) != NULL && lane_in_flight(lane) < LANE_IN_FLIGHT_MAX);
	b = at(lane, lane->next_++);
	CHECK(b->first == lane->sent);
	b->sequence = lane->next_sequence;
	lane->next_sequence = (int32_t)((b->sequence + b->n) & SEQUENCE_MASK);
	lane->sent = b->first + b->n;
	lane->sent_timestamp = MAX(lane->sent_timestamp, b->max_timestamp);
	lane->unsent_bytes -= b->len;
	return b;
}

/* Takes the oldest batch in flight off the queue. */
static void pop(struct lane *lane)
{
	struct lane_item *b = at(lane, lane->head_++);

	lane->queued_bytes -= b->len;
	buf_unref(b->frame);
	b->frame = NULL;
}

static bool at_hole(const struct lane *lane)
{
	return lane->next_ != lane->tail_ &&
	       (at(lane, lane->next_)->kind != ITEM_BATCH || at(lane, lane->next_)->tombstones);
}

/* FILLING -> COPYING where no hole follows. */
static void end_fill(struct lane *lane, int64_t now_ns)
{
	if (lane->state == LANE_FILLING && !at_hole(lane))
		set_state(lane, LANE_COPYING, now_ns);
}

bool lane_ack(struct lane *lane, int64_t base_offset, int64_t now_ns)
{
	struct lane_item *b;

	CHECK(lane->next_ != lane->head_);
	b = at(lane, lane->head_);
	if (base_offset != b->first) {
		int64_t expected = b->first;

		lane->doubt = true;
		pop(lane);
		lane_fail(lane, REASON_DIVERGED, now_ns,
			  "the batch of offset %lld was appended at %lld: something else wrote to the mirror topic",
			  (long long)expected, (long long)base_offset);
		return false;
	}
	if (lane->acked == b->first) {  /* else an older answer is missing: the opening will tell */
		lane->acked = b->first + b->n;
		lane->acked_epoch = b->epoch;
	}
	lane->acked_timestamp = b->max_timestamp;
	lane->fence_unproven = false;
	lane->bytes += b->len;
	lane->batches++;
	if (!b->tombstones) {
		lane->records += (uint64_t)b->n;
	} else {
		lane->filled += (uint64_t)b->n;
		lane->tombstones += (uint64_t)b->n;
		end_fill(lane, now_ns);
	}
	pop(lane);
	return true;
}

void lane_unanswered(struct lane *lane)
{
	CHECK(lane->next_ != lane->head_);
	lane->doubt = true;
	pop(lane);
}

void lane_cast_doubt(struct lane *lane)
{
	if (lane->state == LANE_ALIGNED || lane->state == LANE_COPYING || lane->state == LANE_FILLING)
		lane->doubt = true;
}

bool lane_sequence_is_ours(const struct lane *lane, int32_t last_sequence)
{
	return last_sequence < 0 || (((int64_t)last_sequence + 1) & SEQUENCE_MASK) == lane->next_sequence;
}

/* ---- filling ---- */

int64_t lane_fill_head(const struct lane *lane)
{
	const struct lane_item *item;

	if (!lane_is_open(lane) || lane->next_ == lane->tail_ || lane_in_flight(lane) > 0)
		return 0;
	item = at(lane, lane->next_);
	return item->kind == ITEM_FILL ? item->n : 0;
}

void lane_fill_send(struct lane *lane, int32_t n, int64_t now_ns)
{
	CHECK(n > 0 && n <= lane_fill_head(lane));
	CHECK(at(lane, lane->next_)->first == lane->acked && lane->sent == lane->acked);
	lane->filling = n;
	lane->sent += n;
	set_state(lane, LANE_FILLING, now_ns);
}

/* Takes the fill in flight, or the part that it was, off the queue. */
static void pop_fill(struct lane *lane)
{
	struct lane_item *item = at(lane, lane->next_);

	CHECK(lane->filling > 0 && lane->next_ == lane->head_);
	lane->unfilled -= lane->filling;
	item->first += lane->filling;
	item->n -= lane->filling;
	lane->filling = 0;
	if (item->n == 0)
		lane->head_ = ++lane->next_;
}

void lane_filled(struct lane *lane, int64_t now_ns)
{
	const struct lane_item *item = at(lane, lane->next_);

	lane->acked += lane->filling;
	lane->acked_epoch = item->epoch;
	lane->filled += (uint64_t)lane->filling;
	pop_fill(lane);
	end_fill(lane, now_ns);
}

void lane_unfilled(struct lane *lane)
{
	lane->fill_end_max = lane->sent;
	lane->doubt = true;
	pop_fill(lane);
}

/* ---- tombstones ---- */

int64_t lane_tombstone_head(const struct lane *lane)
{
	const struct lane_item *item;

	if (!lane_is_open(lane) || lane->next_ == lane->tail_)
		return 0;
	item = at(lane, lane->next_);
	return item->kind == ITEM_TOMBSTONES ? item->n : 0;
}

/* The batch goes in front of what is left of the hole. */
void lane_put_tombstones(struct lane *lane, struct buf *frame, int64_t now_ns)
{
	struct reader r = { .p = frame->data, .end = frame->data + frame->len };
	struct lane_item *hole = at(lane, lane->next_), *item;
	struct batch_header b;
	int64_t n;

	CHECK(batch_next(&r, &b) == BATCH_OK && b.size == frame->len);
	n = (int64_t)b.last_delta + 1;
	CHECK(n <= lane_tombstone_head(lane));
	if (n < hole->n) {
		grow(lane);
		for (uint32_t i = lane->tail_ - 1; i != lane->next_; i--)
			*at(lane, i) = *at(lane, i - 1);
		hole = at(lane, lane->next_ + 1);
	}
	item = at(lane, lane->next_);
	*item = (struct lane_item){
		.kind = ITEM_BATCH, .tombstones = true, .made = true, .epoch = hole->epoch, .first = hole->first, .n = n,
		.frame = frame, .data = b.data, .len = b.size, .max_timestamp = b.max_timestamp,
	};
	if (hole != item) {
		hole->first += n;
		hole->n -= n;
	}
	buf_ref(frame);
	lane->queued_bytes += b.size;
	lane->unsent_bytes += b.size;
	lane->unfilled -= n;
	set_state(lane, LANE_FILLING, now_ns);
}
