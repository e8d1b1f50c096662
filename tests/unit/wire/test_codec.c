/* SPDX-License-Identifier: Apache-2.0 */
#include "test_wire.h"

#include "base/mem.h"
#include "wire/codec_impl.h"
#include "wire/msg/api_versions.h"
#include "wire/msg/fetch.h"
#include "wire/msg/metadata.h"
#include "wire/msg/offset_fetch.h"
#include "wire/msg/produce.h"
#include "wire/msg/sasl_authenticate.h"

#include <errno.h>

static int encode(const struct api_desc *api, int16_t version, bool request, const void *msg, struct arena *arena,
		  struct encoded *out)
{
	return request ? request_encode(api, version, 0x01020304, "test", msg, arena, out)
		       : response_encode(api, version, 0x01020304, msg, arena, out);
}

/* Decodes a frame with its prefix; everything must be read. */
static void decode(const struct api_desc *api, int16_t version, const uint8_t *frame, size_t len, struct arena *arena,
		   void *request, void *response)
{
	struct request_header h;
	int32_t correlation;
	struct reader r;

	ck_assert_uint_eq(get32(frame), len - 4);
	if (response != NULL) {
		ck_assert(response_decode(api, version, frame + 4, len - 4, arena, &correlation, response));
		ck_assert_int_eq(correlation, 0x01020304);
		return;
	}
	ck_assert(request_header_decode(frame + 4, len - 4, &h, &r));
	ck_assert(h.api_key == api->key && h.api_version == version && h.correlation_id == 0x01020304);
	ck_assert(str_is(h.client_id, "test"));
	ck_assert(msg_decode(api->request, version, version >= api->flexible, &r, arena, request));
	ck_assert(r.p == r.end && r.unknown_tags == 0);
}

static void round_trip(const struct api_desc *api, int16_t version, bool request, void *arg)
{
	const struct msg_desc *desc = request ? api->request : api->response;
	uint64_t seed = *(uint64_t *)arg ^ (uint64_t)(api->key * 64 + version);
	struct encoded a, b;
	struct arena arena;
	uint8_t *frame;
	void *msg, *got;

	arena_init(&arena, 0);
	msg = arena_alloc(&arena, desc->size);
	got = arena_alloc(&arena, desc->size);
	msg_default(desc, msg);
	if (seed >> 32 != 0)
		random_msg(&seed, desc, version, &arena, msg);
	ck_assert_msg(encode(api, version, request, msg, &arena, &a) == RC_OK, "%s %d", api->name, version);
	frame = joined(&a, &arena);
	decode(api, version, frame, a.len, &arena, request ? got : NULL, request ? NULL : got);
	ck_assert_int_eq(encode(api, version, request, got, &arena, &b), RC_OK);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_msg(memcmp(frame, joined(&b, &arena), a.len) == 0, "%s %d", api->name, version);
	arena_fini(&arena);
}

START_TEST(defaults_round_trip_at_every_version)
{
	uint64_t seed = 0;

	each_message(round_trip, &seed);
}
END_TEST

START_TEST(random_contents_round_trip_at_every_version)
{
	uint64_t seed = ((uint64_t)_i + 1) << 32;

	each_message(round_trip, &seed);
}
END_TEST

START_TEST(apis_are_found_by_their_keys)
{
	int n;
	const struct api_desc *const *apis = api_table(&n);

	ck_assert_int_gt(n, 25);
	for (int i = 0; i < n; i++) {
		ck_assert_ptr_eq(api_find(apis[i]->key), apis[i]);
		ck_assert(apis[i]->table_min <= apis[i]->min && apis[i]->max <= apis[i]->table_max);
	}
	ck_assert_ptr_null(api_find(-1));
	ck_assert_ptr_null(api_find(5));
	ck_assert_ptr_null(api_find(INT16_MAX));
	ck_assert_ptr_eq(api_find(FETCH_KEY), &fetch_api);
}
END_TEST

START_TEST(a_known_frame_has_the_known_bytes)
{
	static const uint8_t expected[] = { 0, 0, 0, 19, 0, 18, 0, 3, 0, 0, 0, 9, 0, 1, 'k', 0, 4, 'a', 'p', 'p', 2, '1', 0 };
	struct api_versions_request req;
	struct encoded e;
	struct arena arena;

	arena_init(&arena, 0);
	api_versions_request_init(&req);
	req.client_software_name = str_of("app");
	req.client_software_version = str_of("1");
	ck_assert_int_eq(request_encode(&api_versions_api, 3, 9, "k", &req, &arena, &e), RC_OK);
	ck_assert_uint_eq(e.len, sizeof(expected));
	ck_assert_mem_eq(joined(&e, &arena), expected, sizeof(expected));
	arena_fini(&arena);
}
END_TEST

