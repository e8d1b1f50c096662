/* SPDX-License-Identifier: Apache-2.0 */
/* Batches that lie: each is found, with kind and offset, within bounded memory and steps. */
#include "make_batch.h"
#include "test_wire.h"

#include "base/mem.h"
#include "wire/batch_impl.h"
#include "wire/rewrite.h"
#include "wire/varint.h"

#include <time.h>

enum { RECORDS = 20, PIECE_MAX = 8 << 20, UNPACKED_MAX = 64 << 20 };

static const struct record_limits limits = { PIECE_MAX, UNPACKED_MAX };

/* A batch of 20 records from offset 500 on; what is behind the header can be replaced. */
static struct bytes ordinary(enum codec codec, struct arena *arena)
{
	struct made_record records[RECORDS];
	struct made_batch m = { .codec = codec, .records = records, .n = RECORDS, .count = RECORDS, .base_offset = 500,
				.last_delta = RECORDS - 1, .base_timestamp = 1700000000000, .epoch = 1 };

	for (int i = 0; i < RECORDS; i++)
		records[i] = made_record(500 + i, 100, arena);
	return make_batch(&m, arena);
}

static struct bytes with_records(enum codec codec, struct bytes packed, int32_t count, struct arena *arena)
{
	struct batch_header h = { .magic = 2, .base_offset = 500, .attributes = (int16_t)codec, .last_delta = count - 1,
				  .producer_id = -1, .count = count };
	uint8_t *p = arena_alloc(arena, (size_t)packed.len + BATCH_HEADER_LEN);

	h.size = (uint32_t)packed.len + BATCH_HEADER_LEN;
	batch_put_header(p, &h);
	memcpy(p + BATCH_HEADER_LEN, packed.data, (size_t)packed.len);
	mend_crc(p, h.size);
	return (struct bytes){ p, (int32_t)h.size };
}

/* Through the rewriter with steps of 64 KiB: must end with this fault, and no step be long. */
static void expect(struct bytes b, enum rewrite_result want, enum fault_kind kind, int64_t offset)
{
	struct rewriter *rw = rewriter_create(&limits);
	struct batch_header h = header_of(b);
	enum rewrite_result result;
	size_t most = 0;

	rewriter_begin(rw, &(struct rewrite_input){ &h, 1, 0, INT32_MAX, 0 });
	do {
		result = rewriter_step(rw, 64 << 10);
		most = MAX(most, rewriter_memory(rw));
	} while (result == REWRITE_AGAIN || result == REWRITE_RUN);
	ck_assert_msg(result == want, "result %d, wanted %d (%s)", result, want, fault_text(rewriter_fault(rw)->kind));
	ck_assert_msg(rewriter_fault(rw)->kind == kind, "%s, wanted %s", fault_text(rewriter_fault(rw)->kind),
		      fault_text(kind));
	ck_assert_int_eq(rewriter_fault(rw)->offset, offset);
	ck_assert(rewriter_step(rw, 1) == want);  /* and it stays so */
	ck_assert_msg(most <= 4 * PIECE_MAX, "%zu bytes of memory", most);
	rewriter_destroy(rw);
}

static uint8_t *writable(struct bytes b)
{
	return (uint8_t *)(uintptr_t)b.data;
}

START_TEST(a_wrong_crc_is_found)
{
	struct arena arena;
	struct bytes b;

	arena_init(&arena, 0);
	b = ordinary((enum codec)_i, &arena);
	writable(b)[b.len - 1] ^= 1;
	expect(b, REWRITE_BAD, FAULT_CRC, 500);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_count_that_lies_is_found)
{
	static const struct { uint32_t count, last; int64_t offset; } cases[] = {
		{ RECORDS - 1, RECORDS - 1, 519 }, { RECORDS + 1, RECORDS, 520 }, { INT32_MAX, INT32_MAX - 1, 520 },
		{ 0, RECORDS - 1, 500 },
	};
	struct arena arena;

	arena_init(&arena, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes b = ordinary((enum codec)_i, &arena);

		put32(writable(b) + BATCH_COUNT, cases[i].count);
		put32(writable(b) + BATCH_LAST_DELTA, cases[i].last);
		mend_crc(writable(b), (size_t)b.len);
		expect(b, REWRITE_BAD, FAULT_COUNT, cases[i].offset);
	}
	arena_fini(&arena);
}
END_TEST

/* length, attributes, timestamp delta, offset delta, key null, value null, no headers */
static size_t put_small(uint8_t *p, int32_t len, int32_t delta, int32_t key_len, int32_t headers)
{
	uint8_t *at = varint_put(p, len);

	*at++ = 0;
	at = varint_put(at, 0);
	at = varint_put(at, delta);
	at = varint_put(at, key_len);
	at = varint_put(at, -1);
	at = varint_put(at, headers);
	return (size_t)(at - p);
}

