/* SPDX-License-Identifier: Apache-2.0 */
/* Whole command lines, over a stand-in for the verbs. */
#include "base/mem.h"
#include "fake_control.h"
#include "test_krmirror.h"

#include <jansson.h>
#include <string.h>

#define ON "--bootstrap-server localhost:1 "

static struct partition_info partitions[2];
static struct mirror_info mirror;
static struct link_info link_east;
static struct stop_result result;

static void setup(void)
{
	ck_assert_int_eq(unsetenv("KRMIRROR_CONFIG"), 0);
	fake = (struct fake_control){ .n_workers = 1 };
	for (int i = 0; i < 2; i++)
		partitions[i] = (struct partition_info){ .partition = i,
							 .state = "COPYING",
							 .lag = 5,
							 .lag_ms = -1,
							 .local_log_end_offset = 95,
							 .source_last_stable_offset = 100,
							 .time_since_last_fetch_ms = 12 };
	mirror = (struct mirror_info){ .link_name = "east",
				       .mirror_topic_name = "orders",
				       .source_topic_name = "orders",
				       .mirror_status = "ACTIVE",
				       .num_partition = 2,
				       .max_lag = 5,
				       .partitions = partitions,
				       .read_only = "unenforced: no authorizer" };
	link_east = (struct link_info){ .link_name = "east",
					.link_id = "id",
					.source_cluster = "S",
					.destination_cluster = "D",
					.state = "ACTIVE",
					.last_contact_ms = 1500 };
	result = (struct stop_result){ .info = mirror, .error_code = "NONE" };
	fake.mirrors = &mirror;
	fake.n_mirrors = 1;
	fake.links = &link_east;
	fake.n_links = 1;
	fake.results = &result;
	fake.n_results = 1;
}

static void fails(enum outcome outcome, int rc, const char *text, const char *hint)
{
	fake.verb = outcome;
	err_set(&fake.err, rc, "%s", text);
	err_hint(&fake.err, "%s", hint);
	result.outcome = outcome;
	result.err = fake.err;
	snprintf(result.error_code, sizeof(result.error_code), "%s", outcome_word(outcome, &fake.err));
}

static void out_has(const char *text)
{
	ck_assert_msg(strstr(cli_out, text) != NULL, "%s\nnot in:\n%s", text, cli_out);
}

static void err_has(const char *text)
{
	ck_assert_msg(strstr(cli_err, text) != NULL, "%s\nnot in:\n%s", text, cli_err);
}

/* Standard output as one document; the caller drops the reference. */
static json_t *document(void)
{
	json_error_t at;
	json_t *doc = json_loads(cli_out, 0, &at);

	ck_assert_msg(doc != NULL, "%s in:\n%s", at.text, cli_out);
	return doc;
}

static const char *word(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	ck_assert_msg(value != NULL, "no %s in %s", key, cli_out);
	return json_is_null(value) ? "null" : json_string_value(value);
}

START_TEST(a_wrong_line_is_2_with_the_error_document)
{
	json_t *doc;

	ck_assert_int_eq(run_cli("-o json lnk list"), 2);
	doc = document();
	ck_assert_str_eq(word(json_object_get(doc, "error"), "code"), "USAGE");
	json_decref(doc);
	ck_assert_int_eq(run_cli("lnk list"), 2);
	ck_assert_str_eq(cli_out, "");
	ck_assert_str_eq(cli_err, "krmirror: unknown command 'lnk': this version has no such command\n"
				  "  did you mean 'krmirror link'?\n");
}
END_TEST

START_TEST(without_a_destination_it_is_2_and_says_how)
{
	ck_assert_int_eq(run_cli("status"), 2);
	err_has("bootstrap.servers");
	err_has("--bootstrap-server HOST:PORT");
	ck_assert_int_eq(run_cli("status -c /nonexistent/krmirror.properties"), 2);
	err_has("/nonexistent/krmirror.properties");
}
END_TEST

START_TEST(an_unreachable_destination_is_4)
{
	json_t *doc;

	fake.connect = OUTCOME_DESTINATION_UNREACHABLE;
	err_set(&fake.err, RC_CONNECT, "destination: localhost:1 refused");
	ck_assert_int_eq(run_cli(ON "-o json mirror list"), 4);
	doc = document();
	ck_assert_str_eq(word(json_object_get(doc, "error"), "code"), "DESTINATION_UNREACHABLE");
	json_decref(doc);
	err_has("krmirror: destination: localhost:1 refused\n");
}
END_TEST

