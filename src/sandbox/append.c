/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/append.h"

#include "base/crc32c.h"
#include "sandbox/batch_check.h"
#include "sandbox/bytes.h"

enum { MARKER_LEN = 78, CONTROL_COMMIT = 1 };

static void seal(uint8_t *b, int32_t len)
{
	put_be(b + BATCH_CRC, 4, crc32c(0, b + BATCH_ATTRIBUTES, (size_t)(len - BATCH_ATTRIBUTES)));
}

/* What the broker writes into the header; everything else stays as it was sent. */
static struct plog_batch *stored_form(const struct batch_view *view, const struct partition *p, int64_t log_time)
{
	struct plog_batch *b = plog_batch_create(view->len);
	int16_t attributes = get_i16(view->data + BATCH_ATTRIBUTES);
	int16_t wanted = (int16_t)(attributes & ~BATCH_LOG_APPEND_TIME);

	if (log_time >= 0)
		wanted |= BATCH_LOG_APPEND_TIME;
	memcpy(b->data, view->data, (size_t)view->len);
	b->base_offset = p->log.end_offset;
	b->last_offset = b->base_offset + get_i32(view->data + BATCH_LAST_DELTA);
	b->max_timestamp = log_time >= 0 ? log_time : view->max_timestamp;
	b->epoch = p->leader_epoch;
	put_be(b->data + BATCH_BASE_OFFSET, 8, (uint64_t)b->base_offset);
	put_be(b->data + BATCH_EPOCH, 4, (uint32_t)b->epoch);
	if (wanted == attributes && b->max_timestamp == get_i64(view->data + BATCH_MAX_TIMESTAMP))
		return b;
	put_be(b->data + BATCH_ATTRIBUTES, 2, (uint16_t)wanted);
	put_be(b->data + BATCH_MAX_TIMESTAMP, 8, (uint64_t)b->max_timestamp);
	seal(b->data, b->len);
	return b;
}

static void store(struct sandbox *sb, struct partition *p, struct plog_batch *b)
{
	segment_append(&p->segment, &p->topic->config, b->base_offset, (size_t)b->len, b->max_timestamp);
	plog_append(&p->log, b);
	store_appended(&sb->store, p, (size_t)b->len);
}

static struct producer_claim claim_of(const struct batch_view *view, const struct partition *p, int64_t timestamp)
{
	const uint8_t *b = view->data;

	return (struct producer_claim){
		.id = get_i64(b + BATCH_PRODUCER_ID),
		.epoch = get_i16(b + BATCH_PRODUCER_EPOCH),
		.base_sequence = get_i32(b + BATCH_BASE_SEQUENCE),
		.last_offset_delta = get_i32(b + BATCH_LAST_DELTA),
		.offset = p->log.end_offset,
		.timestamp = timestamp,
		.transactional = get_i16(b + BATCH_ATTRIBUTES) & BATCH_TRANSACTIONAL,
	};
}

/* The batch is right in itself: the producer's rules, then the log. */
static void append_checked(struct sandbox *sb, struct partition *p, const struct batch_view *view,
			   struct appended *out)
{
	bool log_time = topic_config_log_append_time(&p->topic->config);
	struct producer_claim claim = claim_of(view, p, log_time ? sb->wall_ms : view->max_timestamp);
	size_t before = p->producers.n;

	if (claim.id >= 0) {
		const struct producer_batch *same = producers_duplicate(&p->producers, &claim);

		if (same != NULL) {
			out->base_offset = same->first_offset;
			out->log_append_time_ms = same->timestamp;
			return;
		}
		out->code = producers_check(&p->producers, &claim);
		if (out->code != KERR_NONE)
			return;
	}
	if (!store_charge(&sb->store, (size_t)view->len + BATCH_COST + PRODUCER_COST)) {
		out->code = KERR_KAFKA_STORAGE_ERROR;
		out->why = "krsandbox: the memory limit is reached";
		return;
	}
	if (claim.id >= 0)
		producers_append(&p->producers, &claim);
	if (p->producers.n == before)
		store_release(&sb->store, PRODUCER_COST);
	out->base_offset = p->log.end_offset;
	out->log_append_time_ms = log_time ? sb->wall_ms : -1;
	store(sb, p, stored_form(view, p, log_time ? sb->wall_ms : -1));
}

struct appended append_records(struct sandbox *sb, struct partition *p, const struct records *records,
			       int16_t version)
{
	struct appended out = { .base_offset = -1, .log_append_time_ms = -1, .log_start_offset = -1 };
	struct batch_view view;

	out.code = batch_check_form(records, version, &view);
	if (out.code == KERR_NONE) {
		out.code = batch_check_records(&view, &p->topic->config, sb->wall_ms);
		/* Told even with errors of single records, not with those of a whole batch. */
		if (out.code != KERR_CORRUPT_MESSAGE && out.code != KERR_MESSAGE_TOO_LARGE)
			out.log_start_offset = p->log.start_offset;
	}
	out.why = view.why;
	if (out.code == KERR_NONE)
		append_checked(sb, p, &view, &out);
	return out;
}

