/* SPDX-License-Identifier: Apache-2.0 */
#include "control/props.h"
#include "test_control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct good {
	const char *text, *key, *value;
	int line;
};

/* What java.util.Properties makes of it, but that values are trimmed as Kafka trims them. */
static const struct good goods[] = {
	{ "a=b", "a", "b", 1 },
	{ "a = b", "a", "b", 1 },
	{ "a:b", "a", "b", 1 },
	{ "a b", "a", "b", 1 },
	{ "a\t=\fb", "a", "b", 1 },
	{ "a==b", "a", "=b", 1 },
	{ "a = = b", "a", "= b", 1 },
	{ "  a=b\t\t  \n", "a", "b", 1 },
	{ "a", "a", "", 1 },
	{ "a=", "a", "", 1 },
	{ "# c\n! d\n\n  \t\na=1\r\nb=2", "b", "2", 6 },
	{ "a=1\rb=2", "b", "2", 2 },
	{ "a=one\\\n   two\\\n\tthree", "a", "onetwothree", 1 },
	{ "a=one\\\\\nb=2", "a", "one\\", 1 },
	{ "a=one\\\\\\\n  two", "a", "one\\two", 1 },
	{ "a=1\\\n# no comment", "a", "1# no comment", 1 },
	{ "a=1\\", "a", "1", 1 },
	{ "\\\n\nk=v", "k", "v", 3 },
	{ "a\\=b=c", "a=b", "c", 1 },
	{ "a\\ b=c", "a b", "c", 1 },
	{ "a=\\{\"x\": \\{\\}\\}", "a", "{\"x\": {}}", 1 },
	{ "a=x\\ty\\nz", "a", "x\ty\nz", 1 },
	{ "a=\\u0041\\u00e9\\u20ac", "a", "A\xc3\xa9\xe2\x82\xac", 1 },
	{ "a=\\ud83d\\ude00", "a", "\xf0\x9f\x98\x80", 1 },
	{ "a=1\na=2", "a", "2", 2 },
	{ "\xef\xbb\xbf" "a=b", "a", "b", 1 },
	{ "a=\xc3\xa9", "a", "\xc3\xa9", 1 },
};

START_TEST(properties_are_read_as_java_reads_them)
{
	const struct good *g = &goods[_i];
	struct props props = { 0 };
	const struct prop *prop;
	struct err err = { 0 };

	ck_assert_msg(props_parse(&props, "f", g->text, strlen(g->text), &err) == RC_OK, "%s", err.text);
	prop = props_find(&props, g->key);
	ck_assert_ptr_nonnull(prop);
	ck_assert_str_eq(prop->value, g->value);
	ck_assert_int_eq(prop->line, g->line);
	ck_assert_str_eq(prop->file, "f");
	props_fini(&props);
}
END_TEST

struct bad {
	const char *text;
	size_t len;
	const char *where;
};

#define BAD(text, where) { text, sizeof(text) - 1, where }
static const struct bad bads[] = {
	BAD("a=1\nb=\\u12", "f:2:"), BAD("a=\\u12g4", "f:1:"), BAD("a=\\ud83d", "f:1:"), BAD("a=\\ud83d\\u0041", "f:1:"),
	BAD("a=\\ude00", "f:1:"), BAD("a=\\u0000", "f:1:"), BAD("a=x\0y", "f:1:"), BAD("a=\xff\xfe", "f:1:"),
	BAD("a=\xc0\x80", "f:1:"), BAD("a=\xed\xa0\x80", "f:1:"), BAD("\n\n=v", "f:3:"), BAD("\\u00zz=1", "f:1:"),
	BAD("a=\xe2\x82", "f:1:"),
};

START_TEST(bad_properties_are_told_with_their_line)
{
	const struct bad *b = &bads[_i];
	struct props props = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(props_parse(&props, "f", b->text, b->len, &err), RC_USAGE);
	ck_assert_msg(strncmp(err.text, b->where, strlen(b->where)) == 0, "%s", err.text);
	props_fini(&props);
}
END_TEST

START_TEST(any_prefix_of_a_hostile_file_is_survived)
{
	static const char text[] = "a\\\r\n b=\\u00\\\n41\\ud83d\\ude00\xc3\xa9\\\\\\\n!x\n#\\\ny:z\r\r\n\\=\\ \\:=q\0\xff";
	struct err err = { 0 };

	for (size_t len = 0; len <= sizeof(text); len++) {
		struct props props = { 0 };
		int rc = props_parse(&props, "f", text, len, &err);

		ck_assert(rc == RC_OK || rc == RC_USAGE);
		props_fini(&props);
	}
}
END_TEST

START_TEST(inline_commas_belong_to_the_value_before)
{
	struct props props = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(props_inline(&props, "bootstrap.servers=a:1,b:2,x.y=1, z=2,x.y=3", &err), RC_OK);
	ck_assert_str_eq(props_get(&props, "bootstrap.servers"), "a:1,b:2");
	ck_assert_str_eq(props_get(&props, "x.y"), "3");
	ck_assert_str_eq(props_get(&props, "z"), "2");
	ck_assert_int_eq(props_find(&props, "z")->line, 0);
	props_fini(&props);
	ck_assert_int_eq(props_inline(&props, "f={\"a\":[1,{\"b\":2}]},k=v", &err), RC_OK);
	ck_assert_str_eq(props_get(&props, "f"), "{\"a\":[1,{\"b\":2}]}");
	ck_assert_str_eq(props_get(&props, "k"), "v");
	props_fini(&props);
	ck_assert_int_eq(props_inline(&props, "novalue", &err), RC_USAGE);
	props_fini(&props);
	ck_assert_int_eq(props_inline(&props, "", &err), RC_OK);
	ck_assert_int_eq(props.n, 0);
}
END_TEST

START_TEST(properties_can_be_set_and_removed)
{
	struct props props = { 0 };

	props_set(&props, "a", "1", "f", 1);
	props_set(&props, "b", "2", "f", 2);
	props_set(&props, "a", "3", "g", 7);
	ck_assert_int_eq(props.n, 2);
	ck_assert_str_eq(props_get(&props, "a"), "3");
	props_remove(&props, "a");
	props_remove(&props, "none");
	ck_assert_int_eq(props.n, 1);
	ck_assert_ptr_null(props_find(&props, "a"));
	ck_assert_str_eq(props_get(&props, "b"), "2");
	props_fini(&props);
}
END_TEST

START_TEST(exposure_is_what_others_may_do)
{
	char path[] = "/tmp/krmirror-props-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(props_file_exposure(path), FILE_PRIVATE);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(props_file_exposure(path), FILE_READABLE);
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(props_file_exposure(path), FILE_WRITABLE);
	ck_assert_int_eq(props_file_exposure("/dev/null"), FILE_PRIVATE);
	unlink(path);
}
END_TEST

TCase *props_tests(void)
{
	TCase *tc = tcase_create("props");

	tcase_add_loop_test(tc, properties_are_read_as_java_reads_them, 0, sizeof(goods) / sizeof(goods[0]));
	tcase_add_loop_test(tc, bad_properties_are_told_with_their_line, 0, sizeof(bads) / sizeof(bads[0]));
	tcase_add_test(tc, any_prefix_of_a_hostile_file_is_survived);
	tcase_add_test(tc, inline_commas_belong_to_the_value_before);
	tcase_add_test(tc, properties_can_be_set_and_removed);
	tcase_add_test(tc, exposure_is_what_others_may_do);
	return tc;
}
