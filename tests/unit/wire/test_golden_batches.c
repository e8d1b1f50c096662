/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of log segments that stock clients and real brokers wrote, in all formats and codecs: what the reader gives,
 * and what it gives of the rewriter's runs, is what a stock consumer read (the text beside each).
 * tests/golden/README.md says how they come there. */
#include "test_wire.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "wire/rewrite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCHES_MAX = 200, LONG = 64 };

static uint8_t *slurp(const char *name, const char *suffix, size_t *len)
{
	const char *src = getenv("top_srcdir");
	char *path = xasprintf("%s/tests/golden/batches/%s%s", src != NULL ? src : ".", name, suffix);
	FILE *f = fopen(path, "rb");
	uint8_t *data = xcalloc(1, (1 << 20) + 1);

	ck_assert_msg(f != NULL, "%s", path);
	*len = fread(data, 1, 1 << 20, f);
	fclose(f);
	xfree(path);
	return data;
}

static void put_hex(FILE *f, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%02x", data[i]);
}

static void put_bytes(FILE *f, struct bytes v)
{
	uint8_t digest[SHA256_LEN];

	if (v.len <= 0) {
		fputs(v.len < 0 ? "-" : "\"\"", f);
	} else if (v.len <= LONG) {
		put_hex(f, v.data, (size_t)v.len);
	} else {
		sha256(v.data, (size_t)v.len, digest);
		fprintf(f, "%d:", v.len);
		put_hex(f, digest, sizeof(digest));
	}
}

static void put_record(FILE *f, const struct record_view *v)
{
	struct reader h = { .p = v->headers.data, .end = v->headers.data + MAX(v->headers.len, 0) };
	struct bytes value;
	struct str key;

	fprintf(f, "%lld %lld ", (long long)v->offset, (long long)v->timestamp);
	put_bytes(f, v->key);
	fputc(' ', f);
	put_bytes(f, v->value);
	fputs(v->n_headers == 0 ? " ." : " ", f);
	for (int i = 0; i < v->n_headers; i++) {
		ck_assert(record_header_next(&h, &key, &value) == BATCH_OK);
		fputs(i > 0 ? "," : "", f);
		put_hex(f, (const uint8_t *)key.data, (size_t)key.len);
		fputc('=', f);
		put_bytes(f, value);
	}
	fputc('\n', f);
}

static void put_batch(FILE *f, struct record_reader *rr, const struct batch_header *b)
{
	enum record_result result;
	struct record_view v;
	size_t budget;

	record_reader_open(rr, b);
	do {
		budget = 1000;
		result = record_reader_next(rr, &v, &budget);
		if (result == RECORD_OK)
			put_record(f, &v);
	} while (result == RECORD_OK || result == RECORD_AGAIN);
	ck_assert_msg(result == RECORD_END, "%s at %lld", fault_text(record_reader_fault(rr)->kind),
		      (long long)record_reader_fault(rr)->offset);
}

/* The records of the runs, and nothing but v2, CreateTime and the codec that was. */
static void put_runs(FILE *f, struct record_reader *rr, struct rewriter *rw, const struct rewrite_input *input)
{
	enum rewrite_result result;
	struct batch_header h;
	struct reader r;

	rewriter_begin(rw, input);
	while ((result = rewriter_step(rw, 5000)) == REWRITE_AGAIN || result == REWRITE_RUN) {
		const struct rewrite_run *run = rewriter_run(rw);

		if (result == REWRITE_AGAIN)
			continue;
		r = (struct reader){ .p = run->data, .end = run->data + run->len };
		ck_assert(batch_next(&r, &h) == BATCH_OK && r.p == r.end && h.magic == 2 && batch_crc_ok(&h));
		ck_assert(h.count == h.last_delta + 1 && (h.attributes & ~BATCH_CODEC) == 0);
		ck_assert_int_eq(h.attributes, input->batches[0].attributes & BATCH_CODEC);
		put_batch(f, rr, &h);
	}
	ck_assert(result == REWRITE_END);
}

struct piece {
	struct batch_header batches[BATCHES_MAX + 1];
	int n;
};

static void split(struct piece *p, const uint8_t *data, size_t len)
{
	struct reader r = { .p = data, .end = data + len };

	for (p->n = 0; batch_next(&r, &p->batches[p->n]) == BATCH_OK; p->n++)
		ck_assert(p->n < BATCHES_MAX);
	ck_assert(r.p == r.end && p->n > 0);
}

/* How the batches of a piece are given: each read, each rewritten, all rewritten as neighbours. */
enum way { READ, REWRITE, MERGE };

static char *text_of(struct piece *p, enum way way, struct record_reader *rr, struct rewriter *rw)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (int i = 0; i < p->n && way != MERGE; i++) {
		const struct rewrite_input one = { &p->batches[i], 1, 0, 1 << 20, 0 };

		if (way == READ)
			put_batch(f, rr, &p->batches[i]);
		else
			put_runs(f, rr, rw, &one);
	}
	for (int i = 0, n; i < p->n && way == MERGE; i += n) {
		for (n = 1; i + n < p->n; n++)
			if ((p->batches[i].attributes ^ p->batches[i + n].attributes) & BATCH_CODEC)
				break;
		put_runs(f, rr, rw, &(struct rewrite_input){ &p->batches[i], n, 0, 1 << 20, 0 });
	}
	fclose(f);
	return text;
}

static void check_piece(const char *file)
{
	struct record_reader *rr = record_reader_create(&RECORD_LIMITS_DEFAULT);
	struct rewriter *rw = rewriter_create(&RECORD_LIMITS_DEFAULT);
	char *name = xstrndup(file, strlen(file) - 4);
	struct piece *p = xcalloc(1, sizeof(*p));
	size_t len, wanted_len;
	uint8_t *data = slurp(name, ".bin", &len);
	char *wanted = (char *)slurp(name, ".txt", &wanted_len);

	split(p, data, len);
	for (enum way way = READ; way <= MERGE; way++) {
		char *text = text_of(p, way, rr, rw);

		ck_assert_msg(strcmp(text, wanted) == 0, "%s, way %d:\n%s", name, way, text);
		free(text);
	}
	xfree(wanted);
	xfree(data);
	xfree(p);
	xfree(name);
	rewriter_destroy(rw);
	record_reader_destroy(rr);
}

START_TEST(batches_of_real_brokers_read_and_rewrite_as_a_stock_consumer_reads_them)
{
	const char *src = getenv("top_srcdir");
	char *path = xasprintf("%s/tests/golden/batches", src != NULL ? src : ".");
	DIR *dir = opendir(path);
	struct dirent *e;
	int n = 0;

	ck_assert_msg(dir != NULL, "%s", path);
	for (; (e = readdir(dir)) != NULL; n++) {
		size_t len = strlen(e->d_name);

		if (len > 4 && strcmp(e->d_name + len - 4, ".bin") == 0)
			check_piece(e->d_name);
	}
	ck_assert_msg(n >= 50, "%d files", n);
	closedir(dir);
	xfree(path);
}
END_TEST

TCase *golden_batches_tests(void)
{
	TCase *tc = tcase_create("golden batches");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, batches_of_real_brokers_read_and_rewrite_as_a_stock_consumer_reads_them);
	return tc;
}
