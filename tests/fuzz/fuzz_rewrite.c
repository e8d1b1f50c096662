/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a records field; a byte in its middle is taken as settings too. The CRCs of its batches are set right first, so
 * that what lies deeper is reached. Whatever is in it: reader and rewriter end, stay within their memory, and agree: the
 * records of the runs are those that the reader gave of the batch, as far as it gave any. */
#include "fuzz.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "wire/batch_impl.h"
#include "wire/compress.h"
#include "wire/rewrite.h"

#include <zlib.h>

enum { PIECE_MAX = 1 << 20, UNPACKED_MAX = 4 << 20, SIZE_MAX_ = 256 << 10, STEP = 1000 };

static const struct record_limits limits = { PIECE_MAX, UNPACKED_MAX };

/* The objects are kept over inputs, as the worker keeps them. */
static struct record_reader *reader(int which)
{
	static struct record_reader *rr[2];

	if (rr[which] == NULL)
		rr[which] = record_reader_create(&limits);
	return rr[which];
}

static struct rewriter *rewriter(void)
{
	static struct rewriter *rw;

	if (rw == NULL)
		rw = rewriter_create(&limits);
	return rw;
}

static enum record_result next(struct record_reader *rr, struct record_view *v)
{
	enum record_result result;
	size_t budget;

	do {
		budget = STEP;
		result = record_reader_next(rr, v, &budget);
	} while (result == RECORD_AGAIN);
	CHECK(record_reader_memory(rr) <= 4 * PIECE_MAX);
	return result;
}

static bool same(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len <= 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}

/* The run's records are the next of those that `expected` stands at, from `first` on. */
static void compare(const struct rewrite_run *run, struct record_reader *expected, int64_t first)
{
	struct reader r = { .p = run->data, .end = run->data + run->len };
	struct batch_header h;
	struct record_view a, b;
	int64_t offset = run->first;

	CHECK(batch_next(&r, &h) == BATCH_OK && r.p == r.end && batch_crc_ok(&h) && run->len <= SIZE_MAX_);
	CHECK(h.base_offset == run->first && run->first >= first && h.base_offset + h.last_delta == run->last);
	record_reader_open(reader(1), &h);
	for (; next(reader(1), &a) == RECORD_OK; offset++) {
		do
			CHECK(next(expected, &b) == RECORD_OK);
		while (b.offset < first);
		CHECK(a.offset == offset && b.offset == offset && a.timestamp == b.timestamp);
		CHECK(same(a.key, b.key) && same(a.value, b.value) && a.n_headers == b.n_headers);
		CHECK(a.n_headers == 0 || same(a.headers, b.headers));
	}
	CHECK(offset == run->last + 1 && record_reader_fault(reader(1))->kind == FAULT_NONE);
}

static void rewrite(const struct batch_header *b, int64_t first, size_t step)
{
	const struct rewrite_input input = { b, 1, first, SIZE_MAX_, 0 };
	enum rewrite_result result;
	struct record_view v;

	record_reader_open(reader(0), b);
	rewriter_begin(rewriter(), &input);
	do {
		result = rewriter_step(rewriter(), step);
		CHECK(rewriter_memory(rewriter()) <= 8 * PIECE_MAX);
		if (result == REWRITE_RUN)
			compare(rewriter_run(rewriter()), reader(0), first);
	} while (result == REWRITE_AGAIN || result == REWRITE_RUN);
	if (result == REWRITE_END) {
		while (next(reader(0), &v) == RECORD_OK)
			CHECK(v.offset < first);
		CHECK(record_reader_fault(reader(0))->kind == FAULT_NONE);
	} else {
		CHECK(rewriter_fault(rewriter())->kind != FAULT_NONE);
	}
	rewriter_end(rewriter());
	record_reader_close(reader(0));
	record_reader_close(reader(1));
}

static void mend(uint8_t *p, const struct batch_header *b)
{
	if (b->magic == 2)
		put32(p + BATCH_CRC, crc32c(0, p + BATCH_ATTRIBUTES, b->size - BATCH_ATTRIBUTES));
	else
		put32(p + 12, (uint32_t)crc32_z(0, p + 16, b->size - 16));
}

/* The same records packed with a codec, so that what a mutation made of them is met behind every unpacker. */
static void packed(const struct batch_header *b, enum codec codec, int64_t first, size_t step)
{
	static struct packer *packer;
	struct window out = { 0 };
	struct batch_header h = *b;

	if (b->magic != 2 || (b->attributes & BATCH_CODEC) != 0 || b->count == 0 || codec == CODEC_NONE)
		return;
	if (packer == NULL)
		packer = packer_create();
	window_room(&out, BATCH_HEADER_LEN);
	out.end = BATCH_HEADER_LEN;
	packer_begin(packer, codec, &out);
	packer_write(packer, b->data + BATCH_HEADER_LEN, b->size - BATCH_HEADER_LEN);
	packer_end(packer);
	h.data = out.data;
	h.size = (uint32_t)out.end;
	h.attributes = (int16_t)(h.attributes | (int)codec);
	batch_put_header(out.data, &h);
	h.crc = crc32c(0, out.data + BATCH_ATTRIBUTES, h.size - BATCH_ATTRIBUTES);
	rewrite(&h, first, step);
	xfree(out.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct batch_header b;
	struct reader r;
	uint8_t settings = size > 0 ? data[size / 2] : 0, *copy = xmalloc(size + 1);

	memcpy(copy, data, size);
	for (r = (struct reader){ .p = copy, .end = copy + size }; batch_next(&r, &b) == BATCH_OK;)
		mend((uint8_t *)(uintptr_t)b.data, &b);
	for (r = (struct reader){ .p = copy, .end = copy + size }; batch_next(&r, &b) == BATCH_OK;) {
		int64_t first = (settings & 1) ? b.base_offset + b.last_delta / 2 : 0;
		size_t step = (settings & 2) ? 700 : 1 << 20;

		rewrite(&b, first, step);
		packed(&b, (enum codec)(settings >> 2) % (CODEC_LAST + 1), first, step);
	}
	xfree(copy);
	return 0;
}
