/* SPDX-License-Identifier: Apache-2.0 */
/* The counting fence against a model of the broker's rule: all orders in which two owners open, send, lose connections
 * and open again, while what a lost connection still carried lands at any later moment. */
#include "base/map.h"
#include "base/mem.h"
#include "mirror/claims.h"
#include "mirror/fence.h"
#include "mirror/fill.h"
#include "test_mirror.h"
#include "wire/msg/kerr_codes.h"

#include <string.h>

enum { HOLE = 3, OWNERS = 2, GHOSTS = 3 };

struct broker_model {
	struct fence_seen id;
	int count;                  /* markers that stand in the log */
};

/* Brokers refuse lower numbers and take equal ones. */
static bool deliver(struct broker_model *b, const struct fence_marker *m)
{
	if (b->id.known && (m->producer_epoch < b->id.producer_epoch ||
			    (m->coordinator_epoch < b->id.coordinator_epoch)))
		return false;
	b->id = (struct fence_seen){ true, m->producer_epoch, m->coordinator_epoch };
	b->count++;
	return true;
}

struct request {
	struct fence_marker markers[HOLE];
	int n, at;
	bool refused;               /* the last one: that is all that the merged answer tells */
};

enum phase { OWNER_AWAY, OWNER_OPEN, OWNER_WAITS, OWNER_DONE };

struct owner_model {
	enum phase phase;
	struct fence fence;
	int position, openings, losses;
	int64_t claim;              /* 0: the first one */
	struct request sent;
};

struct world {
	struct broker_model broker;
	struct owner_model owners[OWNERS];
	struct request ghosts[GHOSTS];   /* of lost connections */
	int n_ghosts;
	int64_t claim;              /* the last number that was given out */
};

static long worlds, finished;
static int64_t claims[OWNERS];

/* Worlds that were looked at, by a hash of all that matters. */
enum { SEEN_SLOTS = 1 << 21 };
static uint64_t *seen_worlds;

static int64_t *put_request(int64_t *out, const struct request *r)
{
	*out++ = r->n << 8 | r->at << 1 | r->refused;
	for (int k = r->at; k < r->n; k++)
		*out++ = (int64_t)r->markers[k].producer_epoch * (INT64_C(1) << 32) | r->markers[k].coordinator_epoch;
	return out;
}

static bool seen_before(const struct world *w)
{
	int64_t key[128], *out = key;
	uint64_t h;

	*out++ = w->broker.id.known;
	*out++ = w->broker.id.producer_epoch;
	*out++ = w->broker.id.coordinator_epoch;
	*out++ = w->broker.count << 8 | w->claim;
	for (int i = 0; i < OWNERS; i++) {
		const struct owner_model *o = &w->owners[i];

		*out++ = o->phase << 16 | o->position << 8 | o->openings << 4 | o->losses;
		*out++ = o->claim;
		*out++ = (int64_t)o->fence.unproven.producer_epoch * (INT64_C(1) << 32) | o->fence.unproven.coordinator_epoch;
		*out++ = o->fence.claimed;
		*out++ = (int64_t)o->fence.ids[1].producer_epoch * (INT64_C(1) << 32) | o->fence.ids[1].coordinator_epoch;
		*out++ = (int64_t)o->fence.ids[1].seen.producer_epoch * (INT64_C(1) << 32) |
			 o->fence.ids[1].seen.coordinator_epoch;
		out = put_request(out, &o->sent);
	}
	for (int g = 0; g < w->n_ghosts; g++)
		out = put_request(out, &w->ghosts[g]);
	h = hash_bytes(key, (size_t)(out - key) * sizeof(*key)) | 1;
	for (size_t slot = h % SEEN_SLOTS;; slot = (slot + 1) % SEEN_SLOTS) {
		if (seen_worlds[slot] == h)
			return true;
		if (seen_worlds[slot] == 0) {
			seen_worlds[slot] = h;
			return false;
		}
	}
}

static void open_owner(struct world *w, int i)
{
	struct owner_model *o = &w->owners[i];
	struct fence_opening opening = {
		.claim = o->claim > 0 ? o->claim : claims[i], .current_id = 1, .current = w->broker.id,
	};

	fence_open(&o->fence, &opening);
	if (fence_wants_claim(&o->fence)) {
		opening.claim = o->claim = ++w->claim;
		fence_open(&o->fence, &opening);
	}
	o->position = w->broker.count;
	o->openings++;
	o->phase = o->position < HOLE ? OWNER_OPEN : OWNER_DONE;
}