START_TEST(the_answer_to_api_versions_has_no_tags_in_its_header)
{
	struct api_versions_response res;
	struct encoded e;
	struct arena arena;

	arena_init(&arena, 0);
	api_versions_response_init(&res);
	res.error_code = 35;
	ck_assert_int_eq(response_encode(&api_versions_api, 3, 1, &res, &arena, &e), RC_OK);
	ck_assert_uint_eq(get16(joined(&e, &arena) + 8), 35);
	arena_fini(&arena);
}
END_TEST

START_TEST(large_records_are_spliced_and_small_ones_copied)
{
	static uint8_t data[1000];
	struct produce_partition parts[3];
	struct produce_topic topic;
	struct produce_request req;
	struct iovec iov[2] = { { data, 61 }, { data + 500, 400 } };
	struct encoded e;
	struct arena arena;

	arena_init(&arena, 0);
	produce_request_init(&req);
	produce_topic_init(&topic);
	for (int i = 0; i < 3; i++)
		produce_partition_init(&parts[i]);
	parts[0].records = (struct records){ .data = data, .len = 255 };
	parts[1].records = (struct records){ .iov = iov, .n_iov = 2, .len = 461 };
	parts[2].records = (struct records){ .data = data + 100, .len = 256 };
	topic.name = str_of("t");
	topic.partition_data.items = parts;
	topic.partition_data.n = 3;
	req.topic_data.items = &topic;
	req.topic_data.n = 1;
	ck_assert_int_eq(request_encode(&produce_api, 9, 1, "c", &req, &arena, &e), RC_OK);
	ck_assert_int_eq(e.n_iov, 6);
	ck_assert_ptr_eq(e.iov[1].iov_base, data);
	ck_assert_ptr_eq(e.iov[2].iov_base, data + 500);
	ck_assert_ptr_eq(e.iov[4].iov_base, data + 100);
	ck_assert_uint_eq(e.iov[1].iov_len + e.iov[2].iov_len + e.iov[4].iov_len, 461 + 256);
	arena_fini(&arena);
}
END_TEST

/* Every second partition's records are spliced, the others copied. */
static struct produce_request *many_partitions(struct arena *arena, const uint8_t *data, int n)
{
	struct produce_request *req = arena_new(arena, struct produce_request, 1);
	struct produce_topic *topic = arena_new(arena, struct produce_topic, 1);

	produce_request_init(req);
	produce_topic_init(topic);
	topic->name = str_of("t");
	topic->partition_data.items = arena_new(arena, struct produce_partition, n);
	topic->partition_data.n = n;
	for (int i = 0; i < n; i++)
		topic->partition_data.items[i] = (struct produce_partition){
			.index = i, .records = { .data = data + i, .len = i % 2 == 0 ? 200 : 300 },
		};
	req->topic_data.items = topic;
	req->topic_data.n = 1;
	return req;
}

