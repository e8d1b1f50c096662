/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler of protocol/, run as a program: its text for one small schema, and its complaints. */
#include "test_wire.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v != NULL ? v : ".";
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = xcalloc(1, 1 << 16);

	ck_assert_msg(f != NULL, "%s", path);
	text[fread(text, 1, (1 << 16) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* Runs kmsgc -o DIR FILES; its complaints without "DIR/". */
static int run(const char *dir, const char *files, char **complaints)
{
	char *cmd = xasprintf("'%s/tools/kmsgc/kmsgc' -o '%s' %s 2>'%s/err'", env("top_builddir"), dir, files, dir);
	char *err = xasprintf("%s/err", dir), *at;
	int status = system(cmd);

	*complaints = slurp(err);
	for (at = strstr(*complaints, dir); at != NULL; at = strstr(at, dir))
		memmove(at, at + strlen(dir) + 1, strlen(at + strlen(dir) + 1) + 1);
	xfree(err);
	xfree(cmd);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void remove_dir(const char *dir)
{
	char *cmd = xasprintf("rm -rf '%s'", dir);

	ck_assert_int_eq(system(cmd), 0);
	xfree(cmd);
}

static void spit(const char *dir, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "wb");

	ck_assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
	xfree(path);
}

static void same_text(const char *dir, const char *name)
{
	char *made = xasprintf("%s/%s", dir, name);
	char *wanted = xasprintf("%s/tests/unit/wire/kmsgc/%s.ok", env("top_srcdir"), name);
	char *a = slurp(made), *b = slurp(wanted);

	ck_assert_str_eq(a, b);
	xfree(a);
	xfree(b);
	xfree(made);
	xfree(wanted);
}

START_TEST(the_text_for_a_small_schema_is_the_known_one)
{
	char dir[] = "kmsgc-XXXXXX";
	char *files = xasprintf("'%s/tests/unit/wire/kmsgc/small.kmsg' '%s/tests/unit/wire/kmsgc/small.kerr'",
				env("top_srcdir"), env("top_srcdir"));
	char *complaints;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(run(dir, files, &complaints), 0);
	ck_assert_str_eq(complaints, "");
	same_text(dir, "small_talk.h");
	same_text(dir, "tables.c");
	same_text(dir, "kerr_codes.h");
	same_text(dir, "kerr_table.c");
	xfree(complaints);
	xfree(files);
	remove_dir(dir);
}
END_TEST

#define HEAD "api 1 Foo 1-3 table 0-3 flexible 2+ to any\n"

static const struct { const char *text, *complaint; } mistakes[] = {
	{ "", "a.kmsg:0: empty\n" },
	{ "api x Foo 1-3 flexible 2+ to any\n",
	  "a.kmsg:1: expected: api KEY Name MIN-MAX [table MIN-MAX] flexible N+|none to ROUTE\n" },
	{ "api 1 Foo 1-3 flexible 2 to any\n",
	  "a.kmsg:1: expected: api KEY Name MIN-MAX [table MIN-MAX] flexible N+|none to ROUTE\n" },
	{ HEAD "response\n", "a.kmsg:2: expected: request\n" },
	{ HEAD "request\n", "a.kmsg:2: expected: response\n" },
	{ HEAD "request\nresponse\nmore\n", "a.kmsg:4: unexpected line after the response\n" },
	{ HEAD "request\n\tA int8\nresponse\n", "a.kmsg:3: indentation is two blanks a level, without tabs\n" },
	{ HEAD "request\n   A int8\nresponse\n", "a.kmsg:3: indentation is two blanks a level, without tabs\n" },
	{ HEAD "request\n  A\nresponse\n", "a.kmsg:3: a field is: Name type [versions] [attributes]\n" },
	{ HEAD "request\n  A int8 odd\nresponse\n", "a.kmsg:3: unknown attribute: odd\n" },
	{ HEAD "request\n  A int8 = zz\nresponse\n", "a.kmsg:3: no default: zz\n" },
	{ HEAD "request\n  A int8\n    B int8\nresponse\n", "a.kmsg:4: too deep: the line above takes no fields\n" },
	{ HEAD "request\n  A int8 4+\nresponse\n", "a.kmsg:3: A: versions begin outside the table's 0-3\n" },
	{ HEAD "request\n  A int8 1-4\nresponse\n", "a.kmsg:3: A: versions end outside the table's 0-3\n" },
	{ HEAD "request\n  A int8 2-1\nresponse\n", "a.kmsg:3: A: versions end outside the table's 0-3\n" },
	{ HEAD "request\n  A string 2+ null 1+\nresponse\n", "a.kmsg:3: A: null outside the versions of the field\n" },
	{ HEAD "request\n  A int8 null\nresponse\n", "a.kmsg:3: A: this type has no null\n" },
	{ HEAD "request\n  A string = null\nresponse\n", "a.kmsg:3: A: default null, but the field has no null\n" },
	{ HEAD "request\n  A int8 = 128\nresponse\n", "a.kmsg:3: A: the default does not fit the type\n" },
	{ HEAD "request\n  A []int8 = 1\nresponse\n", "a.kmsg:3: A: the default does not fit the type\n" },
	{ HEAD "request\n  A int8 plain\nresponse\n", "a.kmsg:3: A: plain is for strings and bytes\n" },
	{ HEAD "request\n  A []records\nresponse\n", "a.kmsg:3: A: an array of records does not exist\n" },
	{ HEAD "request\n  A int8 lossy\nresponse\n", "a.kmsg:3: A: lossy, but no version lacks it\n" },
	{ HEAD "request\n  A int8 tag 0\nresponse\n", "a.kmsg:3: A: tagged in a version that is not flexible\n" },
	{ HEAD "request\n  A int8 2+ tag 1\nresponse\n", "a.kmsg:3: A: tag 1, expected 0\n" },
	{ HEAD "request\n  A int8 2+ tag 0\n  B int8 2+ tag 0\nresponse\n", "a.kmsg:4: B: tag 0, expected 1\n" },
	{ HEAD "request\n  A int8 2+ tag 0\n  B int8\nresponse\n", "a.kmsg:4: B: ordinary field behind a tagged one\n" },
	{ HEAD "request\n  A int8\n  A int8\nresponse\n", "a.kmsg:4: A stands twice in FooRequest\n" },
	{ HEAD "request\n  Long int8\nresponse\n", "a.kmsg:3: Long would be a keyword of C\n" },
	{ HEAD "request\n  A-B int8\nresponse\n", "a.kmsg:3: A-B is not a name\n" },
	{ HEAD "request\n  A []Bar\nresponse\n", "a.kmsg:3: Bar is no type, and has no body here\n" },
	{ HEAD "request\n  A []Bar\n    B int8\n  C []Bar\n    D int8\nresponse\n", "a.kmsg:6: Bar has a body already\n" },
	{ HEAD "request\n  A []Bar\n    B []Bar\nresponse\n", "a.kmsg:3: Bar holds itself\n" },
	{ HEAD "request\n  A []S1\n    A []S2\n      A []S3\n        A []S4\n          A []S5\n            A []S6\n"
	       "              A int8\nresponse\n", "a.kmsg:9: nested deeper than 6\n" },
	{ "api 1 Foo 1-4 table 0-3 flexible 2+ to any\nrequest\nresponse\n",
	  "a.kmsg:1: versions 1-4 are not inside the table's 0-3\n" },
	{ "api 1 Foo 1-3 flexible 2+ to nowhere\nrequest\nresponse\n", "a.kmsg:1: unknown route: nowhere\n" },
};

START_TEST(a_mistake_is_named_with_its_line)
{
	char dir[] = "kmsgc-XXXXXX", *file, *complaints;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	spit(dir, "a.kmsg", mistakes[_i].text);
	file = xasprintf("'%s/a.kmsg'", dir);
	ck_assert_int_eq(run(dir, file, &complaints), 1);
	ck_assert_str_eq(complaints, mistakes[_i].complaint);
	xfree(complaints);
	xfree(file);
	remove_dir(dir);
}
END_TEST

START_TEST(keys_and_labels_are_unique_over_all_files)
{
	char dir[] = "kmsgc-XXXXXX", *files, *complaints;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	spit(dir, "a.kmsg", "api 1 Foo 0-0 flexible none to any\nrequest\n  A Bar\n    B int8\nresponse\n");
	spit(dir, "b.kmsg", "api 2 Baz 0-0 flexible none to any\nrequest\n  A Bar\n    B int8\nresponse\n");
	spit(dir, "c.kmsg", "api 2 Qux 0-0 flexible none to any\nrequest\nresponse\n");
	files = xasprintf("'%s/a.kmsg' '%s/b.kmsg' '%s/c.kmsg'", dir, dir, dir);
	ck_assert_int_eq(run(dir, files, &complaints), 1);
	ck_assert_ptr_nonnull(strstr(complaints, "b.kmsg:3: label Bar is also in "));
	ck_assert_ptr_nonnull(strstr(complaints, "key 2 is "));
	xfree(complaints);
	xfree(files);
	remove_dir(dir);
}
END_TEST

START_TEST(a_mistake_in_the_error_list_is_named)
{
	static const struct { const char *text, *complaint; } cases[] = {
		{ "0 NONE ok yes \"a\"\n", "a.kerr:1: code 0, expected -1\n" },
		{ "-1 NONE ok yes\n", "a.kerr:1: expected: CODE NAME action stored \"sentence\"\n" },
		{ "-1 None ok yes \"a\"\n", "a.kerr:1: None is no name of an error\n" },
		{ "-1 NONE odd yes \"a\"\n", "a.kerr:1: unknown action: odd\n" },
		{ "-1 NONE ok odd \"a\"\n", "a.kerr:1: stored is no, maybe or yes, not odd\n" },
		{ "-1 NONE ok yes \"a\n", "a.kerr:1: the text does not end with a quote\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char dir[] = "kmsgc-XXXXXX", *file, *complaints;

		ck_assert_ptr_nonnull(mkdtemp(dir));
		spit(dir, "a.kerr", cases[i].text);
		file = xasprintf("'%s/a.kerr'", dir);
		ck_assert_int_eq(run(dir, file, &complaints), 1);
		ck_assert_str_eq(complaints, cases[i].complaint);
		xfree(complaints);
		xfree(file);
		remove_dir(dir);
	}
}
END_TEST

TCase *kmsgc_tests(void)
{
	TCase *tc = tcase_create("kmsgc");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_text_for_a_small_schema_is_the_known_one);
	tcase_add_loop_test(tc, a_mistake_is_named_with_its_line, 0, (int)ARRAY_LEN(mistakes));
	tcase_add_test(tc, keys_and_labels_are_unique_over_all_files);
	tcase_add_test(tc, a_mistake_in_the_error_list_is_named);
	return tc;
}
