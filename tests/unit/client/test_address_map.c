/* SPDX-License-Identifier: Apache-2.0 */
#include "client/address_map.h"

#include "test_client.h"

#include <stdio.h>
#include <string.h>

/* Where a map leads, as text; "-": nowhere else. */
static const char *leads(const char *map_text, const char *host, uint16_t port)
{
	static char text[300];
	const struct endpoint *to;
	struct address_map map;
	struct err err;

	ck_assert_int_eq(address_map_parse(map_text, &map, &err), RC_OK);
	to = address_map_find(&map, host, port);
	snprintf(text, sizeof(text), "-");
	if (to != NULL)
		snprintf(text, sizeof(text), "%s %u", to->host, to->port);
	address_map_fini(&map);
	return text;
}

START_TEST(names_are_found_with_their_port)
{
	const char *map = "b1.east:9092=127.0.0.1:19092, B2.East:9092=10.0.0.7:1 ,b2.east:9093=10.0.0.7:2";

	ck_assert_str_eq(leads(map, "b1.east", 9092), "127.0.0.1 19092");
	ck_assert_str_eq(leads(map, "B1.EAST", 9092), "127.0.0.1 19092");
	ck_assert_str_eq(leads(map, "b2.east", 9092), "10.0.0.7 1");
	ck_assert_str_eq(leads(map, "b2.east", 9093), "10.0.0.7 2");
	ck_assert_str_eq(leads(map, "b1.east", 9093), "-");
	ck_assert_str_eq(leads(map, "b1.eas", 9092), "-");
	ck_assert_str_eq(leads(map, "b1.east.", 9092), "-");
	ck_assert_str_eq(leads("", "b1.east", 9092), "-");
	ck_assert_str_eq(leads(" , ,", "b1.east", 9092), "-");
	ck_assert_str_eq(leads("SSL://b1.east:9092=127.0.0.1:1", "b1.east", 9092), "127.0.0.1 1");
}
END_TEST

START_TEST(an_exact_name_comes_before_a_pattern)
{
	const char *map = "*:9092=10.0.0.1:1,b-*.east:9092=10.0.0.1:2,b-3.east:9092=10.0.0.1:3,*:9093=10.0.0.1:4,"
			  "*.a.*.z:1=10.0.0.1:5";

	ck_assert_str_eq(leads(map, "b-3.east", 9092), "10.0.0.1 3");
	ck_assert_str_eq(leads(map, "b-4.east", 9092), "10.0.0.1 1");
	ck_assert_str_eq(leads(map, "anything", 9092), "10.0.0.1 1");
	ck_assert_str_eq(leads(map, "", 9092), "10.0.0.1 1");
	ck_assert_str_eq(leads(map, "2001:db8::1", 9093), "10.0.0.1 4");
	ck_assert_str_eq(leads(map, "x.a.a.b.z.z", 1), "10.0.0.1 5");
	ck_assert_str_eq(leads(map, "x.a.z", 1), "-");
	ck_assert_str_eq(leads("b-*.east:1=10.0.0.1:2,*:1=10.0.0.1:1", "B-4.EAST", 1), "10.0.0.1 2");
	ck_assert_str_eq(leads("b-*.east:1=10.0.0.1:2", "b-.west", 1), "-");
	ck_assert_str_eq(leads("b-*.east:1=10.0.0.1:2", "b-.east.west", 1), "-");
}
END_TEST

START_TEST(addresses_of_six)
{
	const char *map = "[2001:DB8:0::1]:9092=[::1]:19092,10.1.1.1:9092=[fe80::2]:1";

	ck_assert_str_eq(leads(map, "2001:db8::1", 9092), "::1 19092");
	ck_assert_str_eq(leads(map, "2001:db8::2", 9092), "-");
	ck_assert_str_eq(leads(map, "10.1.1.1", 9092), "fe80::2 1");
}
END_TEST

START_TEST(bad_entries_are_named_by_their_place)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "b1:9092", "entry 1, \"b1:9092\": it has no =" },
		{ "a:1=1.1.1.1:1,b1=1.1.1.1:1", "entry 2, \"b1=1.1.1.1:1\": what stands before the =" },
		{ "a:1=1.1.1.1:1,,=1.1.1.1:1", "entry 2, \"=1.1.1.1:1\": what stands before the =" },
		{ "a:0=1.1.1.1:1", "what stands before the =" },
		{ "a:*=1.1.1.1:1", "what stands before the =" },
		{ "2001:db8::1:9092=1.1.1.1:1", "what stands before the =" },
		{ "a:1=", "what stands behind the =" },
		{ "a:1=1.1.1.1", "what stands behind the =" },
		{ "a:1=1.1.1.1:70000", "what stands behind the =" },
		{ "a:1=tunnel.example:1", "what stands behind the = is no ip:port" },
		{ "a:1=*:1", "what stands behind the =" },
		{ "a:1=::1:1", "what stands behind the =" },
		{ "a:1=b:1=1.1.1.1:1", "what stands behind the =" },
		{ "a:1=1.1.1.1:1,b:1=1.1.1.1:1,A:1=1.1.1.1:2", "entry 3, \"A:1=1.1.1.1:2\": an entry before it" },
		{ "[::1]:1=1.1.1.1:1,[0::1]:1=1.1.1.1:2", "entry 2" },
	};
	struct address_map map;
	struct err err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(address_map_parse(cases[i].text, &map, &err) == RC_USAGE, "%s", cases[i].text);
		ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s: %s", cases[i].text, err.text);
		ck_assert_ptr_null(map.rules);
		ck_assert_int_eq(map.n, 0);
	}
}
END_TEST

START_TEST(a_copy_lives_by_itself)
{
	struct address_map map, copy;
	struct err err;

	ck_assert_int_eq(address_map_parse("a:1=1.1.1.1:1,*:2=[::1]:2", &map, &err), RC_OK);
	address_map_copy(&copy, &map);
	address_map_fini(&map);
	ck_assert_str_eq(address_map_find(&copy, "b", 2)->host, "::1");
	ck_assert_int_eq(address_map_find(&copy, "a", 1)->port, 1);
	address_map_fini(&copy);
	ck_assert_ptr_null(address_map_find(&copy, "a", 1));
}
END_TEST

TCase *address_map_tests(void)
{
	TCase *tc = tcase_create("address_map");

	tcase_add_test(tc, names_are_found_with_their_port);
	tcase_add_test(tc, an_exact_name_comes_before_a_pattern);
	tcase_add_test(tc, addresses_of_six);
	tcase_add_test(tc, bad_entries_are_named_by_their_place);
	tcase_add_test(tc, a_copy_lives_by_itself);
	return tc;
}