static void send_fill(struct owner_model *o)
{
	int room = MIN(fence_room(&o->fence), HOLE - o->position);

	o->sent = (struct request){ .n = room };
	for (int k = 0; k < room; k++)
		o->sent.markers[k] = fence_next(&o->fence);
	o->phase = OWNER_WAITS;
}

static void take_answer(struct world *w, struct owner_model *o)
{
	struct fill_answer a = {
		.n = o->sent.n, .answered = true, .expected = o->position + o->sent.n,
		.code = o->sent.refused ? KERR_TRANSACTION_COORDINATOR_FENCED : KERR_NONE,
		.log_end = w->broker.count, .high_watermark = w->broker.count,
	};

	if (fill_judge(&a) != FILL_PROVEN) {
		o->phase = OWNER_AWAY;
		return;
	}
	fence_proven(&o->fence);
	o->position += o->sent.n;
	o->phase = o->position < HOLE ? OWNER_OPEN : OWNER_DONE;
}

static void step_request(struct broker_model *b, struct request *r)
{
	r->refused = !deliver(b, &r->markers[r->at++]);
}

static void explore(const struct world *before);

static void explore_owner(const struct world *before, int i)
{
	struct world w = *before;
	struct owner_model *o = &w.owners[i];

	switch (o->phase) {
	case OWNER_AWAY:
		if (o->openings < 2) {
			open_owner(&w, i);
			explore(&w);
		}
		break;
	case OWNER_OPEN:
		send_fill(o);
		explore(&w);
		break;
	case OWNER_WAITS:
		if (o->sent.at < o->sent.n)
			step_request(&w.broker, &o->sent);
		else
			take_answer(&w, o);
		explore(&w);
		if (before->owners[i].losses > 0 || w.n_ghosts == GHOSTS)
			break;
		w = *before;
		w.ghosts[w.n_ghosts++] = o->sent;
		o->losses++;
		o->phase = OWNER_AWAY;
		explore(&w);
		break;
	case OWNER_DONE:
		break;
	}
}

static void explore(const struct world *before)
{
	bool over = true;

	if (seen_before(before))
		return;
	ck_assert_int_lt(++worlds, SEEN_SLOTS / 2);
	ck_assert_int_le(before->broker.count, HOLE);
	for (int i = 0; i < OWNERS; i++) {
		over = over && before->owners[i].phase == OWNER_DONE;
		explore_owner(before, i);
	}
	for (int g = 0; g < before->n_ghosts; g++) {
		struct world w = *before;

		if (w.ghosts[g].at == w.ghosts[g].n)
			continue;
		step_request(&w.broker, &w.ghosts[g]);
		explore(&w);
	}
	finished += over;
}

/* The numbers given out later stay within 31 of these: more are left to the lease. */
static const int64_t rivals[][OWNERS] = { { 1, 2 }, { 2, 1 }, { 30, 31 }, { 31, 59 }, { 7, 20 }, { 20, 7 } };

START_TEST(no_order_of_events_fills_too_much)
{
	static const struct fence_seen seen[] = {
		{ false, 0, 0 }, { true, 0, 31 }, { true, 17, 64 }, { true, 17, 95 }, { true, 3, 0 }, { true, 0, -1 },
	};

	memcpy(claims, rivals[_i], sizeof(claims));
	finished = 0;
	for (size_t k = 0; k < ARRAY_LEN(seen); k++) {
		struct world w = { .broker = { .id = seen[k] }, .claim = MAX(claims[0], claims[1]) };

		worlds = 0;
		seen_worlds = xcalloc(SEEN_SLOTS, sizeof(*seen_worlds));
		explore(&w);
		xfree(seen_worlds);
		ck_assert_int_gt(worlds, 1000);
	}
	ck_assert_int_gt(finished, 0);
}
END_TEST

