/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "krmirror/output.h"
#include "krmirror/prompt.h"
#include "krmirror/text.h"
#include "test_krmirror.h"

#include <string.h>

/* Both streams of a command, as temporary files: isatty wants a descriptor. */
static FILE *out, *errs;
static struct output o;
static char text[2][4096];

static void begin(bool json)
{
	out = tmpfile();
	errs = tmpfile();
	ck_assert(out != NULL && errs != NULL);
	output_init(&o, json, out, errs);
}

static void read_back(FILE *file, char *buf, size_t size)
{
	size_t n;

	rewind(file);
	n = fread(buf, 1, size - 1, file);
	buf[n] = '\0';
	fclose(file);
}

static void end(void)
{
	ck_assert(output_close(&o));
	read_back(out, text[0], sizeof(text[0]));
	read_back(errs, text[1], sizeof(text[1]));
}

START_TEST(json_is_one_document_and_nothing_else)
{
	begin(true);
	output_say(&o, "Created it.");
	output_note(&o, "a note");
	output_warn(&o, "a warning");
	output_document(&o, json_pack("{s:i}", "n", 3));
	end();
	ck_assert_str_eq(text[0], "{\n  \"n\": 3\n}\n");
	ck_assert_str_eq(text[1], "krmirror: a note\nkrmirror: warning: a warning\n");
}
END_TEST

START_TEST(people_get_text_and_no_document)
{
	begin(false);
	output_say(&o, "Created %s.", "it");
	output_document(&o, json_object());
	end();
	ck_assert_str_eq(text[0], "Created it.\n");
	ck_assert_str_eq(text[1], "");
}
END_TEST

START_TEST(a_failure_is_the_error_document)
{
	struct err err = { 0 };
	json_t *doc, *error;

	err_set(&err, RC_NOT_FOUND, "no \"such\" link");
	err_hint(&err, "look again");
	begin(true);
	output_failure(&o, "NOT_FOUND", &err);
	end();
	doc = json_loads(text[0], 0, NULL);
	ck_assert_ptr_nonnull(doc);
	error = json_object_get(doc, "error");
	ck_assert_str_eq(json_string_value(json_object_get(error, "code")), "NOT_FOUND");
	ck_assert_str_eq(json_string_value(json_object_get(error, "message")), "no \"such\" link");
	ck_assert_str_eq(json_string_value(json_object_get(error, "hint")), "look again");
	json_decref(doc);
	ck_assert_str_eq(text[1], "krmirror: no \"such\" link\n  look again\n");
}
END_TEST

START_TEST(a_failure_after_the_document_is_no_second_one)
{
	struct err err = { 0 };

	err_set(&err, RC_CONNECT, "gone");
	begin(true);
	output_document(&o, json_array());
	output_failure(&o, "FAILED", &err);
	end();
	ck_assert_str_eq(text[0], "[]\n");
	ck_assert_str_eq(text[1], "krmirror: gone\n");
}
END_TEST

START_TEST(text_that_is_no_utf8_still_makes_a_document)
{
	json_t *value = json_text("caf\xe9 \xff!");

	ck_assert_str_eq(json_string_value(value), "caf? ?!");
	json_decref(value);
	value = json_text("caf\xc3\xa9");
	ck_assert_str_eq(json_string_value(value), "caf\xc3\xa9");
	json_decref(value);
	value = json_known(-1);
	ck_assert(json_is_null(value));
	json_decref(value);
}
END_TEST

START_TEST(tables_align_numbers_right_and_cut_nothing)
{
	static const struct column columns[] = {
		{ .name = "Name" },
		{ .name = "Lag", .right = true },
		{ .name = "Error", .wraps = true },
	};
	char longest[301];
	struct table *table = table_create(columns, ARRAY_LEN(columns));

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	begin(false);
	table_row(table);
	table_text(table, "orders");
	table_known(table, 12345);
	table_text(table, longest);
	table_row(table);
	table_text(table, "o");
	table_known(table, -1);
	table_text(table, NULL);
	table_print(table, o.out);
	end();
	ck_assert_msg(strncmp(text[0], "Name     Lag Error\norders 12345 xxx", 35) == 0, "%s", text[0]);
	ck_assert_ptr_nonnull(strstr(text[0], longest));
	ck_assert_msg(strstr(text[0], "\no          - -\n") != NULL, "%s", text[0]);
}
END_TEST

START_TEST(a_full_disk_is_noticed)
{
	FILE *full = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(full);
	errs = tmpfile();
	output_init(&o, true, full, errs);
	output_document(&o, json_array());
	ck_assert(!output_close(&o));
	fclose(full);
	fclose(errs);
}
END_TEST

START_TEST(deletes_want_a_terminal_or_yes)
{
	struct err err = { 0 };

	begin(false);
	ck_assert_int_eq(prompt_delete(&o, true, &err, "cluster link", "l"), RC_OK);
	ck_assert_int_eq(prompt_delete(&o, false, &err, "cluster link", "l"), RC_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.text, "cluster link 'l'"));
	ck_assert_str_eq(err.hint, "add --yes");
	ck_assert_int_eq(prompt_fail(&o, &err), OUTCOME_REFUSED);
	end();
}
END_TEST

START_TEST(progress_elsewhere_than_on_a_terminal_is_rare)
{
	begin(false);
	output_progress(&o, "lag 10");
	output_progress(&o, "lag 9");
	output_progress(&o, "lag 9");
	end();
	ck_assert_str_eq(text[1], "krmirror: lag 10\n");
}
END_TEST

START_TEST(ages_and_times_are_short)
{
	char t[48];

	ck_assert_str_eq(text_ago(-1, t, sizeof(t)), "-");
	ck_assert_str_eq(text_ago(0, t, sizeof(t)), "now");
	ck_assert_str_eq(text_ago(999, t, sizeof(t)), "999ms ago");
	ck_assert_str_eq(text_ago(61000, t, sizeof(t)), "1m ago");
	ck_assert_str_eq(text_time(-1, t, sizeof(t)), "-");
	ck_assert_str_eq(text_time(1767225605000, t, sizeof(t)), "2026-01-01 00:00:05Z");
}
END_TEST

TCase *output_tests(void)
{
	TCase *tc = tcase_create("output");

	tcase_add_test(tc, json_is_one_document_and_nothing_else);
	tcase_add_test(tc, people_get_text_and_no_document);
	tcase_add_test(tc, a_failure_is_the_error_document);
	tcase_add_test(tc, a_failure_after_the_document_is_no_second_one);
	tcase_add_test(tc, text_that_is_no_utf8_still_makes_a_document);
	tcase_add_test(tc, tables_align_numbers_right_and_cut_nothing);
	tcase_add_test(tc, a_full_disk_is_noticed);
	tcase_add_test(tc, deletes_want_a_terminal_or_yes);
	tcase_add_test(tc, progress_elsewhere_than_on_a_terminal_is_rare);
	tcase_add_test(tc, ages_and_times_are_short);
	return tc;
}
