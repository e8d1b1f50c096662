/* SPDX-License-Identifier: Apache-2.0 */
#include "stub.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "wire/msg/fetch.h"

#include <string.h>

enum { CRC_AT = 17, ATTRIBUTES_AT = 21, BATCHES_MAX = 1000 };

void source_open(struct peer *peer)
{
	struct stub *s = peer->stub;

	peer->session.offsets = xcalloc((size_t)s->opts.partitions, sizeof(int64_t));
	peer->session.wanted = xcalloc((size_t)s->opts.partitions, sizeof(bool));
}

void source_close(struct peer *peer)
{
	xfree(peer->session.offsets);
	xfree(peer->session.wanted);
	image_free(&peer->image);
}

/* ---- what a fetch asks for ---- */

static void want(struct peer *peer, int32_t p, bool wanted)
{
	struct stub_session *ss = &peer->session;

	if (p < 0 || p >= peer->stub->opts.partitions)
		bench_die("stub: a fetch of partition %d", p);
	ss->n_wanted += (int)wanted - (int)ss->wanted[p];
	ss->wanted[p] = wanted;
}

static void begin_session(struct peer *peer, int32_t epoch)
{
	struct stub_session *ss = &peer->session;

	memset(ss->wanted, 0, (size_t)peer->stub->opts.partitions * sizeof(bool));
	ss->n_wanted = 0;
	ss->id = epoch == 0 ? ++peer->stub->next_session : 0;
	ss->epoch = 1;
}

static void take_fetch(struct peer *peer, const struct fetch_request *req)
{
	struct stub_session *ss = &peer->session;

	if (req->session_epoch <= 0)
		begin_session(peer, req->session_epoch);
	else if (req->session_id != ss->id || req->session_epoch != ss->epoch++)
		bench_die("stub: fetch session %d epoch %d, expected %d", req->session_id, req->session_epoch, ss->id);
	for (int32_t i = 0; i < req->topics.n; i++)
		for (int32_t k = 0; k < req->topics.items[i].partitions.n; k++) {
			const struct fetch_partition *p = &req->topics.items[i].partitions.items[k];

			want(peer, p->partition, true);
			ss->offsets[p->partition] = p->fetch_offset;
			if ((uint32_t)p->partition_max_bytes < peer->image.records_len)
				bench_die("stub: a partition's limit is %d, a response has %u", p->partition_max_bytes,
					  peer->image.records_len);
		}
	for (int32_t i = 0; i < req->forgotten_topics_data.n; i++)
		for (int32_t k = 0; k < req->forgotten_topics_data.items[i].partitions.n; k++)
			want(peer, req->forgotten_topics_data.items[i].partitions.items[k], false);
	ss->max_bytes = req->max_bytes;
	ss->deadline_ns = bench_now_ns() + (uint64_t)req->max_wait_ms * 1000000;
}

/* ---- answers ---- */

static struct image_answer answer_for(struct peer *peer, int n, int64_t high_watermark)
{
	return (struct image_answer){
		.correlation_id = peer->session.correlation_id, .session_id = peer->session.id,
		.with_ids = peer->session.version >= 13, .topic_id = peer->stub->topic_id, .topic = STUB_TOPIC, .n = n,
		.high_watermark = high_watermark,
	};
}

static void answer_nothing(struct peer *peer)
{
	struct image_answer a = answer_for(peer, 0, 0);
	uint8_t *p = peer_room(peer, 64), *end = put_fetch_head(p, &a, 0);

	*end++ = 0;  /* tags of the body */
	put_be(p, (uint64_t)(end - p) - 4, 4);
	peer->out_end += (size_t)(end - p);
	peer->session.held = false;
}

/* From the image: the partitions that are wanted, in turn, as many as the limit lets in. */
static void answer_image(struct peer *peer)
{
	struct stub_session *ss = &peer->session;
	struct image *img = &peer->image;
	struct image_slot *slots;
	struct image_answer a;
	int n = MIN(img->opts.slots, ss->n_wanted), partitions = peer->stub->opts.partitions, got = 0;

	n = MIN(n, MAX(ss->max_bytes / (int)img->records_len, 1));
	slots = arena_new(&peer->stub->arena, struct image_slot, n);
	for (int i = 0; got < n; i++) {
		int p = (ss->turn + i) % partitions;

		if (!ss->wanted[p])
			continue;
		slots[got++] = (struct image_slot){ p, ss->offsets[p] };
		if (got == n)
			ss->turn = (p + 1) % partitions;
	}
	CHECK(peer->file_left == 0);
	a = answer_for(peer, n, STUB_END);
	peer->file = img->fd;
	peer->file_left = image_response(img, &a, slots, &peer->file_at);
	ss->held = false;
	stub_count(&peer->stub->shared->source_bytes, (uint64_t)n * img->records_len);
	stub_count(&peer->stub->shared->source_fetches, 1);
}

/* ---- at a rate ---- */

static uint64_t made_in(const struct stub *s, int partition)
{
	uint64_t n = (uint64_t)s->opts.partitions;

	return (s->n_made + n - 1 - (uint64_t)partition) / n;
}

static uint64_t waiting(const struct peer *peer, int p)
{
	uint64_t end = made_in(peer->stub, p), at = (uint64_t)peer->session.offsets[p];

	return peer->session.wanted[p] && at < end ? MIN(end - at, (uint64_t)BATCHES_MAX) : 0;
}