/* The numbers themselves, as DESIGN 4 has them. */
START_TEST(numbers_of_a_claim)
{
	struct fence fence = { 0 };
	struct fence_opening o = { .claim = 33, .current_id = 9, .current = { true, 4, 70 } };
	struct fence_marker m;

	fence_open(&fence, &o);
	ck_assert_int_eq(fence_room(&fence), 1);
	m = fence_next(&fence);
	ck_assert_int_eq(m.id, 9);
	ck_assert_int_eq(m.producer_epoch, 4 + 1 + 2);
	ck_assert_int_eq(m.coordinator_epoch, 96 + 31 - 2);
	fence_proven(&fence);
	ck_assert_int_gt(fence_room(&fence), 1000000);
	for (int i = 0; i < 3; i++) {
		m = fence_next(&fence);
		ck_assert_int_eq(m.producer_epoch, 7);
		ck_assert_int_eq(m.coordinator_epoch, 96 + 64 + 32 * i);
	}
	ck_assert_int_eq(fence_epoch_of(&fence, 9), 7);
	ck_assert_int_eq(fence_epoch_of(&fence, 8), -1);
	o.current = (struct fence_seen){ false, 0, 0 };
	o.claim = 31;
	fence_open(&fence, &o);
	m = fence_next(&fence);
	ck_assert_int_eq(m.producer_epoch, 0);
	ck_assert_int_eq(m.coordinator_epoch, 31);
	/* on a boundary the block is the reading itself */
	o.current = (struct fence_seen){ true, 0, 64 };
	fence_open(&fence, &o);
	ck_assert_int_eq(fence_next(&fence).coordinator_epoch, 64 + 31);
}
END_TEST

START_TEST(a_used_up_id_is_rotated)
{
	struct fence fence = { 0 };
	struct fence_seen before = { true, FENCE_ROTATE_EPOCH, 64 };
	struct fence_opening o = { .claim = 1, .current_id = 10, .current = { true, FENCE_ROTATE_EPOCH - 3, 64 } };

	fence_open(&fence, &o);
	ck_assert(!fence_wants_rotation(&fence));
	o.current = before;
	fence_open(&fence, &o);
	ck_assert(fence_wants_rotation(&fence));
	ck_assert_int_eq(fence_room(&fence), 1);
	/* what the door wrote cannot be passed */
	o.current = (struct fence_seen){ true, 32767, INT32_MAX };
	fence_open(&fence, &o);
	ck_assert(fence_wants_rotation(&fence));
	ck_assert_int_eq(fence_room(&fence), 0);
	o.current = (struct fence_seen){ true, 1, INT32_MAX - 40 };
	fence_open(&fence, &o);
	ck_assert_int_eq(fence_room(&fence), 0);
	/* the new id comes after a claim of the old one, which shuts out whoever still writes with it */
	o = (struct fence_opening){ .claim = 1, .previous_id = 10, .current_id = 11, .previous = &before };
	fence_open(&fence, &o);
	ck_assert_int_eq(fence_room(&fence), 1);
	ck_assert_int_eq(fence_next(&fence).id, 10);
	fence_proven(&fence);
	ck_assert_int_eq(fence_room(&fence), 1);
	ck_assert_int_eq(fence_next(&fence).id, 11);
	fence_proven(&fence);
	ck_assert_int_gt(fence_room(&fence), 1);
	ck_assert(!fence_wants_rotation(&fence));
	/* but for a closed one, and for one that somebody has left already */
	before = (struct fence_seen){ true, 32767, INT32_MAX };
	fence_open(&fence, &o);
	ck_assert_int_eq(fence_next(&fence).id, 11);
	before = (struct fence_seen){ true, 20000, 64 };
	o.current = (struct fence_seen){ true, 1, 64 };
	fence_open(&fence, &o);
	ck_assert_int_eq(fence_next(&fence).id, 11);
}
END_TEST

/* A claim whose answer was lost may still land: the same numbers would both be taken. */
START_TEST(a_claim_is_not_sent_twice)
{
	struct fence fence = { 0 };
	struct fence_opening o = { .claim = 5, .current_id = 10, .current = { true, 3, 64 } };

	fence_open(&fence, &o);
	ck_assert(!fence_wants_claim(&fence));
	fence_next(&fence);
	fence_open(&fence, &o);
	ck_assert(fence_wants_claim(&fence));
	ck_assert_int_eq(fence_room(&fence), 0);
	o.claim = 6;
	fence_open(&fence, &o);
	ck_assert(!fence_wants_claim(&fence));
	ck_assert_int_eq(fence_room(&fence), 1);
	/* when it has landed, the numbers go on by themselves */
	o.claim = 5;
	o.current = (struct fence_seen){ true, 3 + 1 + 5, 64 + 31 - 5 };
	fence_open(&fence, &o);
	ck_assert_int_eq(fence_room(&fence), 1);
	fence_next(&fence);
	fence_proven(&fence);
	fence_next(&fence);
	fence_open(&fence, &o);
	ck_assert_int_eq(fence_room(&fence), 1);  /* only later markers are in doubt */
}
END_TEST

