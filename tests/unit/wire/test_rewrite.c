/* SPDX-License-Identifier: Apache-2.0 */
#include "make_batch.h"
#include "test_wire.h"

#include "base/mem.h"
#include "wire/batch_impl.h"
#include "wire/rewrite.h"

enum { N = 400, RUN_MAX = 1 << 20 };

/* What a test expects of a batch, and what the rewriter is given. */
struct fixture {
	struct arena arena;
	struct rewriter *rw;
	struct record_reader *rr;
	struct made_record records[N];
	struct made_batch m;
};

static struct fixture *fixture_create(void)
{
	static const struct record_limits limits = { 32 << 20, 256 << 20 };
	struct fixture *f = xcalloc(1, sizeof(*f));

	arena_init(&f->arena, 0);
	f->rw = rewriter_create(&limits);
	f->rr = record_reader_create(&limits);
	return f;
}

static void fixture_destroy(struct fixture *f)
{
	rewriter_destroy(f->rw);
	record_reader_destroy(f->rr);
	arena_fini(&f->arena);
	xfree(f);
}

/* n records from offset `from` on, of which those are left out where `hole` says so. */
static void fill(struct fixture *f, enum codec codec, int64_t from, int n, int hole)
{
	f->m = (struct made_batch){ .codec = codec, .records = f->records, .base_offset = from, .last_delta = n - 1,
				    .base_timestamp = 1700000000000, .max_timestamp = 1700000000999, .epoch = 4 };
	for (int i = 0; i < n; i++)
		if (hole == 0 || i % hole != hole - 1)
			f->records[f->m.n++] = made_record(from + i, (size_t)(i % 50) * 10, &f->arena);
	f->m.count = f->m.n;
}

static bool same_bytes(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len <= 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}

static void same_record(const struct record_view *v, const struct made_record *r, int64_t timestamp, bool headers)
{
	struct reader h = { .p = v->headers.data, .end = v->headers.data + MAX(v->headers.len, 0) };
	struct bytes value;
	struct str key;

	ck_assert_msg(v->offset == r->offset, "offset %lld, wanted %lld", (long long)v->offset, (long long)r->offset);
	ck_assert_int_eq(v->timestamp, timestamp);
	ck_assert(same_bytes(v->key, r->key) && same_bytes(v->value, r->value));
	ck_assert_int_eq(v->n_headers, r->header && headers);
	if (v->n_headers == 1)
		ck_assert(record_header_next(&h, &key, &value) == BATCH_OK && str_is(key, "h") && same_bytes(value, r->key));
}

/* Runs the rewriter to the end over inputs; the runs' records, read back, must be those of the fixture from `first` on,
 * with the timestamps that stamp() says, and each run without a hole. Gives the number of runs. */
struct check {
	const struct batch_header *batches;
	int n;
	int64_t first;
	size_t budget;
	uint32_t size_max;
	int64_t timestamp;              /* of all; 0: their own */
	bool headers;
};

static int read_run(struct fixture *f, const struct rewrite_run *run, const struct check *c, int at)
{
	struct batch_header h = header_of((struct bytes){ run->data, (int32_t)run->len });
	size_t budget = SIZE_MAX;
	struct record_view v;

	ck_assert(batch_crc_ok(&h) && run->len <= c->size_max);
	ck_assert(h.magic == 2 && h.base_offset == run->first && h.base_offset + h.last_delta == run->last);
	ck_assert(h.count == h.last_delta + 1 && h.producer_id == -1 && h.max_timestamp == run->max_timestamp);
	ck_assert_int_eq(h.attributes, f->m.codec);
	ck_assert_int_eq(h.leader_epoch, c->batches[0].leader_epoch);
	record_reader_open(f->rr, &h);
	for (int64_t offset = h.base_offset; record_reader_next(f->rr, &v, &budget) == RECORD_OK; offset++) {
		ck_assert_int_eq(v.offset, offset);
		ck_assert(at < f->m.n && v.timestamp <= run->max_timestamp);
		same_record(&v, &f->records[at], c->timestamp != 0 ? c->timestamp : f->records[at].timestamp, c->headers);
		at++;
	}
	ck_assert(record_reader_next(f->rr, &v, &budget) == RECORD_END);
	return at;
}