static uint8_t *put_record(const struct stub *s, uint8_t *p, int partition, uint64_t offset)
{
	uint64_t g = offset * (uint64_t)s->opts.partitions + (uint64_t)partition;

	if (g + STUB_STAMPS < s->n_made)
		bench_die("stub: the worker is %llu records behind", (unsigned long long)(s->n_made - g));
	memcpy(p, s->record, s->record_len);
	put_be(p, offset, 8);
	memcpy(p + s->record_len - 9, &s->stamps[g % STUB_STAMPS], 8);
	put_be(p + CRC_AT, crc32c(0, p + ATTRIBUTES_AT, s->record_len - ATTRIBUTES_AT), 4);
	return p + s->record_len;
}

static bool answer_records(struct peer *peer)
{
	struct stub *s = peer->stub;
	size_t size = IMAGE_HEAD_ROOM;
	struct image_answer a = answer_for(peer, 0, 0);
	uint8_t *start, *p;

	for (int i = 0; i < s->opts.partitions; i++) {
		a.n += waiting(peer, i) > 0;
		size += 64 + waiting(peer, i) * s->record_len;
	}
	if (a.n == 0)
		return false;
	start = peer_room(peer, size);
	p = put_fetch_head(start, &a, 0);
	for (int i = 0; i < s->opts.partitions; i++) {
		struct image_slot slot = { i, peer->session.offsets[i] };
		uint64_t n = waiting(peer, i);

		if (n == 0)
			continue;
		p = put_fetch_entry(p, &slot, (int64_t)made_in(s, i), (uint32_t)n * s->record_len);
		for (uint64_t k = 0; k < n; k++)
			p = put_record(s, p, i, (uint64_t)slot.offset + k);
		*p++ = 0;
	}
	p = put_be(p, 0, 2);
	put_be(start, (uint64_t)(p - start) - 4, 4);
	peer->out_end += (size_t)(p - start);
	peer->session.held = false;
	return true;
}

void source_produce(struct stub *s, uint64_t now_ns)
{
	uint64_t due = (now_ns - s->made_since_ns) * (uint64_t)s->opts.rate / 1000000000;

	for (; s->n_made < due; s->n_made++)
		s->stamps[s->n_made % STUB_STAMPS] = bench_now_ns();
}

/* ---- raw: the same bytes without end, or stamped messages ---- */

static void raw_messages(struct peer *peer)
{
	struct stub *s = peer->stub;
	uint64_t *sent = (uint64_t *)&peer->session.deadline_ns;

	if (*sent == 0)
		*sent = s->n_made;
	for (; *sent < s->n_made; ++*sent) {
		uint8_t *p = peer_room(peer, s->record_len);

		memcpy(p, s->record, s->record_len);
		memcpy(p + s->record_len - 9, &s->stamps[*sent % STUB_STAMPS], 8);
		peer->out_end += s->record_len;
	}
	peer_flush(peer);
}

static void raw_stream(struct peer *peer)
{
	while (!peer->wants_out) {
		if (peer->file_left == 0) {
			peer->file = peer->image.fd;
			peer->file_at = 0;
			peer->file_left = (size_t)peer->image.stride * IMAGE_COPIES;
		}
		peer_flush(peer);
	}
}

/* ---- the loop's side ---- */

void source_tick(struct peer *peer, uint64_t now_ns)
{
	struct stub *s = peer->stub;

	if (s->opts.mode == STUB_RAW) {
		if (s->opts.rate > 0)
			raw_messages(peer);
		else
			raw_stream(peer);
		return;
	}
	if (!peer->session.held)
		return;
	if (s->opts.rate == 0 && peer->session.n_wanted > 0)
		answer_image(peer);
	else if ((s->opts.rate == 0 || !answer_records(peer)) && now_ns >= peer->session.deadline_ns)
		answer_nothing(peer);
	arena_reset(&s->arena);
	peer_flush(peer);
}

static void source_request(struct peer *peer, const uint8_t *frame, size_t len)
{
	struct request_header h;
	struct reader r;
	struct fetch_request *req;

	if (!request_header_decode(frame, len, &h, &r))
		bench_die("stub: a request without a header");
	if (h.api_key != FETCH_KEY) {
		admin_request(peer, &h, &r);
		peer_flush(peer);
		return;
	}
	req = arena_alloc(&peer->stub->arena, sizeof(*req));
	if (!msg_decode(&fetch_request_desc, h.api_version, true, &r, &peer->stub->arena, req))
		bench_die("stub: a Fetch v%d request that cannot be read", h.api_version);
	if (peer->image.map == NULL && peer->stub->opts.rate == 0)
		image_make(&peer->image, &peer->stub->opts.image);
	peer->session.version = h.api_version;
	peer->session.correlation_id = h.correlation_id;
	take_fetch(peer, req);
	peer->session.held = true;
	source_tick(peer, bench_now_ns());
}

void source_input(struct peer *peer)
{
	for (;;) {
		const uint8_t *p = peer->in + peer->in_at;
		size_t have = peer->in_end - peer->in_at, len;

		if (have < 4)
			return;
		len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		if (have < 4 + len)
			return;
		peer->in_at += 4 + len;
		source_request(peer, p + 4, len);
	}
}