START_TEST(only_proof_is_proof)
{
	struct fill_answer one = { .n = 1, .answered = true, .code = KERR_NONE, .expected = 5, .log_end = -1,
				   .high_watermark = -1 };
	struct fill_answer many = { .n = 4, .answered = true, .code = KERR_NONE, .expected = 9, .log_end = 9,
				    .high_watermark = 9 };

	ck_assert_int_eq(fill_judge(&one), FILL_PROVEN);
	ck_assert_int_eq(fill_judge(&many), FILL_PROVEN);
	many.high_watermark = 8;
	ck_assert_int_eq(fill_judge(&many), FILL_DOUBT);
	many.high_watermark = 9;
	many.log_end = 10;
	ck_assert_int_eq(fill_judge(&many), FILL_DOUBT);
	many.log_end = -1;
	ck_assert_int_eq(fill_judge(&many), FILL_DOUBT);
	one.answered = false;
	ck_assert_int_eq(fill_judge(&one), FILL_DOUBT);
	one.answered = true;
	for (int16_t code = -1; code < 120; code++) {
		one.code = code;
		if (code == KERR_CLUSTER_AUTHORIZATION_FAILED)
			ck_assert_int_eq(fill_judge(&one), FILL_NO_RIGHT);
		else if (code == KERR_NOT_LEADER_OR_FOLLOWER || code == KERR_REQUEST_TIMED_OUT ||
			 code == KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND || code == KERR_INVALID_PRODUCER_EPOCH ||
			 code == KERR_TRANSACTION_COORDINATOR_FENCED || code == KERR_UNKNOWN_SERVER_ERROR)
			ck_assert_int_eq(fill_judge(&one), FILL_DOUBT);
		else if (code != KERR_NONE)
			ck_assert_int_ne(fill_judge(&one), FILL_PROVEN);
	}
}
END_TEST

START_TEST(a_log_that_is_too_long)
{
	ck_assert_int_eq(fill_judge_beyond(10, -1, false), BEYOND_NOT);
	ck_assert_int_eq(fill_judge_beyond(10, 10, false), BEYOND_NOT);
	ck_assert_int_eq(fill_judge_beyond(11, 10, false), BEYOND_DIVERGED);
	ck_assert_int_eq(fill_judge_beyond(11, 10, true), BEYOND_OTHER_OWNER);
}
END_TEST

START_TEST(a_claim_in_doubt_outlives_its_lane)
{
	struct fence fence = { 0 }, heir = { 0 };
	struct claims left = { 0 };
	struct fence_opening o = { .claim = 5, .current_id = 77, .current = { true, 3, 64 } };
	struct fence_marker sent;

	fence_open(&fence, &o);
	sent = fence_next(&fence);
	ck_assert_int_eq(fence.unproven.id, 77);
	claims_leave(&left, &fence.unproven);
	ck_assert_int_eq(claims_of(&left, 78).id, 0);
	/* Nothing has changed at the broker: the same numbers would be taken again. */
	heir.unproven = claims_of(&left, 77);
	fence_open(&heir, &o);
	ck_assert(fence_wants_claim(&heir) && fence_room(&heir) == 0);
	o.claim = 6;
	fence_open(&heir, &o);
	ck_assert(!fence_wants_claim(&heir));
	ck_assert_int_ne(fence_next(&heir).producer_epoch, sent.producer_epoch);
	claims_leave(&left, &heir.unproven);
	ck_assert_int_eq(left.n, 1);
	claims_fini(&left);
}
END_TEST

TCase *fence_tests(void)
{
	TCase *tc = tcase_create("fence");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, no_order_of_events_fills_too_much, 0, ARRAY_LEN(rivals));
	tcase_add_test(tc, numbers_of_a_claim);
	tcase_add_test(tc, a_used_up_id_is_rotated);
	tcase_add_test(tc, a_claim_is_not_sent_twice);
	tcase_add_test(tc, only_proof_is_proof);
	tcase_add_test(tc, a_log_that_is_too_long);
	tcase_add_test(tc, a_claim_in_doubt_outlives_its_lane);
	return tc;
}
