/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a records field. Whatever is in it, the walk stays inside and ends, and a rewritten header parses as the same
 * batch with the stamp; where the old CRC held, the new one does. */
#include "fuzz.h"

#include "base/mem.h"
#include "wire/batch_impl.h"

static void walk_records(const struct batch_header *b)
{
	struct reader r, h;
	struct bytes value;
	struct record rec;
	struct str key;
	int32_t n = 0;

	for (batch_records(b, &r); record_next(&r, &rec) == BATCH_OK; n++) {
		CHECK(r.p <= r.end);
		h = (struct reader){ .p = rec.headers.data, .end = rec.headers.data + rec.headers.len };
		for (int32_t i = 0; i < rec.n_headers; i++)
			CHECK(record_header_next(&h, &key, &value) == BATCH_OK);
		CHECK(record_header_next(&h, &key, &value) == BATCH_END);
	}
	if (r.p == r.end && !r.failed && batch_deltas_ok(b))
		CHECK(n == b->count && b->count == b->last_delta + 1);
}

static void rewrite(const struct batch_header *b)
{
	const struct batch_stamp stamp = { (int64_t)1 << 62, 3, 77 };
	uint8_t *copy = xmalloc(b->size);
	struct batch_header now;
	struct reader r = { .p = copy, .end = copy + b->size };

	memcpy(copy, b->data, b->size);
	batch_rewrite(b->data, b->size - BATCH_HEADER_LEN, &stamp, copy);
	CHECK(batch_next(&r, &now) == BATCH_OK && now.size == b->size && now.base_offset == 0 && now.leader_epoch == -1);
	CHECK(now.producer_id == stamp.producer_id && now.producer_epoch == 3 && now.base_sequence == 77);
	CHECK(now.count == b->count && now.last_delta == b->last_delta && now.max_timestamp == b->max_timestamp);
	CHECK(batch_crc_ok(&now) == batch_crc_ok(b));
	xfree(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = { .p = data, .end = data + size };
	struct batch_header b;

	while (batch_next(&r, &b) == BATCH_OK) {
		CHECK(r.p > data && r.p <= r.end && b.data + b.size == r.p);
		if (b.magic != 2) {
			CHECK(!batch_crc_ok(&b));
			continue;
		}
		if ((b.attributes & BATCH_CODEC) == 0)
			walk_records(&b);
		rewrite(&b);
	}
	return 0;
}