START_TEST(link_create_merges_its_settings)
{
	json_t *doc;

	ck_assert_int_eq(run_cli(ON "link create east --config bootstrap.servers=a:1,b:2"), 0);
	ck_assert_str_eq(cli_out, "Created cluster link \"east\".\n");
	ck_assert_str_eq(fake.bootstrap, "a:1,b:2");
	ck_assert_int_eq(run_cli(ON "link create east --config bootstrap.servers=a:1 "
				    "--source-bootstrap-server c:3 -o json"),
			 0);
	ck_assert_str_eq(fake.bootstrap, "c:3");
	doc = document();
	ck_assert_str_eq(word(doc, "source_cluster"), "S");
	json_decref(doc);
	ck_assert_int_eq(run_cli(ON "link create east"), 2);
	err_has("--source-bootstrap-server LIST");
	ck_assert_int_eq(fake.n_calls, 0);
	ck_assert_int_eq(run_cli(ON "link create east --config-file /nonexistent"), 2);
	err_has("/nonexistent");
	ck_assert_int_eq(run_cli(ON "link create east --source-bootstrap-server c:3 --dry-run --no-validate"),
			 0);
	ck_assert(fake.dry_run && fake.no_validate);
	out_has("Nothing was recorded.");
}
END_TEST

START_TEST(deletes_without_a_terminal_need_yes)
{
	json_t *doc;

	ck_assert_int_eq(run_cli(ON "link delete east -o json"), 6);
	ck_assert(!fake_called("link_delete east"));
	doc = document();
	ck_assert_str_eq(word(json_object_get(doc, "error"), "code"), "CONFIRMATION_NEEDED");
	ck_assert_str_eq(word(json_object_get(doc, "error"), "hint"), "add --yes");
	json_decref(doc);
	ck_assert_int_eq(run_cli(ON "link delete east --no-confirm"), 0);
	ck_assert(fake_called("link_delete east"));
	ck_assert_int_eq(run_cli(ON "mirror delete orders"), 6);
	ck_assert(!fake_called("mirror_delete orders"));
	ck_assert_int_eq(run_cli(ON "mirror delete orders --yes"), 0);
	ck_assert(fake_called("mirror_delete orders"));
	fails(OUTCOME_REFUSED, RC_REFUSED, "it has a mirror that is not STOPPED", "promote it");
	ck_assert_int_eq(run_cli(ON "link delete east"),
			 6); /* what refuses it is said before anybody is asked */
	err_has("not STOPPED");
	err_has("  promote it");
}
END_TEST

START_TEST(mirror_create_says_how_to_start_a_worker)
{
	json_t *doc;

	fake.no_worker = true;
	ck_assert_int_eq(run_cli(ON "mirror create orders --link east -o json"), 0);
	err_has("warning: no worker is running");
	err_has("krmirrord -c ");
	doc = document();
	ck_assert_int_eq(json_integer_value(json_object_get(doc, "num_partition")), 6);
	json_decref(doc);
	fake.unchanged = true;
	ck_assert_int_eq(run_cli(ON "mirror create orders --link east"), 0);
	out_has("there already");
	ck_assert_int_eq(run_cli(ON "mirror create orders"), 2);
	err_has("needs the link: --link NAME");
}
END_TEST

START_TEST(lists_exit_by_the_worst_mirror)
{
	ck_assert_int_eq(run_cli(ON "mirror list"), 0);
	out_has("orders");
	ck_assert(fake.measured);
	mirror.failed_partitions = 1;
	ck_assert_int_eq(run_cli(ON "mirror list"), 1);
	ck_assert_int_eq(run_cli(ON "link list"), 1);
	mirror.diverged = true;
	ck_assert_int_eq(run_cli(ON "mirror list -o json"), 8);
	json_decref(document());
	ck_assert_int_eq(run_cli(ON "link list -o json"), 8);
	json_decref(document());
	ck_assert_int_eq(run_cli(ON "mirror describe orders"), 0);
	ck_assert_int_eq(run_cli(ON "mirror list --mirror-status pending_stopped"), 8);
	ck_assert_str_eq(fake.status_asked, "PENDING_STOPPED");
	ck_assert_int_eq(run_cli(ON "mirror list --mirror-status dead"), 2);
	err_has("unknown mirror status 'dead'");
}
END_TEST