static int rewrite(struct fixture *f, const struct check *c)
{
	const struct rewrite_input input = { c->batches, c->n, c->first, c->size_max, 0 };
	int at = 0, runs = 0;

	while (at < f->m.n && f->records[at].offset < c->first)
		at++;
	rewriter_begin(f->rw, &input);
	for (;;) {
		enum rewrite_result result = rewriter_step(f->rw, c->budget);

		if (result == REWRITE_RUN) {
			at = read_run(f, rewriter_run(f->rw), c, at);
			runs++;
		} else if (result == REWRITE_END) {
			break;
		} else {
			ck_assert_msg(result == REWRITE_AGAIN, "%s at %lld", fault_text(rewriter_fault(f->rw)->kind),
				      (long long)rewriter_fault(f->rw)->offset);
		}
	}
	ck_assert_int_eq(at, f->m.n);
	return runs;
}

static int rewrite_one(struct fixture *f, struct bytes b, int64_t first, size_t budget)
{
	struct batch_header h = header_of(b);

	return rewrite(f, &(struct check){ .batches = &h, .n = 1, .first = first, .budget = budget, .size_max = RUN_MAX,
					   .headers = true });
}

START_TEST(a_batch_without_holes_becomes_one_run)
{
	struct fixture *f = fixture_create();

	fill(f, (enum codec)_i, 1000, N, 0);
	for (size_t budget = 1; budget < 1 << 20; budget *= 40)
		ck_assert_int_eq(rewrite_one(f, make_batch(&f->m, &f->arena), 0, budget), 1);
	fixture_destroy(f);
}
END_TEST

START_TEST(holes_part_the_runs)
{
	struct fixture *f = fixture_create();

	fill(f, (enum codec)_i, 1000, N, 10);
	ck_assert_int_eq(rewrite_one(f, make_batch(&f->m, &f->arena), 0, 5000), 40);
	fill(f, (enum codec)_i, 1000, N, 2);
	ck_assert_int_eq(rewrite_one(f, make_batch(&f->m, &f->arena), 0, SIZE_MAX), 200);
	fixture_destroy(f);
}
END_TEST

/* The lie is behind the last record of a batch that has forty runs; the batch before it is good. */
START_TEST(of_a_batch_that_lies_nothing_comes_out)
{
	struct fixture *f = fixture_create();
	struct batch_header h[2];
	enum rewrite_result result;
	int runs = 0;

	fill(f, (enum codec)_i, 1000, N, 10);
	f->m.count++;
	h[1] = header_of(make_batch(&f->m, &f->arena));
	fill(f, (enum codec)_i, 100, 50, 0);
	h[0] = header_of(make_batch(&f->m, &f->arena));
	rewriter_begin(f->rw, &(struct rewrite_input){ h, 2, 0, RUN_MAX, 0 });
	while ((result = rewriter_step(f->rw, 3000)) == REWRITE_AGAIN || result == REWRITE_RUN)
		if (result == REWRITE_RUN) {
			runs++;
			ck_assert_int_eq(rewriter_run(f->rw)->last, 149);
		}
	ck_assert_int_eq(result, REWRITE_BAD);
	ck_assert_int_eq(runs, 1);
	ck_assert_int_eq(rewriter_fault(f->rw)->kind, FAULT_COUNT);
	fixture_destroy(f);
}
END_TEST

START_TEST(a_resume_in_the_middle_leaves_out_what_is_below)
{
	struct fixture *f = fixture_create();

	fill(f, (enum codec)_i, 1000, N, 0);
	for (int64_t first = 1001; first < 1000 + N; first += 133)
		ck_assert_int_eq(rewrite_one(f, make_batch(&f->m, &f->arena), first, 10000), 1);
	ck_assert_int_eq(rewrite_one(f, make_batch(&f->m, &f->arena), 1000 + N, 10000), 0);
	fixture_destroy(f);
}
END_TEST

START_TEST(log_append_time_is_everyones_timestamp)
{
	struct fixture *f = fixture_create();
	struct batch_header h;
	struct bytes b;

	fill(f, (enum codec)_i, 1000, N, 0);
	f->m.attributes = BATCH_LOG_APPEND_TIME;
	f->m.max_timestamp = 1800000000000;
	for (int round = 0; round < 2; round++) {
		b = make_batch(&f->m, &f->arena);
		h = header_of(b);
		ck_assert_int_eq(rewrite(f, &(struct check){ .batches = &h, .n = 1, .budget = 3000, .size_max = RUN_MAX,
							     .timestamp = 1800000000000, .headers = true }), 1);
		/* The second round: all deltas are 0, so only the header changes. */
		for (int i = 0; i < f->m.n; i++)
			f->records[i].timestamp = f->m.base_timestamp;
	}
	ck_assert_int_eq(rewriter_run(f->rw)->len, b.len);
	ck_assert(memcmp(rewriter_run(f->rw)->data + BATCH_HEADER_LEN, b.data + BATCH_HEADER_LEN,
			 (size_t)b.len - BATCH_HEADER_LEN) == 0);
	fixture_destroy(f);
}
END_TEST

