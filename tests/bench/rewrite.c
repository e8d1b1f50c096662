/* SPDX-License-Identifier: Apache-2.0 */
/* CPU per GiB of unpacked records, per codec: reading, rewriting (LogAppendTime), and merging small batches.
 *
 *   bench_rewrite [MIB]      how much to unpack per figure; 256 by default
 *
 * Records of 200 bytes that pack about as well as JSON does. */
#include "base/crc32c.h"
#include "base/mem.h"
#include "wire/batch_impl.h"
#include "wire/compress.h"
#include "wire/rewrite.h"

#include <time.h>

enum { VALUE = 180, PER_BATCH = 320, SMALL = 5, MERGED = 64 };

static size_t total = 256u << 20;

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A batch of n records that are not compressed, from offset `base` on. */
static struct batch_header plain(struct arena *arena, int64_t base, int n)
{
	static const char *const words[] = { "\"customer\":", "\"amount\":", "\"currency\":\"EUR\",", "\"state\":\"open\"," };
	struct batch_record *records = arena_alloc(arena, (size_t)n * sizeof(*records));
	struct batch_draft draft = { .records = records, .n = n, .timestamp = 1700000000000, .stamp = { -1, -1, -1 } };
	struct batch_header h;
	struct bytes b;
	struct reader r;

	for (int i = 0; i < n; i++) {
		char *value = arena_alloc(arena, VALUE + 64);
		int len = 0;

		for (int k = 0; len < VALUE; k++)
			len += snprintf(value + len, 64, "%s%llu,", words[k % 4],
					(unsigned long long)((uint64_t)(base + i + 1) * 0x9e3779b97f4a7c15u >> (40 + k)));
		records[i] = (struct batch_record){ { (uint8_t *)value, 12 }, { (uint8_t *)value, len } };
	}
	b = batch_build(&draft, arena);
	r = (struct reader){ .p = b.data, .end = b.data + b.len };
	CHECK(batch_next(&r, &h) == BATCH_OK);
	h.base_offset = base;
	return h;
}

/* The same with a codec. */
static struct batch_header packed(struct arena *arena, const struct batch_header *b, int codec)
{
	struct packer *p = packer_create();
	struct window out = { 0 };
	struct batch_header h = *b;
	uint8_t *data;

	window_room(&out, BATCH_HEADER_LEN);
	out.end = BATCH_HEADER_LEN;
	packer_begin(p, (enum codec)codec, &out);
	packer_write(p, b->data + BATCH_HEADER_LEN, b->size - BATCH_HEADER_LEN);
	packer_end(p);
	data = arena_alloc(arena, out.end);
	memcpy(data, out.data, out.end);
	h.size = (uint32_t)out.end;
	h.attributes = (int16_t)codec;
	h.data = data;
	batch_put_header(data, &h);
	h.crc = crc32c(0, data + BATCH_ATTRIBUTES, h.size - BATCH_ATTRIBUTES);
	batch_put_header(data, &h);
	xfree(out.data);
	packer_destroy(p);
	return h;
}

static void read_all(struct record_reader *rr, const struct batch_header *b)
{
	enum record_result result;
	struct record_view v;
	size_t budget = SIZE_MAX;

	record_reader_open(rr, b);
	while ((result = record_reader_next(rr, &v, &budget)) == RECORD_OK)
		;
	CHECK(result == RECORD_END);
}

static size_t rewrite_all(struct rewriter *rw, const struct batch_header *b, int n)
{
	const struct rewrite_input input = { b, n, 0, 1 << 20, 0 };
	enum rewrite_result result;
	size_t out = 0;

	rewriter_begin(rw, &input);
	while ((result = rewriter_step(rw, 1 << 20)) != REWRITE_END) {
		CHECK(result == REWRITE_RUN || result == REWRITE_AGAIN);
		if (result == REWRITE_RUN)
			out += rewriter_run(rw)->len;
	}
	return out;
}

static double per_gib(double seconds, size_t bytes)
{
	return seconds * (double)(1u << 30) / (double)bytes;
}

static void bench(int codec)
{
	struct record_reader *rr = record_reader_create(&RECORD_LIMITS_DEFAULT);
	struct rewriter *rw = rewriter_create(&RECORD_LIMITS_DEFAULT);
	struct batch_header raw, b, small[MERGED];
	double at, read, rewrite, merge;
	size_t rounds, merged = 0, n;
	struct arena arena;

	arena_init(&arena, 0);
	raw = plain(&arena, 0, PER_BATCH);
	b = packed(&arena, &raw, codec);
	rounds = total / raw.size + 1;
	at = cpu_s();
	for (size_t i = 0; i < rounds; i++)
		read_all(rr, &b);
	read = per_gib(cpu_s() - at, rounds * raw.size);
	at = cpu_s();
	for (size_t i = 0; i < rounds; i++)
		rewrite_all(rw, &b, 1);
	rewrite = per_gib(cpu_s() - at, rounds * raw.size);
	for (int i = 0; i < MERGED; i++) {
		struct batch_header one = plain(&arena, (int64_t)i * SMALL, SMALL);

		merged += one.size;
		small[i] = packed(&arena, &one, codec);
	}
	n = total / merged + 1;
	at = cpu_s();
	for (size_t i = 0; i < n; i++)
		rewrite_all(rw, small, MERGED);
	merge = per_gib(cpu_s() - at, n * merged);
	printf("%-7s %6.1f %8.2f %8.2f %8.2f %12.0f\n", codec_name(codec), (double)raw.size / b.size, read, rewrite, merge,
	       merge / (double)(1u << 30) * (double)(merged / MERGED) * 1e9);
	arena_fini(&arena);
	rewriter_destroy(rw);
	record_reader_destroy(rr);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		total = (size_t)strtoul(argv[1], NULL, 10) << 20;
	printf("CPU seconds per GiB unpacked: batches of %d records; merging %d batches of %d records\n", PER_BATCH, MERGED,
	       SMALL);
	printf("%-7s %6s %8s %8s %8s %12s\n", "codec", "ratio", "read", "rewrite", "merge", "ns a batch");
	for (int codec = CODEC_NONE; codec <= CODEC_LAST; codec++)
		bench(codec);
	return 0;
}
