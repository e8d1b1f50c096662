/* SPDX-License-Identifier: Apache-2.0 */
#include "client/group_share.h"

#include "base/mem.h"
#include "test_client.h"

enum { LANES = 3000 };

static struct share make(int n)
{
	struct share share;
	struct str ids[16];
	char text[16][24];

	for (int i = 0; i < n; i++) {
		snprintf(text[i], sizeof(text[i]), "worker-%d", n - 1 - i);
		ids[i] = str_of(text[i]);
	}
	share_init(&share, ids, n);
	return share;
}

static const char *owner_of(const struct share *share, int lane)
{
	char topic[32];

	snprintf(topic, sizeof(topic), "orders-%d", lane / 6);
	return share_owner(share, "east", topic, lane % 6);
}

START_TEST(sorted_without_duplicates)
{
	struct str ids[] = { str_of("b"), str_of("a"), str_of("b"), str_of("c") };
	struct share share, other;

	share_init(&share, ids, 4);
	ck_assert_int_eq(share.n, 3);
	ck_assert_str_eq(share.workers[0], "a");
	ck_assert_str_eq(share.workers[2], "c");
	ck_assert(share_has(&share, "b"));
	ck_assert(!share_has(&share, "d"));
	share_copy(&other, &share);
	ck_assert(share_equal(&share, &other));
	share_fini(&share);
	ck_assert(!share_equal(&share, &other));
	ck_assert_ptr_null(share_owner(&share, "l", "t", 0));
	share_fini(&other);
}
END_TEST

START_TEST(balanced)
{
	for (int n = 1; n <= 8; n++) {
		struct share share = make(n);
		int counts[8] = { 0 };

		for (int lane = 0; lane < LANES; lane++) {
			const char *owner = owner_of(&share, lane);

			for (int i = 0; i < n; i++)
				counts[i] += strcmp(share.workers[i], owner) == 0;
		}
		for (int i = 0; i < n; i++) {
			ck_assert_int_gt(counts[i], LANES / n * 8 / 10);
			ck_assert_int_lt(counts[i], LANES / n * 12 / 10 + 1);
		}
		share_fini(&share);
	}
}
END_TEST

/* Who stays keeps all that it had; only the lanes of the one that went, or came, move. */
START_TEST(least_movement)
{
	struct share five = make(5), four = make(4);
	int moved = 0;

	for (int lane = 0; lane < LANES; lane++) {
		const char *before = owner_of(&five, lane), *after = owner_of(&four, lane);

		if (strcmp(before, "worker-4") == 0)
			moved++;
		else
			ck_assert_str_eq(before, after);
	}
	ck_assert_int_gt(moved, 0);
	share_fini(&five);
	share_fini(&four);
}
END_TEST

/* Workers of different versions share a group: who owns what is a contract. */
START_TEST(pinned)
{
	static const uint8_t bytes[] = {
		'S', 1, 0, 3, 0, 8, 'w', 'o', 'r', 'k', 'e', 'r', '-', '0', 0, 8, 'w', 'o', 'r', 'k', 'e', 'r', '-', '1',
		0, 8, 'w', 'o', 'r', 'k', 'e', 'r', '-', '2'
	};
	struct share share = make(3), read;
	uint8_t *data;
	int32_t len;
	char owners[13] = "";

	share_encode(&share, &data, &len);
	ck_assert_int_eq(len, sizeof(bytes));
	ck_assert_mem_eq(data, bytes, sizeof(bytes));
	xfree(data);
	ck_assert(share_decode((struct bytes){ bytes, sizeof(bytes) }, &read));
	ck_assert(share_equal(&share, &read));
	for (int p = 0; p < 12; p++)
		owners[p] = share_owner(&share, "east", "orders", p)[7];
	ck_assert_str_eq(owners, "002011120202");
	ck_assert(share_owns(&share, "worker-0", "east", "orders", 0) == (owners[0] == '0'));
	share_fini(&share);
	share_fini(&read);
}
END_TEST

START_TEST(bad_bytes)
{
	struct share five = make(5), share;
	uint8_t *data;
	int32_t len;

	share_encode(&five, &data, &len);
	for (int32_t cut = 0; cut < len; cut++) {
		uint8_t *copy = xmalloc((size_t)cut + 1);   /* so that reading beyond it is seen */

		memcpy(copy, data, (size_t)cut);
		ck_assert(!share_decode((struct bytes){ copy, cut }, &share));
		ck_assert_int_eq(share.n, 0);
		xfree(copy);
	}
	data[1] = 2;
	ck_assert(!share_decode((struct bytes){ data, len }, &share));
	ck_assert(!share_decode((struct bytes){ NULL, -1 }, &share));
	xfree(data);
	share_fini(&five);
}
END_TEST

START_TEST(card_of_a_member)
{
	struct member_card card = { "host.example", "0.1.0", 70000 }, read;
	uint8_t *data;
	int32_t len;

	member_card_encode(&card, &data, &len);
	ck_assert(member_card_decode((struct bytes){ data, len }, &read));
	ck_assert_str_eq(read.host, "host.example");
	ck_assert_str_eq(read.version, "0.1.0");
	ck_assert_int_eq(read.pid, 70000);
	for (int32_t cut = 0; cut < len; cut++)
		ck_assert(!member_card_decode((struct bytes){ data, cut }, &read));
	xfree(data);
}
END_TEST

START_TEST(loops)
{
	int counts[4] = { 0 };

	for (int p = 0; p < 1000; p++) {
		int loop = share_loop(4, "east", "orders", p);

		ck_assert_int_eq(loop, share_loop(4, "east", "orders", p));
		counts[loop]++;
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_gt(counts[i], 190);
	ck_assert_int_eq(share_loop(1, "east", "orders", 5), 0);
}
END_TEST

TCase *group_share_tests(void)
{
	TCase *tcase = tcase_create("group_share");

	tcase_add_test(tcase, sorted_without_duplicates);
	tcase_add_test(tcase, balanced);
	tcase_add_test(tcase, least_movement);
	tcase_add_test(tcase, pinned);
	tcase_add_test(tcase, bad_bytes);
	tcase_add_test(tcase, card_of_a_member);
	tcase_add_test(tcase, loops);
	return tcase;
}
