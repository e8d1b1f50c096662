/* SPDX-License-Identifier: Apache-2.0 */
/* Input that breaks the protocol: refused, and never read or written beyond its bounds (seen by the sanitizers). */
#include "test_wire.h"

#include "base/mem.h"
#include "wire/codec_impl.h"
#include "wire/msg/api_versions.h"
#include "wire/msg/describe_configs.h"
#include "wire/msg/metadata.h"

enum { ARENA_LIMIT = 4 << 20 };

/* Exactly sized, so that a sanitizer sees the first byte beyond. */
static bool decodes(const struct api_desc *api, int16_t version, bool request, const uint8_t *body, size_t len)
{
	const struct msg_desc *desc = request ? api->request : api->response;
	uint8_t *copy = xmalloc(len + 1), *start = copy + 1;
	struct reader r = { .p = start, .end = start + len };
	struct arena arena;
	char *text = NULL;
	void *msg;
	bool ok;

	memcpy(start, body, len);
	arena_init(&arena, ARENA_LIMIT);
	msg = xcalloc(1, desc->size);
	ok = msg_decode(desc, version, version >= api->flexible, &r, &arena, msg);
	ck_assert(r.p >= start && r.p <= r.end);
	if (ok && len < 4096)
		msg_print(desc, version, msg, &text);
	xfree(text);
	xfree(msg);
	xfree(copy);
	arena_fini(&arena);
	return ok;
}

/* A random message without the frame around it; NULL for an empty one. */
static const uint8_t *body(const struct api_desc *api, int16_t version, bool request, uint64_t *seed,
			   struct arena *arena, size_t *len)
{
	const struct msg_desc *desc = request ? api->request : api->response;
	void *msg = arena_alloc(arena, desc->size);
	struct writer w = { 0 };
	struct encoded e;
	uint8_t *frame;

	random_msg(seed, desc, version, arena, msg);
	write_msg(&w, desc, version, version >= api->flexible, msg);
	ck_assert_int_eq(request ? request_encode(api, version, 1, "c", msg, arena, &e)
				 : response_encode(api, version, 1, msg, arena, &e), RC_OK);
	*len = w.len + w.spliced;
	frame = joined(&e, arena);
	return frame + e.len - *len;
}

static void truncate_all(const struct api_desc *api, int16_t version, bool request, void *arg)
{
	const uint8_t *data;
	struct arena arena;
	size_t len, step;

	arena_init(&arena, 0);
	data = body(api, version, request, arg, &arena, &len);
	step = len / 200 + 1;
	ck_assert(decodes(api, version, request, data, len));
	for (size_t n = 0; n < len; n += step)
		ck_assert_msg(!decodes(api, version, request, data, n), "%s %d cut at %zu of %zu", api->name, version, n, len);
	arena_fini(&arena);
}

START_TEST(a_truncated_message_is_refused)
{
	uint64_t seed = (uint64_t)_i + 100;

	each_message(truncate_all, &seed);
}
END_TEST

static void mutate(const struct api_desc *api, int16_t version, bool request, void *arg)
{
	static const uint8_t nasty[] = { 0, 1, 0x7f, 0x80, 0xfe, 0xff };
	uint64_t *seed = arg;
	struct arena arena;
	size_t len;

	arena_init(&arena, 0);
	for (int round = 0; round < 12; round++) {
		const uint8_t *data = body(api, version, request, seed, &arena, &len);
		uint8_t *bad = arena_alloc(&arena, len + 1);

		memcpy(bad, data, len);
		for (uint32_t n = 1 + rnd_below(seed, 5); n > 0 && len > 0; n--) {
			size_t at = rnd_below(seed, (uint32_t)MIN(len, 400));

			bad[at] = rnd_below(seed, 2) ? nasty[rnd_below(seed, ARRAY_LEN(nasty))] : (uint8_t)rnd(seed);
		}
		(void)decodes(api, version, request, bad, len);
		arena_reset(&arena);
	}
	arena_fini(&arena);
}

START_TEST(a_mutated_message_is_harmless)
{
	uint64_t seed = (uint64_t)_i + 200;

	each_message(mutate, &seed);
}
END_TEST

static void noise(const struct api_desc *api, int16_t version, bool request, void *arg)
{
	uint8_t data[300];

	for (int round = 0; round < 10; round++) {
		size_t len = rnd_below(arg, sizeof(data));

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(rnd_below(arg, 3) ? rnd_below(arg, 4) : rnd(arg));
		(void)decodes(api, version, request, data, len);
	}
}

START_TEST(noise_is_harmless)
{
	uint64_t seed = (uint64_t)_i + 300;

	each_message(noise, &seed);
}
END_TEST