START_TEST(empty_lists_say_what_comes_next)
{
	fake.n_links = fake.n_mirrors = 0;
	ck_assert_int_eq(run_cli(ON "link list"), 0);
	out_has("krmirror link create");
	ck_assert_int_eq(run_cli(ON "mirror list"), 0);
	out_has("krmirror mirror create");
	ck_assert_int_eq(run_cli(ON "mirror list -o json"), 0);
	ck_assert_str_eq(cli_out, "[]\n");
	fake.n_results = 0;
	ck_assert_int_eq(run_cli(ON "promote --all"), 0);
	out_has("No mirror topics to promote.");
}
END_TEST

START_TEST(one_topic_that_fails_does_not_keep_the_others)
{
	json_t *doc;

	fake.unknown_topic = "odrers";
	ck_assert_int_eq(run_cli(ON "mirror pause odrers orders -o json"), 1);
	ck_assert(fake_called("mirror_pause orders"));
	doc = document();
	ck_assert_uint_eq(json_array_size(doc), 3); /* one that was refused, two partitions */
	ck_assert_str_eq(word(json_array_get(doc, 0), "error_code"), "NOT_FOUND");
	ck_assert_str_eq(word(json_array_get(doc, 0), "partition"), "null");
	ck_assert_str_eq(word(json_array_get(doc, 1), "error_code"), "null");
	json_decref(doc);
	err_has("krmirror: no link has a mirror topic \"odrers\"");
	fake.n_workers = 0;
	ck_assert_int_eq(run_cli(ON "mirror resume orders"), 0);
	out_has("Resumed mirror topic \"orders\".");
	err_has("no worker is running");
	ck_assert_int_eq(run_cli(ON "link resume east"), 0);
	err_has("no worker is running");
	ck_assert_int_eq(run_cli(ON "link pause east -o json"), 0);
	json_decref(document());
}
END_TEST

START_TEST(promote_tells_what_came_of_it)
{
	json_t *doc;

	ck_assert_int_eq(run_cli(ON "promote orders"), 0);
	out_has("Watch it: krmirror mirror describe orders");
	ck_assert(!fake.wait);
	ck_assert_str_eq(cli_err, "");
	fake.n_workers = 0;
	ck_assert_int_eq(run_cli(ON "promote orders"), 0);
	err_has("no worker is running: nobody acts on the wish until one runs, or until promote is run with --wait");
	result.info.mirror_status = "STOPPED";
	result.info.stopped_how = "promoted";
	result.door = "marker";
	ck_assert_int_eq(run_cli(ON "mirror promote orders --wait=90s -o json"), 0);
	ck_assert(fake.wait);
	ck_assert(fake.wait_ns > 80 * INT64_C(1000000000) && fake.wait_ns <= 90 * INT64_C(1000000000));
	doc = document();
	ck_assert_uint_eq(json_array_size(doc), 2);
	ck_assert_str_eq(word(json_array_get(doc, 0), "door"), "marker");
	ck_assert_str_eq(word(json_array_get(doc, 0), "error_code"), "null");
	json_decref(doc);
	ck_assert_int_eq(run_cli(ON "promote orders --wait"), 0);
	ck_assert(fake.wait_ns > INT64_C(86400) * 1000000000);
	result.finished = true;
	ck_assert_int_eq(run_cli(ON "promote orders"), 0);
	out_has("was promoted before");
}
END_TEST