START_TEST(records_that_lie_are_found)
{
	static const struct { int32_t len, delta, key_len, headers; enum fault_kind kind; } cases[] = {
		{ 6, -1, -1, 0, FAULT_OFFSET }, { 6, 0, -1, 0, FAULT_OFFSET },   /* below 0; twice the same */
		{ 6, 2, -1, 0, FAULT_OFFSET },                                   /* behind the last */
		{ 7, 1, -1, 0, FAULT_LENGTH }, { 5, 1, -1, 0, FAULT_LENGTH }, { -1, 1, -1, 0, FAULT_LENGTH },
		{ 6, 1, 5, 0, FAULT_LENGTH }, { 6, 1, -2, 0, FAULT_LENGTH }, { 6, 1, -1, 1, FAULT_LENGTH },
		{ 6, 1, -1, -1, FAULT_LENGTH },
	};
	enum codec codec = (enum codec)_i;
	struct arena arena;

	arena_init(&arena, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t plain[64];
		size_t n = put_small(plain, 6, 0, -1, 0);
		struct bytes packed;

		n += put_small(plain + n, cases[i].len, cases[i].delta, cases[i].key_len, cases[i].headers);
		packed = (struct bytes){ plain, (int32_t)n };
		if (codec != CODEC_NONE)
			packed = make_packed(codec, false, packed, &arena);
		expect(with_records(codec, packed, 2, &arena), REWRITE_BAD, cases[i].kind, 501);
	}
	arena_fini(&arena);
}
END_TEST

/* A record that says it has 2 GiB, and is followed by little. */
START_TEST(a_length_beyond_the_limit_is_not_believed)
{
	struct arena arena;
	uint8_t plain[64];
	struct bytes packed = { plain, 0 };
	enum codec codec = (enum codec)_i;

	arena_init(&arena, 0);
	packed.len = (int32_t)put_small(plain, INT32_MAX, 0, -1, 0);
	if (codec != CODEC_NONE)
		packed = make_packed(codec, false, packed, &arena);
	expect(with_records(codec, packed, 1, &arena), REWRITE_LARGE, FAULT_RECORD_SIZE, 500);
	packed = (struct bytes){ plain, (int32_t)put_small(plain, PIECE_MAX, 0, -1, 0) };
	if (codec != CODEC_NONE)
		packed = make_packed(codec, false, packed, &arena);
	expect(with_records(codec, packed, 1, &arena), REWRITE_BAD, FAULT_LENGTH, 500);
	arena_fini(&arena);
}
END_TEST

/* 256 MiB of small records, all alike: unpacks from little to above the limit, which stands for 4 GiB here. */
START_TEST(a_decompression_bomb_is_left_at_the_limit)
{
	enum codec codec = (enum codec)_i;
	enum { PIECE = 16384, N = 256 << 20 };
	struct packer *p = packer_create();
	struct window out = { 0 };
	struct arena arena;
	uint8_t *piece = xcalloc(1, PIECE);
	struct timespec before, after;

	arena_init(&arena, 0);
	packer_begin(p, codec, &out);
	for (int32_t delta = 0; delta < N / PIECE; delta++) {
		uint8_t *at = varint_put(piece, PIECE - 3);

		ck_assert_int_eq(at - piece, 3);
		*at++ = 0;
		at = varint_put(at, 0);
		at = varint_put(at, delta);
		at = varint_put(at, -1);
		at = varint_put(at, piece + PIECE - at - 3 - 1);
		piece[PIECE - 1] = 0;
		packer_write(p, piece, PIECE);
		memset(piece, 0, PIECE);
	}
	packer_end(p);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	expect(with_records(codec, (struct bytes){ out.data, (int32_t)out.end }, N / PIECE, &arena), REWRITE_LARGE,
	       FAULT_BATCH_SIZE, 500 + UNPACKED_MAX / PIECE);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	ck_assert_msg(after.tv_sec - before.tv_sec < 20, "%ld s", (long)(after.tv_sec - before.tv_sec));
	packer_destroy(p);
	xfree(out.data);
	xfree(piece);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_snappy_block_may_not_claim_what_it_cannot_hold)
{
	/* 4 GiB - 1 in a bare block; the same within xerial's framing; a block longer than the batch */
	static const uint8_t bare[] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'x' };
	static const uint8_t framed[] = { 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1,
					  0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'x' };
	static const uint8_t cut[] = { 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1,
				       0xff, 0xff, 0xff, 0xff, 1, 0, 'x' };
	struct arena arena;
	uint8_t *wide;

	arena_init(&arena, 0);
	expect(with_records(CODEC_SNAPPY, (struct bytes){ bare, sizeof(bare) }, 1, &arena), REWRITE_BAD,
	       FAULT_COMPRESSION, 500);
	expect(with_records(CODEC_SNAPPY, (struct bytes){ framed, sizeof(framed) }, 1, &arena), REWRITE_BAD,
	       FAULT_COMPRESSION, 500);
	expect(with_records(CODEC_SNAPPY, (struct bytes){ cut, sizeof(cut) }, 1, &arena), REWRITE_BAD,
	       FAULT_COMPRESSION, 500);
	/* What could be true and is beyond the limit. */
	wide = arena_alloc(&arena, 1 << 20);
	varint_put(wide, 5 << 20);      /* zig-zag doubles it: 10 MiB */
	expect(with_records(CODEC_SNAPPY, (struct bytes){ wide, 1 << 20 }, 1, &arena), REWRITE_LARGE, FAULT_RECORD_SIZE,
	       500);
	arena_fini(&arena);
}
END_TEST

