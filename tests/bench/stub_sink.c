/* SPDX-License-Identifier: Apache-2.0 */
/* The destination reads a stream of requests in pieces: only the parts in front of the records are looked at, the
 * records are passed over. A part is parsed when PART_MAX bytes of it (or the whole rest of the frame) are there. */
#include "stub.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "wire/batch.h"
#include "wire/msg/produce.h"

#include <string.h>

enum {
	PART_MAX = 512, ANSWER_MAX = 64,
	AT_MAGIC = 16, AT_CRC = 17, AT_ATTRIBUTES = 21, AT_LAST_DELTA = 23, AT_PRODUCER_ID = 43, AT_PRODUCER_EPOCH = 51,
	AT_SEQUENCE = 53, AT_COUNT = 57,
};

static uint64_t get_be(const uint8_t *p, int n_bytes)
{
	uint64_t v = 0;

	for (int i = 0; i < n_bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static uint32_t get_varint(const uint8_t **p)
{
	uint32_t v = 0;

	for (int shift = 0;; shift += 7) {
		uint8_t b = *(*p)++;

		v |= (uint32_t)(b & 0x7f) << shift;
		if ((b & 0x80) == 0 || shift > 21)
			return v;
	}
}

static void answer_bytes(struct peer *peer, uint64_t v, int n_bytes)
{
	put_be(peer_room(peer, ANSWER_MAX), v, n_bytes);
	peer->out_end += (size_t)n_bytes;
}

static void answer_varint(struct peer *peer, uint32_t v)
{
	uint8_t *p = peer_room(peer, ANSWER_MAX);

	peer->out_end += (size_t)(put_varint(p, v) - p);
}

/* ---- a batch ---- */

static void check_batch(struct peer *peer, const uint8_t *b, uint32_t len)
{
	if (b[AT_MAGIC] != 2 || get_be(b, 8) != 0 || get_be(b + 8, 4) != len - 12)
		bench_die("stub: what was appended is no batch at offset 0");
	if (get_be(b + AT_LAST_DELTA, 4) + 1 != get_be(b + AT_COUNT, 4))
		bench_die("stub: a batch whose count is not its length");
	if (!peer->stub->opts.verify)
		return;
	if ((uint32_t)get_be(b + AT_CRC, 4) != crc32c(0, b + AT_ATTRIBUTES, len - AT_ATTRIBUTES))
		bench_die("stub: a batch whose CRC does not hold");
}

/* Takes the batch at the end of the log; its first offset. */
static int64_t append(struct peer *peer, int32_t index, const uint8_t *b)
{
	struct stub_log *log;
	int64_t producer_id = (int64_t)get_be(b + AT_PRODUCER_ID, 8), base;
	int32_t sequence = (int32_t)get_be(b + AT_SEQUENCE, 4), count = (int32_t)get_be(b + AT_COUNT, 4);
	int16_t epoch = (int16_t)get_be(b + AT_PRODUCER_EPOCH, 2);

	if (index < 0 || index >= peer->stub->opts.partitions)
		bench_die("stub: an append to partition %d", index);
	log = &peer->stub->logs[index];
	if (log->known && (log->producer_id != producer_id || log->producer_epoch != epoch ||
			   log->next_sequence != sequence))
		bench_die("stub: partition %d: sequence %d, expected %d", index, sequence, log->next_sequence);
	log->known = true;
	log->producer_id = producer_id;
	log->producer_epoch = epoch;
	log->next_sequence = (int32_t)(((int64_t)sequence + count) & INT32_MAX);
	base = log->end;
	log->end += count;
	return base;
}

/* ---- parts of a request ---- */

static size_t parse_head(struct peer *peer, const uint8_t *p)
{
	struct stub_parse *ps = &peer->parse;
	const uint8_t *start = p;
	uint32_t len;

	ps->version = (int16_t)get_be(p + 2, 2);
	if (ps->version < produce_api.flexible)
		bench_die("stub: Produce v%d", ps->version);
	ps->answer_at = peer->out_end;
	ps->answering = true;
	answer_bytes(peer, 0, 4);                   /* the length, later */
	answer_bytes(peer, get_be(p + 4, 4), 4);    /* correlation id */
	answer_bytes(peer, 0, 1);
	p += 10 + get_be(p + 8, 2);                 /* behind the client id */
	p++;                                        /* no tags */
	len = get_varint(&p);
	if (len != 0)
		bench_die("stub: an append in a transaction");
	p += 2 + 4;
	ps->topics_left = (int)get_varint(&p) - 1;
	answer_varint(peer, (uint32_t)ps->topics_left + 1);
	ps->state = PARSE_TOPIC;
	stub_count(&peer->stub->shared->sink_requests, 1);
	return (size_t)(p - start);
}

static size_t parse_topic(struct peer *peer, const uint8_t *p)
{
	struct stub_parse *ps = &peer->parse;
	const uint8_t *start = p;
	size_t name = 16;

	if (ps->version < 13)
		name = get_varint(&p) - 1;
	p += name;
	memcpy(peer_room(peer, (size_t)(p - start)), start, (size_t)(p - start));
	peer->out_end += (size_t)(p - start);
	ps->partitions_left = (int)get_varint(&p) - 1;
	answer_varint(peer, (uint32_t)ps->partitions_left + 1);
	ps->state = PARSE_PARTITION;
	return (size_t)(p - start);
}

static size_t parse_partition(struct peer *peer, const uint8_t *p)
{
	struct stub_parse *ps = &peer->parse;
	struct bench_shared *shared = peer->stub->shared;
	const uint8_t *start = p;
	int32_t index = (int32_t)get_be(p, 4);
	uint32_t len;
	int64_t base;
	uint8_t *out;

	p += 4;
	len = get_varint(&p) - 1;
	if (len < BATCH_HEADER_LEN)
		bench_die("stub: records of %u bytes", len);
	check_batch(peer, p, len);
	base = append(peer, index, p);
	if (peer->stub->opts.rate > 0) {
		uint64_t stamp;

		memcpy(&stamp, p + len - 9, sizeof(stamp));
		bench_sample(shared, stamp);
	}
	stub_count(&shared->sink_bytes, len);
	stub_count(&shared->sink_batches, 1);
	out = peer_room(peer, ANSWER_MAX);
	out = put_be(out, (uint32_t)index, 4);
	out = put_be(out, 0, 2);
	out = put_be(out, (uint64_t)base, 8);
	out = put_be(out, UINT64_MAX, 8);           /* log append time */
	out = put_be(out, 0, 8);                    /* log start */
	*out++ = 1;                                 /* no record errors */
	*out++ = 0;                                 /* no message */
	*out++ = 0;                                 /* no tags */
	peer->out_end = (size_t)(out - peer->out);
	ps->skip = len - BATCH_HEADER_LEN;
	ps->state = PARSE_SKIP;
	return (size_t)(p - start) + BATCH_HEADER_LEN;
}

/* Tags behind a partition, and behind the topic and the request that it may have ended. */
static size_t parse_tail(struct peer *peer)
{
	struct stub_parse *ps = &peer->parse;
	size_t n = 1;

	ps->state = PARSE_PARTITION;
	if (--ps->partitions_left > 0)
		return n;
	n++;
	answer_bytes(peer, 0, 1);
	ps->state = PARSE_TOPIC;
	if (--ps->topics_left > 0)
		return n;
	n++;
	answer_bytes(peer, 0, 4);                   /* throttle time */
	answer_bytes(peer, 0, 1);
	put_be(peer->out + ps->answer_at, peer->out_end - ps->answer_at - 4, 4);
	ps->answering = false;
	ps->state = PARSE_LENGTH;
	return n;
}

static size_t parse_other(struct peer *peer, const uint8_t *p, size_t len)
{
	struct request_header h;
	struct reader r;

	if (!request_header_decode(p, len, &h, &r))
		bench_die("stub: a request without a header");
	admin_request(peer, &h, &r);
	peer->parse.state = PARSE_LENGTH;
	return len;
}

/* How many bytes must be there before the next part is looked at. */
static size_t wanted(const struct peer *peer)
{
	const struct stub_parse *ps = &peer->parse;
	bool whole = peer->stub->opts.verify || peer->stub->opts.rate > 0;

	if (ps->state == PARSE_LENGTH)
		return 4;
	if (ps->state == PARSE_SKIP)
		return 1;
	if (ps->state == PARSE_OTHER)
		return ps->frame_left;
	return whole ? ps->frame_left : MIN(ps->frame_left, (size_t)PART_MAX);
}

static size_t parse_part(struct peer *peer, const uint8_t *p, size_t have)
{
	struct stub_parse *ps = &peer->parse;
	size_t n;

	switch (ps->state) {
	case PARSE_LENGTH:
		ps->frame_left = get_be(p, 4) + 4;
		ps->state = PARSE_HEAD;
		return 4;
	case PARSE_HEAD:
		if (get_be(p, 2) == PRODUCE_KEY)
			return parse_head(peer, p);
		ps->state = PARSE_OTHER;
		return 0;
	case PARSE_OTHER:
		return parse_other(peer, p, ps->frame_left);
	case PARSE_TOPIC:
		return parse_topic(peer, p);
	case PARSE_PARTITION:
		return parse_partition(peer, p);
	case PARSE_SKIP:
		n = MIN(have, ps->skip);
		ps->skip -= n;
		if (ps->skip == 0)
			ps->state = PARSE_TAIL;
		return n;
	case PARSE_TAIL:
		return parse_tail(peer);
	}
	return 0;
}

/* Stamped messages of one size. */
static void raw_input(struct peer *peer)
{
	struct stub *s = peer->stub;
	uint64_t stamp;

	for (; peer->in_end - peer->in_at >= s->record_len; peer->in_at += s->record_len) {
		memcpy(&stamp, peer->in + peer->in_at + s->record_len - 9, sizeof(stamp));
		bench_sample(s->shared, stamp);
	}
}

void sink_input(struct peer *peer)
{
	if (peer->stub->opts.mode == STUB_RAW) {
		raw_input(peer);
		return;
	}
	while (peer->in_end - peer->in_at >= wanted(peer) && peer->in_end > peer->in_at) {
		size_t n = parse_part(peer, peer->in + peer->in_at, peer->in_end - peer->in_at);

		peer->in_at += n;
		peer->parse.frame_left -= n;
	}
	peer_flush(peer);
}