START_TEST(promote_fails_by_its_exit_codes)
{
	json_t *doc;

	fails(OUTCOME_TIMED_OUT, RC_TIMEOUT, "lag 10 at the deadline", "run it again");
	ck_assert_int_eq(run_cli(ON "promote orders --wait=1s -o json"), 7);
	doc = document();
	ck_assert_str_eq(word(json_array_get(doc, 0), "error_code"), "TIMED_OUT");
	ck_assert_str_eq(word(json_array_get(doc, 0), "error_message"), "lag 10 at the deadline");
	json_decref(doc);
	fails(OUTCOME_REFUSED, RC_REFUSED, "a producer still writes to orders/1", "stop it");
	ck_assert_int_eq(run_cli(ON "promote orders --wait=1s"), 6);
	err_has("krmirror: a producer still writes to orders/1\n  stop it\n");
	fails(OUTCOME_SOURCE_UNREACHABLE, RC_CONNECT, "source: no broker answers", "");
	fake.n_results = 0;
	ck_assert_int_eq(run_cli(ON "promote --all -o json"), 3);
	doc = document();
	ck_assert_str_eq(word(json_object_get(doc, "error"), "code"), "SOURCE_UNREACHABLE");
	json_decref(doc);
}
END_TEST

START_TEST(a_duration_that_is_no_topic_is_a_misspelt_wait)
{
	fake.unknown_topic = "60s";
	ck_assert_int_eq(run_cli(ON "promote orders --wait 60s"), 2);
	err_has("--wait=60s");
	ck_assert(!fake_called("promote orders"));
	fake.unknown_topic = NULL; /* there is a topic of that name */
	ck_assert_int_eq(run_cli(ON "promote 60s --wait"), 0);
	ck_assert(fake_called("promote 60s"));
}
END_TEST

START_TEST(status_shows_links_workers_and_what_comes_next)
{
	struct status_link link = { .link_name = "east",
				    .state = "ACTIVE",
				    .mirrors = 3,
				    .max_lag = -1,
				    .last_contact_ms = -1,
				    .next = "krmirror mirror resume orders" };
	struct worker_info worker = { .worker_id = "w1", .version = "0.1.0", .live = true };
	json_t *doc;

	fake.status = (struct status_info){ .destination_cluster = "D", .links = &link, .n_links = 1 };
	ck_assert_int_eq(run_cli(ON "status"), 0);
	out_has("none running");
	out_has("krmirror mirror resume orders");
	err_has("no worker is running");
	fake.status.workers = &worker;
	fake.status.n_workers = 1;
	ck_assert_int_eq(run_cli(ON "status"), 0);
	out_has("w1 (0.1.0)");
	ck_assert_str_eq(cli_err, "");
	ck_assert_int_eq(run_cli(ON "status -o json"), 0);
	doc = document();
	ck_assert_str_eq(word(json_array_get(json_object_get(doc, "links"), 0), "max_lag"), "null");
	ck_assert_str_eq(word(json_array_get(json_object_get(doc, "workers"), 0), "worker_id"), "w1");
	json_decref(doc);
}
END_TEST

static struct right rights[] = {
	{ SIDE_SOURCE, RIGHT_TOPIC, "orders", false, false, true, RIGHT_READ, "Fetch", "it stops", RIGHT_MISSING },
	{ SIDE_SOURCE, RIGHT_TOPIC, "orders", false, false, true, RIGHT_DESCRIBE, "Metadata", "it stops", RIGHT_HELD },
	{ SIDE_SOURCE, RIGHT_TOPIC, "orders", false, false, true, RIGHT_DESCRIBE_CONFIGS, "it", "it stops", RIGHT_HELD },
	{ SIDE_SOURCE, RIGHT_CLUSTER, "kafka-cluster", false, false, false, RIGHT_DESCRIBE, "it", "not much", RIGHT_HELD },
};

