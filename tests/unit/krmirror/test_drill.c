/* SPDX-License-Identifier: Apache-2.0 */
/* drill run: plans, names, the order of steps, the report, exit codes. */
#include "base/mem.h"
#include "fake_control.h"
#include "fake_drill.h"
#include "test_krmirror.h"

#include <string.h>
#include <unistd.h>

static char plan[] = "/tmp/krmirror-plan-XXXXXX";

static void setup(void)
{
	int fd;

	ck_assert_int_eq(unsetenv("KRMIRROR_CONFIG"), 0);
	fake = (struct fake_control){ .n_workers = 1 };
	fake_drill = (struct fake_drill){ .rto_ms = 100 };
	memcpy(plan + sizeof(plan) - 7, "XXXXXX", 6);
	fd = mkstemp(plan);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	unlink(plan);
}

static int run(const char *text, const char *more)
{
	char line[300];
	FILE *f = fopen(plan, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	snprintf(line, sizeof(line), "--bootstrap-server localhost:1 drill run --plan %s %s", plan, more);
	return run_cli(line);
}

START_TEST(a_plan_is_checked)
{
	ck_assert_int_eq(run("{\"link\": \"east\"}", ""), OUTCOME_DONE);
	ck_assert_int_eq(run("[]", ""), OUTCOME_USAGE);
	ck_assert_int_eq(run("{\"links\": \"east\"}", ""), OUTCOME_USAGE);
	ck_assert_ptr_nonnull(strstr(cli_err, "did you mean \"link\""));
	ck_assert_int_eq(run("{\"link\": \"east\", \"topics\": 0}", ""), OUTCOME_USAGE);
	ck_assert_int_eq(run("{\"link\": \"east\", \"rate\": \"5\"}", ""), OUTCOME_USAGE);
	ck_assert_int_eq(run("{\"link\": \"east\", \"rpo_limit\": \"x\"}", ""), OUTCOME_USAGE);
	ck_assert_int_eq(run("{\"link\": \"east\", \"rpo_limit\": 5, \"rto_limit\": null, \"groups\": 0}", ""), OUTCOME_DONE);
	ck_assert_int_eq(run(drill_plan_template(), ""), OUTCOME_DONE);
}
END_TEST

START_TEST(a_limit_that_is_exceeded_fails_the_drill)
{
	ck_assert_int_eq(run("{\"link\": \"east\", \"rto_limit\": \"100ms\"}", ""), OUTCOME_DONE);
	ck_assert_int_eq(run("{\"link\": \"east\", \"rto_limit\": \"99ms\"}", ""), OUTCOME_FAILED);
	fake_drill.rpo_records = 7;
	ck_assert_int_eq(run("{\"link\": \"east\", \"rpo_limit\": 7}", ""), OUTCOME_DONE);
	ck_assert_int_eq(run("{\"link\": \"east\", \"rpo_limit\": 6}", ""), OUTCOME_FAILED);
	ck_assert_int_eq(run("{\"link\": \"east\", \"rpo_limit\": \"6ms\"}", ""), OUTCOME_FAILED);
	ck_assert_int_eq(fake_drill.cleaned, 5);
}
END_TEST

START_TEST(a_step_that_fails_ends_it_and_is_cleaned_up_behind)
{
	json_t *doc, *steps;

	fake_drill.fails = "check";
	fake_drill.outcome = OUTCOME_DIVERGED;
	ck_assert_int_eq(run("{\"link\": \"east\"}", "-o json"), OUTCOME_DIVERGED);
	doc = json_loads(cli_out, 0, NULL);
	steps = json_object_get(doc, "steps");
	ck_assert(json_is_false(json_object_get(doc, "ok")));
	ck_assert_int_eq(json_array_size(steps), 12);   /* no positions, no limits, but the cleaning */
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(steps, 10), "detail")), "check does not work");
	ck_assert_int_eq(fake_drill.cleaned, 1);
	json_decref(doc);
	fake_drill.fails = "clean_own";
	fake_drill.outcome = OUTCOME_SOURCE_UNREACHABLE;
	ck_assert_int_eq(run("{\"link\": \"east\"}", ""), OUTCOME_SOURCE_UNREACHABLE);
	/* Without the control log there is nothing to clean by. */
	fake_drill.fails = "connect";
	ck_assert_int_eq(run("{\"link\": \"east\"}", ""), OUTCOME_SOURCE_UNREACHABLE);
	ck_assert_int_eq(fake_drill.cleaned, 2);
}
END_TEST

START_TEST(each_report_is_a_line)
{
	char report[] = "/tmp/krmirror-report-XXXXXX", more[100], text[4000];
	int fd = mkstemp(report);
	FILE *f;

	ck_assert_int_ge(fd, 0);
	close(fd);
	snprintf(more, sizeof(more), "--report %s", report);
	ck_assert_int_eq(run("{\"link\": \"east\"}", more), OUTCOME_DONE);
	fake_drill.fails = "write";
	fake_drill.outcome = OUTCOME_AUTH;
	ck_assert_int_eq(run("{\"link\": \"east\"}", more), OUTCOME_AUTH);
	f = fopen(report, "r");
	for (int i = 0; i < 2; i++) {
		json_t *line = fgets(text, sizeof(text), f) != NULL ? json_loads(text, 0, NULL) : NULL;

		ck_assert_int_eq(json_is_true(json_object_get(line, "ok")), i == 0);
		json_decref(line);
	}
	ck_assert_ptr_null(fgets(text, sizeof(text), f));
	fclose(f);
	unlink(report);
	ck_assert_int_eq(run("{\"link\": \"east\"}", "--report /nowhere/at/all"), OUTCOME_AUTH);
	fake_drill.fails = NULL;
	ck_assert_int_eq(run("{\"link\": \"east\"}", "--report /nowhere/at/all"), OUTCOME_FAILED);
}
END_TEST

START_TEST(a_name_tells_whose_canary_it_is)
{
	struct drill_owner self = drill_owner_self("east", 900000), read, other;
	char name[DRILL_NAME_MAX], prefixed[DRILL_NAME_MAX + 8];
	int64_t now = self.until_s - 900;

	drill_name(&self, 't', 11, name);
	ck_assert(canary_is(name) && strlen(name) < 120);
	snprintf(prefixed, sizeof(prefixed), "west.%s", name);
	ck_assert(drill_name_parse(prefixed, &read) && drill_name_parse(name, &read));
	ck_assert(read.link == self.link && read.host == self.host && read.pid == getpid() && read.ticks == self.ticks &&
		  read.until_s == self.until_s);
	ck_assert(!drill_name_parse("krmirror-drill-of-mine", &read) && !drill_name_parse("orders", &read));
	ck_assert(drill_owner_lives(&self, &self, now));
	other = self;
	other.pid = 1;   /* another process of that id began at another time */
	ck_assert(!drill_owner_lives(&other, &self, now));
	other.host++;
	ck_assert(drill_owner_lives(&other, &self, now));
	ck_assert(drill_owner_lives(&other, &self, now + 900));   /* clocks differ */
	ck_assert(!drill_owner_lives(&other, &self, now + 1100));
}
END_TEST

TCase *drill_tests(void)
{
	TCase *tc = tcase_create("drill");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_plan_is_checked);
	tcase_add_test(tc, a_limit_that_is_exceeded_fails_the_drill);
	tcase_add_test(tc, a_step_that_fails_ends_it_and_is_cleaned_up_behind);
	tcase_add_test(tc, each_report_is_a_line);
	tcase_add_test(tc, a_name_tells_whose_canary_it_is);
	return tc;
}