START_TEST(counts_beyond_the_input_are_refused)
{
	/* Metadata 0 request: a count of topics and nothing, or too little, behind it. */
	static const uint8_t huge[] = { 0x7f, 0xff, 0xff, 0xff }, below[] = { 0xff, 0xff, 0xff, 0xfe },
			     two[] = { 0, 0, 0, 2, 0, 0, 0 }, null[] = { 0xff, 0xff, 0xff, 0xff };

	ck_assert(!decodes(&metadata_api, 0, true, huge, 4));
	ck_assert(!decodes(&metadata_api, 0, true, below, 4));
	ck_assert(!decodes(&metadata_api, 0, true, two, 7));
	ck_assert(!decodes(&metadata_api, 0, true, null, 4));
	ck_assert(decodes(&metadata_api, 3, true, null, 4));
	ck_assert(!decodes(&metadata_api, 4, true, null, 4));   /* one more field is wanted */
}
END_TEST

START_TEST(an_array_that_may_be_null_has_no_null_elements)
{
	/* DescribeConfigs 1 request: one resource, type 2, name "a", two keys of which the second is null; no synonyms. */
	static const uint8_t keys[] = { 0, 0, 0, 1, 2, 0, 1, 'a', 0, 0, 0, 2, 0, 1, 'k', 0xff, 0xff, 0 };
	static const uint8_t none[] = { 0, 0, 0, 1, 2, 0, 1, 'a', 0xff, 0xff, 0xff, 0xff, 0 };

	ck_assert(!decodes(&describe_configs_api, 1, true, keys, sizeof(keys)));
	ck_assert(decodes(&describe_configs_api, 1, true, none, sizeof(none)));
}
END_TEST

START_TEST(the_arena_bounds_what_a_count_may_blow_up_to)
{
	enum { N = 1 << 20 };
	uint8_t *data = xcalloc(1, N + 16);
	struct reader r = { .p = data, .end = data + N + 16 };
	struct metadata_request req = { 0 };
	struct arena arena;

	data[1] = 0x08;   /* 2^19 topics of two bytes each */
	arena_init(&arena, 1 << 20);
	ck_assert(!msg_decode(metadata_api.request, 0, false, &r, &arena, &req));
	ck_assert(req.topics.n == 0);
	arena_fini(&arena);
	xfree(data);
}
END_TEST

static bool tags_decode(const uint8_t *tags, size_t n, uint32_t *unknown)
{
	uint8_t data[64] = { 0, 0, 1, 0, 0, 0, 0 };   /* no error, no APIs, no throttle */
	struct reader r = { .p = data, .end = data + 7 + n };
	struct api_versions_response res = { 0 };
	struct arena arena;
	bool ok;

	memcpy(data + 7, tags, n);
	arena_init(&arena, 0);
	ok = msg_decode(api_versions_api.response, 3, true, &r, &arena, &res);
	*unknown = r.unknown_tags;
	arena_fini(&arena);
	return ok && r.p == r.end;
}

START_TEST(tags_are_sorted_sized_and_skipped_when_unknown)
{
	static const struct { uint8_t bytes[24]; size_t n; bool ok; uint32_t unknown; } cases[] = {
		{ { 0 }, 1, true, 0 },
		{ { 1, 9, 2, 0xaa, 0xbb }, 5, true, 1 },
		{ { 2, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5, 3, 1, 1 }, 14, true, 0 },
		{ { 2, 3, 1, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5 }, 14, false, 0 },   /* unsorted */
		{ { 2, 3, 1, 1, 3, 1, 1 }, 7, false, 0 },                         /* twice */
		{ { 1, 3, 2, 1, 1 }, 5, false, 0 },                               /* longer than its value */
		{ { 1, 1, 4, 0, 0, 0, 0 }, 7, false, 0 },                         /* shorter */
		{ { 1, 9, 9, 0 }, 4, false, 0 },                                  /* beyond the end */
		{ { 0xff, 0xff, 0xff, 0xff, 0x0f }, 5, false, 0 },
		{ { 0xff, 0xff, 0xff, 0xff, 0x1f }, 5, false, 0 },                /* a varint of 33 bits */
		{ { 0x80, 0x80, 0x80, 0x80, 0x80, 0 }, 6, false, 0 },             /* of six bytes */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t unknown = 0;
		bool ok = tags_decode(cases[i].bytes, cases[i].n, &unknown);

		ck_assert_msg(ok == cases[i].ok, "case %zu", i);
		if (ok)
			ck_assert_uint_eq(unknown, cases[i].unknown);
	}
}
END_TEST

TCase *hostile_tests(void)
{
	TCase *tc = tcase_create("hostile");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_truncated_message_is_refused, 0, 3);
	tcase_add_loop_test(tc, a_mutated_message_is_harmless, 0, 10);
	tcase_add_loop_test(tc, noise_is_harmless, 0, 5);
	tcase_add_test(tc, counts_beyond_the_input_are_refused);
	tcase_add_test(tc, an_array_that_may_be_null_has_no_null_elements);
	tcase_add_test(tc, the_arena_bounds_what_a_count_may_blow_up_to);
	tcase_add_test(tc, tags_are_sorted_sized_and_skipped_when_unknown);
	return tc;
}