START_TEST(link_check_shows_what_is_wrong_and_exits_by_it)
{
	struct inspect_item items[] = {
		{ .side = SIDE_SOURCE, .broker = 2, .address = "b2:9092", .name = "LISTENER", .status = INSPECT_FAILED,
		  .needed = true, .reason = "CONNECT", .detail = "refused", .hint = "start it", .expiry_ms = -1,
		  .outcome = OUTCOME_SOURCE_UNREACHABLE },
		{ .side = SIDE_SOURCE, .broker = -1, .name = "RIGHT", .status = INSPECT_FAILED, .needed = true,
		  .reason = "RIGHT_MISSING", .detail = "READ on Topic orders is missing", .expiry_ms = -1,
		  .outcome = OUTCOME_AUTH, .right = &rights[0] },
		{ .side = SIDE_SOURCE, .broker = -1, .name = "RIGHT", .needed = true, .expiry_ms = -1, .right = &rights[1] },
		{ .side = SIDE_SOURCE, .broker = -1, .name = "RIGHT", .needed = true, .expiry_ms = -1, .right = &rights[2] },
	};
	struct inspect_flow flow = { "worker", "source", 2, "b2", 9092, "advertised listener" };
	struct inspection found = { .items = items, .n = ARRAY_LEN(items), .flows = &flow, .n_flows = 1,
				    .grants = { rights, ARRAY_LEN(rights) },
				    .grantee[SIDE_SOURCE] = { "User:o'neill", "a note", "b1:9092", true } };
	json_t *doc, *first;

	fake.inspection = &found;
	ck_assert_int_eq(run_cli(ON "link check east"), OUTCOME_AUTH);
	out_has("start it");
	out_has("READ on Topic orders is missing");
	out_has("Topic orders: DESCRIBE, DESCRIBE_CONFIGS");
	ck_assert_int_eq(run_cli(ON "link check east -o json --print-acls --ports"), OUTCOME_AUTH);
	doc = document();
	first = json_array_get(json_object_get(doc, "checks"), 0);
	ck_assert(json_is_false(json_object_get(doc, "ok")) && json_is_false(json_object_get(first, "ok")));
	ck_assert_str_eq(word(first, "reason"), "CONNECT");
	ck_assert_uint_eq(json_array_size(json_object_get(doc, "acls")), 2);
	ck_assert_uint_eq(json_array_size(json_object_get(doc, "flows")), 1);
	json_decref(doc);
	ck_assert_int_eq(run_cli(ON "link check east --print-acls"), OUTCOME_AUTH);
	ck_assert_str_eq(cli_out, "# a note\n"
		"kafka-acls --bootstrap-server 'b1:9092' --command-config admin.properties --add --allow-principal "
		"'User:o'\\''neill' --operation Read --operation Describe --operation DescribeConfigs --topic 'orders'\n"
		"# optional; without DESCRIBE: not much\n"
		"kafka-acls --bootstrap-server 'b1:9092' --command-config admin.properties --add --allow-principal "
		"'User:o'\\''neill' --operation Describe --cluster\n");
	err_has("READ on Topic orders is missing");
	ck_assert_int_eq(run_cli(ON "link check east --ports"), OUTCOME_AUTH);
	ck_assert_str_eq(cli_out, "tcp from worker to b2:9092  # source broker 2, advertised listener\n");
	found.n = 0;
	ck_assert_int_eq(run_cli(ON "link check east"), 0);
}
END_TEST

START_TEST(notes_are_warnings_and_said_once)
{
	fake.note = "source of link east does not answer";
	ck_assert_int_eq(run_cli(ON "mirror describe orders -o json"), 0);
	ck_assert_str_eq(cli_err, "krmirror: warning: source of link east does not answer\n");
	json_decref(document());
}
END_TEST

START_TEST(settings_are_listed_and_secrets_hidden)
{
	ck_assert_int_eq(run_cli(ON "link configuration list east"), 0);
	ck_assert(fake_called("link_config_list east"));
	ck_assert_ptr_nonnull(strstr(cli_out, "[hidden]"));
	ck_assert_int_eq(run_cli(ON "link configuration list east -o json"), 0);
	ck_assert_ptr_nonnull(strstr(cli_out, "\"config_name\": \"ssl.key.password\""));
	ck_assert_ptr_nonnull(strstr(cli_out, "\"config_value\": null"));
	ck_assert_ptr_nonnull(strstr(cli_out, "DYNAMIC_CLUSTER_LINK_CONFIG"));
	ck_assert_int_eq(run_cli(ON "link configuration"), 2);
	ck_assert_int_eq(run_cli(ON "link configuration lost east"), 2);
}
END_TEST

START_TEST(tasks_are_listed_with_their_errors)
{
	json_t *tasks, *error;

	ck_assert_int_eq(run_cli(ON "link task list east"), 0);
	ck_assert(fake_called("report_tasks east"));
	ck_assert_ptr_nonnull(strstr(cli_out, "TopicConfigsSync"));
	ck_assert_ptr_nonnull(strstr(cli_out, "a right is missing"));
	ck_assert_int_eq(run_cli(ON "link task list --link east -o json"), 0);
	tasks = document();
	ck_assert_int_eq(json_array_size(tasks), 5);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(tasks, 0), "state")), "IN_ERROR");
	error = json_array_get(json_object_get(json_array_get(tasks, 0), "errors"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(error, "error_code")), "AUTHORIZATION_ERROR");
	ck_assert(json_is_null(json_object_get(json_array_get(tasks, 3), "state")));
	json_decref(tasks);
}
END_TEST

