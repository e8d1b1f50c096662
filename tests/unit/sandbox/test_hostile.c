/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that nobody sends: every API and version with values that are plausible or at a border, and their frames
 * with bytes changed, cut, or put together anew. The broker answers or ends the connection; it never stops. */
#include "box.h"

#include "wire/codec_impl.h"
#include "wire/msg/metadata.h"

enum { ROUNDS = 30, MUTATIONS = 4 };

static struct box box;

static void setup(void)
{
	box_open(&box, (size_t)16 << 20);
}

static void teardown(void)
{
	box_close(&box);
}

static uint64_t rnd(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static int64_t number(uint64_t *seed)
{
	static const int64_t borders[] = { 0, 1, -1, -2, -3, 2, 3, 6000, 127, 32767, INT32_MAX, INT32_MIN, INT64_MAX,
					   INT64_MIN, INT64_C(1) << 62 };
	uint64_t r = rnd(seed);

	return r % 3 != 0 ? (int64_t)(r >> 8) % 4 : borders[(r >> 8) % ARRAY_LEN(borders)];
}

static struct str word(uint64_t *seed)
{
	static const char *const words[] = { "t", "u", "g", "", "range", "consumer", "i", "1", "cleanup.policy",
					     "compact", "retention.ms", "a.b", "a_b", "empty" };

	return str_of(words[rnd(seed) % ARRAY_LEN(words)]);
}

static struct records some_records(uint64_t *seed)
{
	struct bytes b = box_batch_as(&box, &(struct box_batch_opts){
		.n = 1 + (int)(rnd(seed) % 3), .producer_id = number(seed), .epoch = (int16_t)number(seed),
		.sequence = (int32_t)number(seed), .timestamp = number(seed) });

	if (rnd(seed) % 4 == 0) {
		((uint8_t *)(uintptr_t)b.data)[22] = (uint8_t)(rnd(seed) % 64);
		box_seal(b);
	}
	if (rnd(seed) % 4 == 0) {
		((uint8_t *)(uintptr_t)b.data)[rnd(seed) % (uint64_t)b.len] ^= (uint8_t)rnd(seed);
		if (rnd(seed) % 2 == 0)
			box_seal(b);
	}
	if (rnd(seed) % 8 == 0)
		b.len = (int32_t)(rnd(seed) % 80) % b.len;
	return (struct records){ .data = b.data, .len = b.len };
}

static void fill(uint64_t *seed, const struct msg_desc *desc, int16_t version, void *msg);

static void fill_value(uint64_t *seed, const struct field_desc *f, int16_t version, void *at)
{
	switch ((enum field_type)f->type) {
	case FIELD_BOOL: *(bool *)at = rnd(seed) & 1; break;
	case FIELD_INT8: *(int8_t *)at = (int8_t)number(seed); break;
	case FIELD_INT16: *(int16_t *)at = (int16_t)number(seed); break;
	case FIELD_UINT16: *(uint16_t *)at = (uint16_t)number(seed); break;
	case FIELD_INT32: *(int32_t *)at = (int32_t)number(seed); break;
	case FIELD_UINT32: *(uint32_t *)at = (uint32_t)number(seed); break;
	case FIELD_INT64: *(int64_t *)at = number(seed); break;
	case FIELD_FLOAT64: *(double *)at = (double)number(seed); break;
	case FIELD_UUID: ((struct uuid *)at)->b[0] = (uint8_t)number(seed); break;
	case FIELD_STRING: *(struct str *)at = word(seed); break;
	case FIELD_BYTES:
		*(struct bytes *)at = (struct bytes){ (const uint8_t *)"bytes", (int32_t)(rnd(seed) % 6) };
		break;
	case FIELD_RECORDS: *(struct records *)at = some_records(seed); break;
	case FIELD_STRUCT: fill(seed, f->sub, version, at); break;
	}
}

static void fill_array(uint64_t *seed, const struct field_desc *f, int16_t version, void *at)
{
	struct array_view v = { NULL, (int32_t)(rnd(seed) % 4) };
	size_t size = field_size(f);

	if (version >= f->null_since && rnd(seed) % 4 == 0)
		v.n = -1;
	if (v.n > 0)
		v.items = box_alloc(&box, (size_t)v.n * size);
	for (int32_t i = 0; i < v.n; i++)
		fill_value(seed, f, version, (uint8_t *)v.items + (size_t)i * size);
	array_set(at, v);
}

/* Like real requests in form; some fields keep their defaults. */
static void fill(uint64_t *seed, const struct msg_desc *desc, int16_t version, void *msg)
{
	msg_default(desc, msg);
	for (int i = 0; i < desc->n_fields; i++) {
		const struct field_desc *f = &desc->fields[i];
		uint8_t *at = (uint8_t *)msg + f->offset;

		if (!field_in(f, version) || rnd(seed) % 8 == 0)
			continue;
		if (f->flags & FIELD_ARRAY)
			fill_array(seed, f, version, at);
		else
			fill_value(seed, f, version, at);
	}
}

/* Feeds a frame, and looks after what became of the client. */
static void feed(uint64_t *seed, const uint8_t *frame, size_t len)
{
	int client = (int)(rnd(seed) % BOX_CLIENTS);

	box_feed(&box, client, frame, len);
	if (box.clients[client].dropped || rnd(seed) % 64 == 0)
		box_reconnect(&box, client);
	if (rnd(seed) % 16 == 0)
		box_wait(&box, (int64_t)(rnd(seed) % 5000));
}

static void mutate(uint64_t *seed, uint8_t *frame, size_t len)
{
	for (uint64_t n = 1 + rnd(seed) % 4; n > 0 && len > 8; n--) {
		size_t at = 8 + rnd(seed) % (len - 8);

		frame[at] = rnd(seed) % 2 == 0 ? (uint8_t)rnd(seed) : (uint8_t)(frame[at] ^ 1 << rnd(seed) % 8);
	}
}

static void one_request(uint64_t *seed, const struct api_desc *api, int16_t version)
{
	void *msg = box_alloc(&box, api->request->size);
	struct encoded e;
	uint8_t *frame;
	size_t at = 0;

	fill(seed, api->request, version, msg);
	if (request_encode(api, version, 1, "hostile", msg, &box.arena, &e) != RC_OK)
		return;
	frame = box_alloc(&box, e.len);
	for (int i = 0; i < e.n_iov; i++) {
		memcpy(frame + at, e.iov[i].iov_base, e.iov[i].iov_len);
		at += e.iov[i].iov_len;
	}
	feed(seed, frame + 4, e.len - 4);
	for (int i = 0; i < MUTATIONS; i++) {
		mutate(seed, frame + 4, e.len - 4);
		feed(seed, frame + 4, rnd(seed) % 4 == 0 ? rnd(seed) % (e.len - 3) : e.len - 4);
	}
}

/* The loop's index is the seed. */
START_TEST(nothing_that_is_sent_stops_the_broker)
{
	uint64_t seed = (uint64_t)_i + 1;
	const struct api_desc *const *apis;
	int n;

	apis = api_table(&n);
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < n; i++)
			one_request(&seed, apis[i],
				    (int16_t)(apis[i]->table_min + (int64_t)(rnd(&seed) % 20) %
							(apis[i]->table_max - apis[i]->table_min + 1)));
	ck_assert_uint_le(sandbox_memory(box.sb), (size_t)17 << 20);
	/* It still serves. */
	box_reconnect(&box, 0);
	ck_assert_int_eq(box_call(&box, metadata, 9, box_request(&box, metadata))->brokers.n, 1);
}
END_TEST

TCase *hostile_tests(void)
{
	TCase *tc = tcase_create("hostile");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, nothing_that_is_sent_stops_the_broker, 0, 20);
	return tc;
}