/* Key: version 0, type; value: version 0, coordinator epoch. */
static void write_marker(uint8_t *b, const struct producer_marker *m, bool commit)
{
	uint8_t *r = b + BATCH_HEADER_LEN;

	memset(b, 0, MARKER_LEN);
	put_be(b + BATCH_LENGTH, 4, MARKER_LEN - BATCH_LENGTH_END);
	b[BATCH_MAGIC] = 2;
	put_be(b + BATCH_ATTRIBUTES, 2, BATCH_TRANSACTIONAL | BATCH_CONTROL);
	put_be(b + BATCH_BASE_TIMESTAMP, 8, (uint64_t)m->timestamp);
	put_be(b + BATCH_MAX_TIMESTAMP, 8, (uint64_t)m->timestamp);
	put_be(b + BATCH_PRODUCER_ID, 8, (uint64_t)m->id);
	put_be(b + BATCH_PRODUCER_EPOCH, 2, (uint16_t)m->epoch);
	put_be(b + BATCH_BASE_SEQUENCE, 4, UINT32_MAX);
	put_be(b + BATCH_COUNT, 4, 1);
	r[0] = 16 << 1;                 /* length of what follows */
	r[4] = 4 << 1;                  /* key, behind attributes and two deltas */
	put_be(r + 7, 2, commit ? CONTROL_COMMIT : 0);
	r[9] = 6 << 1;
	put_be(r + 12, 4, (uint32_t)m->coordinator_epoch);
}

enum { MARKER_COST = MARKER_LEN + BATCH_COST + PRODUCER_COST };

/* The marker is allowed and paid for. */
static void store_marker(struct sandbox *sb, struct partition *p, const struct producer_marker *marker, bool commit)
{
	size_t before = p->producers.n;
	int64_t started = producers_marker(&p->producers, marker);
	struct plog_batch *b = plog_batch_create(MARKER_LEN);

	if (p->producers.n == before)
		store_release(&sb->store, PRODUCER_COST);
	write_marker(b->data, marker, commit);
	b->base_offset = b->last_offset = p->log.end_offset;
	b->max_timestamp = marker->timestamp;
	b->epoch = p->leader_epoch;
	put_be(b->data + BATCH_BASE_OFFSET, 8, (uint64_t)b->base_offset);
	put_be(b->data + BATCH_EPOCH, 4, (uint32_t)b->epoch);
	seal(b->data, MARKER_LEN);
	store(sb, p, b);
	if (started >= 0 && !commit)
		aborted_add(&p->aborted, &(struct aborted){
			.producer_id = marker->id,
			.first_offset = started,
			.last_offset = b->last_offset,
			.stable = partition_stable(p),
		});
}

int16_t append_marker(struct sandbox *sb, struct partition *p, const struct producer_marker *marker, bool commit)
{
	int16_t code = producers_check_marker(&p->producers, marker);

	if (code == KERR_NONE && !store_charge(&sb->store, MARKER_COST))
		code = KERR_KAFKA_STORAGE_ERROR;
	if (code == KERR_NONE)
		store_marker(sb, p, marker, commit);
	return code;
}

void append_owed_marker(struct sandbox *sb, struct partition *p, const struct producer_marker *marker, bool commit)
{
	if (producers_check_marker(&p->producers, marker) != KERR_NONE)
		return;
	sb->store.memory += MARKER_COST;
	store_marker(sb, p, marker, commit);
}

/* What a batch that stands in the log says of its producer. */
static void replay(struct producers *producers, const struct plog_batch *b)
{
	const uint8_t *d = b->data;
	struct producer_marker marker = { .id = get_i64(d + BATCH_PRODUCER_ID),
					  .epoch = get_i16(d + BATCH_PRODUCER_EPOCH),
					  .timestamp = b->max_timestamp };

	if (marker.id < 0)
		return;
	if (get_i16(d + BATCH_ATTRIBUTES) & BATCH_CONTROL) {
		if (get_i32(d + BATCH_COUNT) == 0)
			return;  /* cleaned away: nothing is left of what it ended */
		marker.coordinator_epoch = get_i32(d + BATCH_HEADER_LEN + 12);
		producers_marker(producers, &marker);
		return;
	}
	producers_append(producers, &(struct producer_claim){
		.id = marker.id,
		.epoch = marker.epoch,
		.base_sequence = get_i32(d + BATCH_BASE_SEQUENCE),
		.last_offset_delta = get_i32(d + BATCH_LAST_DELTA),
		.offset = b->base_offset,
		.timestamp = b->max_timestamp,
		.transactional = get_i16(d + BATCH_ATTRIBUTES) & BATCH_TRANSACTIONAL,
	});
}

void append_truncate(struct sandbox *sb, struct partition *p, int64_t end)
{
	size_t bytes = p->log.bytes, n = plog_find(&p->log, INT64_MAX);
	struct plog_batch *b;

	store_release(&sb->store, p->producers.n * PRODUCER_COST);
	producers_fini(&p->producers);
	plog_truncate(&p->log, end);
	aborted_truncate(&p->aborted, p->log.end_offset);
	segment_cut(&p->segment, p->log.end_offset);
	p->cleaned_to = MIN(p->cleaned_to, p->log.end_offset);
	for (size_t i = 0; (b = plog_at(&p->log, i)) != NULL; i++)
		replay(&p->producers, b);
	store_release(&sb->store, bytes - p->log.bytes + (n - plog_find(&p->log, INT64_MAX)) * BATCH_COST);
	sb->store.memory += p->producers.n * PRODUCER_COST;
}