START_TEST(groups_are_listed_with_their_reasons)
{
	json_t *groups, *first;

	ck_assert_int_eq(run_cli(ON "group list"), 2);
	ck_assert_ptr_nonnull(strstr(cli_err, "--link"));
	ck_assert_int_eq(run_cli(ON "group list --link east"), 0);
	ck_assert(fake_called("report_groups east"));
	ck_assert_ptr_nonnull(strstr(cli_out, "ACTIVE_ON_DESTINATION"));
	ck_assert_int_eq(run_cli(ON "group list --link east -o json"), 0);
	groups = document();
	first = json_array_get(groups, 0);
	ck_assert_int_eq(json_array_size(groups), 2);
	ck_assert_str_eq(json_string_value(json_object_get(first, "state")), "SKIPPED");
	ck_assert(json_is_null(json_object_get(first, "offsets_behind")));
	ck_assert(json_is_null(json_object_get(first, "age_ms")));
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(groups, 1), "offsets_behind")), 0);
	json_decref(groups);
}
END_TEST

START_TEST(settings_are_updated)
{
	ck_assert_int_eq(run_cli(ON "link configuration update east --config client.id=x"), 0);
	ck_assert_str_eq(cli_out, "Updated cluster link \"east\".\n");
	ck_assert_int_eq(run_cli(ON "link configuration update east"), 2);
	ck_assert_ptr_nonnull(strstr(cli_err, "what to change was not said"));
	ck_assert_int_eq(run_cli(ON "link rekey"), 2);
	ck_assert_ptr_nonnull(strstr(cli_err, "--new-key-file"));
	ck_assert_int_eq(run_cli(ON "link rekey --new-key-file /nowhere/key"), 2);
}
END_TEST

START_TEST(the_template_has_every_key)
{
	ck_assert_int_eq(run_cli("link template"), 0);
	ck_assert_ptr_nonnull(strstr(cli_out, "\nbootstrap.servers=\n"));
	ck_assert_ptr_nonnull(strstr(cli_out, "\n#replica.fetch.max.bytes=1048576\n"));
	ck_assert_ptr_nonnull(strstr(cli_out, "\n#sasl.jaas.config=\n"));
	ck_assert_ptr_null(strstr(cli_out, "metric.reporters"));
}
END_TEST

TCase *commands_tests(void)
{
	TCase *tc = tcase_create("commands");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_wrong_line_is_2_with_the_error_document);
	tcase_add_test(tc, without_a_destination_it_is_2_and_says_how);
	tcase_add_test(tc, an_unreachable_destination_is_4);
	tcase_add_test(tc, link_create_merges_its_settings);
	tcase_add_test(tc, deletes_without_a_terminal_need_yes);
	tcase_add_test(tc, mirror_create_says_how_to_start_a_worker);
	tcase_add_test(tc, lists_exit_by_the_worst_mirror);
	tcase_add_test(tc, empty_lists_say_what_comes_next);
	tcase_add_test(tc, one_topic_that_fails_does_not_keep_the_others);
	tcase_add_test(tc, promote_tells_what_came_of_it);
	tcase_add_test(tc, promote_fails_by_its_exit_codes);
	tcase_add_test(tc, a_duration_that_is_no_topic_is_a_misspelt_wait);
	tcase_add_test(tc, status_shows_links_workers_and_what_comes_next);
	tcase_add_test(tc, link_check_shows_what_is_wrong_and_exits_by_it);
	tcase_add_test(tc, notes_are_warnings_and_said_once);
	tcase_add_test(tc, settings_are_listed_and_secrets_hidden);
	tcase_add_test(tc, tasks_are_listed_with_their_errors);
	tcase_add_test(tc, groups_are_listed_with_their_reasons);
	tcase_add_test(tc, settings_are_updated);
	tcase_add_test(tc, the_template_has_every_key);
	return tc;
}