START_TEST(neighbours_are_merged)
{
	struct fixture *f = fixture_create();
	struct batch_header h[40];

	fill(f, (enum codec)_i, 1000, N, 0);
	for (int i = 0; i < 40; i++) {
		struct made_batch part = f->m;

		part.records += i * 10;
		part.n = part.count = 10;
		part.base_offset += i * 10;
		part.last_delta = 9;
		part.base_timestamp = part.records[0].timestamp;
		h[i] = header_of(make_batch(&part, &f->arena));
	}
	ck_assert_int_eq(rewrite(f, &(struct check){ .batches = h, .n = 40, .budget = 3000, .size_max = RUN_MAX,
						     .headers = true }), 1);
	ck_assert_int_eq(rewriter_run(f->rw)->last, 1000 + N - 1);
	fixture_destroy(f);
}
END_TEST

START_TEST(runs_stay_below_the_largest_size)
{
	struct fixture *f = fixture_create();
	struct batch_header h;
	int runs;

	fill(f, (enum codec)_i, 1000, N, 0);
	h = header_of(make_batch(&f->m, &f->arena));
	runs = rewrite(f, &(struct check){ .batches = &h, .n = 1, .budget = 3000, .size_max = 20000, .headers = true });
	ck_assert_msg(runs > 1 && runs < 12, "%d runs", runs);
	/* A record alone may be larger than what is wanted, and comes alone. */
	rewriter_begin(f->rw, &(struct rewrite_input){ &h, 1, 0, RUN_MAX, 300 });
	for (runs = 0; rewriter_step(f->rw, SIZE_MAX) == REWRITE_RUN; runs++)
		ck_assert(rewriter_run(f->rw)->len <= 300 || rewriter_run(f->rw)->first == rewriter_run(f->rw)->last);
	ck_assert_msg(runs > 100 && runs <= N, "%d runs", runs);
	/* One record alone is too large. */
	rewriter_begin(f->rw, &(struct rewrite_input){ &h, 1, 1048, 300, 0 });
	ck_assert(rewriter_step(f->rw, SIZE_MAX) == REWRITE_LARGE);
	ck_assert(rewriter_fault(f->rw)->kind == FAULT_RUN_SIZE && rewriter_fault(f->rw)->offset == 1048);
	fixture_destroy(f);
}
END_TEST

START_TEST(old_messages_become_batches)
{
	struct fixture *f = fixture_create();
	int8_t magic = (int8_t)(_i / 4);
	enum codec codec = (enum codec)(_i % 4);
	struct reader r;
	struct bytes b;
	struct check c = { .budget = 3000, .size_max = RUN_MAX, .timestamp = magic == 0 ? -1 : 0 };
	struct batch_header h[N + 1];

	for (int hole = 0; hole < 8; hole += 7) {
		fill(f, codec, 1000, N, hole);
		b = make_messages(&f->m, magic, &f->arena);
		r = (struct reader){ .p = b.data, .end = b.data + b.len };
		c.batches = h;
		for (c.n = 0; batch_next(&r, &h[c.n]) == BATCH_OK; c.n++)
			;
		ck_assert_int_eq(c.n, codec == CODEC_NONE ? f->m.n : 1);
		ck_assert_int_eq(rewrite(f, &c), hole == 0 ? 1 : N / 7 + 1);
	}
	fixture_destroy(f);
}
END_TEST

TCase *rewrite_tests(void)
{
	TCase *tc = tcase_create("rewrite");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_batch_without_holes_becomes_one_run, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, holes_part_the_runs, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, of_a_batch_that_lies_nothing_comes_out, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, a_resume_in_the_middle_leaves_out_what_is_below, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, log_append_time_is_everyones_timestamp, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, neighbours_are_merged, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, runs_stay_below_the_largest_size, 0, CODEC_LAST + 1);
	tcase_add_loop_test(tc, old_messages_become_batches, 0, 8);
	return tc;
}