START_TEST(a_frame_of_many_partitions_holds_them_all)
{
	enum { N = 500, BODY_AT = 4 + 2 + 2 + 4 + 2 + 1 + 1 };
	static uint8_t data[1000];
	struct produce_request *req, got = { .acks = 0 };
	struct encoded e;
	struct arena arena;
	struct reader r;
	uint8_t *frame;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	arena_init(&arena, 0);
	req = many_partitions(&arena, data, N);
	ck_assert_int_eq(request_encode(&produce_api, 9, 1, "c", req, &arena, &e), RC_OK);
	ck_assert_int_ge(e.n_iov, N);
	frame = joined(&e, &arena);
	ck_assert_uint_eq(get32(frame), e.len - 4);
	r = (struct reader){ .p = frame + BODY_AT, .end = frame + e.len };
	ck_assert(msg_decode(produce_api.request, 9, true, &r, &arena, &got));
	ck_assert_ptr_eq(r.p, r.end);
	ck_assert_int_eq(got.topic_data.items[0].partition_data.n, N);
	for (int i = 0; i < N; i++) {
		const struct produce_partition *p = &got.topic_data.items[0].partition_data.items[i];

		ck_assert_int_eq(p->index, i);
		ck_assert_int_eq(p->records.len, i % 2 == 0 ? 200 : 300);
		ck_assert_mem_eq(p->records.data, data + i, (size_t)p->records.len);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(a_frame_that_outgrows_the_arena_is_refused)
{
	static const uint8_t data[1000];
	struct encoded e;
	struct arena given, small;

	arena_init(&given, 0);
	arena_init(&small, 20000);
	ck_assert_int_eq(request_encode(&produce_api, 9, 1, "c", many_partitions(&given, data, 20), &small, &e), RC_OK);
	arena_reset(&small);
	ck_assert_int_eq(request_encode(&produce_api, 9, 1, "c", many_partitions(&given, data, 500), &small, &e),
			 -ENOMEM);
	ck_assert_int_eq(e.n_iov, 0);
	arena_fini(&small);
	arena_fini(&given);
}
END_TEST

START_TEST(a_field_that_the_version_lacks_is_refused_unless_it_may_vanish)
{
	struct fetch_request req;
	struct encoded e;
	struct arena arena;

	arena_init(&arena, 0);
	fetch_request_init(&req);
	req.rack_id = str_of("r");
	ck_assert_int_eq(request_encode(&fetch_api, 4, 1, "c", &req, &arena, &e), RC_OK);
	req.session_epoch = 3;
	ck_assert_int_eq(request_encode(&fetch_api, 4, 1, "c", &req, &arena, &e), RC_UNSUPPORTED);
	ck_assert_int_eq(e.n_iov, 0);
	ck_assert_int_eq(request_encode(&fetch_api, 7, 1, "c", &req, &arena, &e), RC_OK);
	ck_assert_int_eq(request_encode(&fetch_api, 18, 1, "c", &req, &arena, &e), RC_UNSUPPORTED);
	arena_fini(&arena);
}
END_TEST

START_TEST(null_is_refused_where_the_version_has_none)
{
	struct offset_fetch_request req;
	struct encoded e;
	struct arena arena;

	arena_init(&arena, 0);
	offset_fetch_request_init(&req);
	req.topics.n = -1;
	ck_assert_int_eq(request_encode(&offset_fetch_api, 1, 1, "c", &req, &arena, &e), RC_UNSUPPORTED);
	ck_assert_int_eq(request_encode(&offset_fetch_api, 2, 1, "c", &req, &arena, &e), RC_OK);
	req.group_id = STR_NULL;
	ck_assert_int_eq(request_encode(&offset_fetch_api, 2, 1, "c", &req, &arena, &e), RC_UNSUPPORTED);
	arena_fini(&arena);
}
END_TEST

START_TEST(an_unknown_key_leaves_the_reader_behind_the_client_id)
{
	static const uint8_t frame[] = { 0x30, 0, 0, 9, 0, 0, 0, 7, 0, 1, 'c', 0xaa, 0xbb };
	struct request_header h;
	struct reader r;

	ck_assert(request_header_decode(frame, sizeof(frame), &h, &r));
	ck_assert(h.api_key == 0x3000 && h.api_version == 9 && h.correlation_id == 7 && str_is(h.client_id, "c"));
	ck_assert_ptr_eq(r.p, frame + 11);
	for (size_t n = 0; n < 11; n++)
		ck_assert(!request_header_decode(frame, n, &h, &r));
}
END_TEST

START_TEST(printing_shows_fields_and_hides_secrets)
{
	struct sasl_authenticate_request auth;
	struct metadata_topic topic;
	struct metadata_request req;
	char *text = NULL;

	metadata_request_init(&req);
	metadata_topic_init(&topic);
	topic.name = str_of("a\"b\n");
	req.topics.items = &topic;
	req.topics.n = 1;
	msg_print(metadata_api.request, 9, &req, &text);
	ck_assert_str_eq(text, "Topics[]: 1\n  [0]\n    Name: \"a\\x22b\\x0a\"\nAllowAutoTopicCreation: true\n"
			       "IncludeClusterAuthorizedOperations: false\nIncludeTopicAuthorizedOperations: false\n");
	xfree(text);
	text = xstrdup("# ");
	sasl_authenticate_request_init(&auth);
	auth.auth_bytes = (struct bytes){ (const uint8_t *)"password", 8 };
	msg_print(sasl_authenticate_api.request, 2, &auth, &text);
	ck_assert_str_eq(text, "# AuthBytes: ***\n");
	xfree(text);
}
END_TEST

static int encode_all(struct arena *arena, struct fetch_response *res, struct encoded *e)
{
	return response_encode(&fetch_api, 16, 1, res, arena, e);
}

START_TEST(an_arena_that_is_too_small_is_an_error_not_a_crash)
{
	struct fetch_response res;
	struct encoded e;
	struct arena arena;

	arena_init(&arena, 20);
	fetch_response_init(&res);
	ck_assert_int_lt(encode_all(&arena, &res, &e), 0);
	arena_fini(&arena);
}
END_TEST

TCase *codec_tests(void)
{
	TCase *tc = tcase_create("codec");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, defaults_round_trip_at_every_version);
	tcase_add_loop_test(tc, random_contents_round_trip_at_every_version, 0, 20);
	tcase_add_test(tc, apis_are_found_by_their_keys);
	tcase_add_test(tc, a_known_frame_has_the_known_bytes);
	tcase_add_test(tc, the_answer_to_api_versions_has_no_tags_in_its_header);
	tcase_add_test(tc, large_records_are_spliced_and_small_ones_copied);
	tcase_add_test(tc, a_frame_of_many_partitions_holds_them_all);
	tcase_add_test(tc, a_frame_that_outgrows_the_arena_is_refused);
	tcase_add_test(tc, a_field_that_the_version_lacks_is_refused_unless_it_may_vanish);
	tcase_add_test(tc, null_is_refused_where_the_version_has_none);
	tcase_add_test(tc, an_unknown_key_leaves_the_reader_behind_the_client_id);
	tcase_add_test(tc, printing_shows_fields_and_hides_secrets);
	tcase_add_test(tc, an_arena_that_is_too_small_is_an_error_not_a_crash);
	return tc;
}