START_TEST(broken_and_cut_compression_is_found)
{
	enum codec codec = (enum codec)_i;
	struct arena arena;
	struct bytes b, part;
	uint8_t *longer;

	arena_init(&arena, 0);
	b = ordinary(codec, &arena);
	for (int32_t cut = 1; cut < b.len - BATCH_HEADER_LEN; cut += 7) {
		struct batch_header h;
		struct record_reader *rr = record_reader_create(&limits);
		size_t budget = SIZE_MAX;
		struct record_view v;
		enum record_result result;

		part = with_records(codec, (struct bytes){ b.data + BATCH_HEADER_LEN, b.len - BATCH_HEADER_LEN - cut },
				    RECORDS, &arena);
		h = header_of(part);
		record_reader_open(rr, &h);
		while ((result = record_reader_next(rr, &v, &budget)) == RECORD_OK)
			;
		ck_assert_msg(result == RECORD_BAD, "cut by %d", cut);
		record_reader_destroy(rr);
	}
	/* Bytes behind the end. */
	longer = arena_alloc(&arena, (size_t)b.len);
	memcpy(longer, b.data + BATCH_HEADER_LEN, (size_t)b.len - BATCH_HEADER_LEN);
	part = with_records(codec, (struct bytes){ longer, b.len - BATCH_HEADER_LEN + 1 }, RECORDS, &arena);
	expect(part, REWRITE_BAD, FAULT_COMPRESSION, codec == CODEC_LZ4 ? 500 : 520);
	arena_fini(&arena);
}
END_TEST

START_TEST(old_messages_that_lie_are_found)
{
	struct made_record records[RECORDS];
	struct made_batch m = { .codec = CODEC_GZIP, .records = records, .n = RECORDS, .base_offset = 500,
				.last_delta = RECORDS - 1 };
	struct arena arena;
	struct bytes b;
	int8_t magic = (int8_t)_i;

	arena_init(&arena, 0);
	for (int i = 0; i < RECORDS; i++)
		records[i] = made_record(500 + i, 100, &arena);
	b = make_messages(&m, magic, &arena);
	writable(b)[b.len - 1] ^= 1;
	expect(b, REWRITE_BAD, FAULT_CRC, 519);
	b = make_messages(&m, magic, &arena);
	writable(b)[17] = CODEC_ZSTD;
	mend_crc(writable(b), (size_t)b.len);
	expect(b, REWRITE_BAD, FAULT_CODEC, 519);
	/* The wrapper's offset is below what its messages need. */
	m.last_delta = magic == 1 ? -490 : RECORDS - 2;
	b = make_messages(&m, magic, &arena);
	expect(b, REWRITE_BAD, FAULT_OFFSET, magic == 1 ? 10 : 519);
	/* The same offset twice. */
	m.last_delta = RECORDS - 1;
	records[7].offset--;
	expect(make_messages(&m, magic, &arena), REWRITE_BAD, FAULT_OFFSET, 507);
	arena_fini(&arena);
}
END_TEST

TCase *bad_batch_tests(void)
{
	TCase *tc = tcase_create("bad batch");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_wrong_crc_is_found, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, a_count_that_lies_is_found, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, records_that_lie_are_found, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, a_length_beyond_the_limit_is_not_believed, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, a_decompression_bomb_is_left_at_the_limit, 1, CODEC_LAST + 1);
	tcase_add_test(tc, a_snappy_block_may_not_claim_what_it_cannot_hold);
	tcase_add_loop_test(tc, broken_and_cut_compression_is_found, 1, CODEC_LAST + 1);
	tcase_add_loop_test(tc, old_messages_that_lie_are_found, 0, 2);
	return tc;
}
