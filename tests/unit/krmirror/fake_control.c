/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_control.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/link_config.h"
#include "krmirror/cli.h"
#include "test_krmirror.h"

#include <string.h>

struct fake_control fake;
char cli_out[16384], cli_err[16384];

static enum outcome called(struct session *session, struct err *err, const char *verb, const char *name)
{
	ck_assert_int_lt(fake.n_calls, (int)ARRAY_LEN(fake.calls));
	snprintf(fake.calls[fake.n_calls++], sizeof(fake.calls[0]), "%s %s", verb, name != NULL ? name : "-");
	if (fake.note != NULL)
		notes_add(&session->notes, "%s", fake.note);
	if (fake.verb != OUTCOME_DONE)
		*err = fake.err;
	return fake.verb;
}

bool fake_called(const char *call)
{
	for (int i = 0; i < fake.n_calls; i++)
		if (strcmp(fake.calls[i], call) == 0)
			return true;
	return false;
}

int session_open(struct session *session, struct loop *loop, const struct conf *conf, int64_t deadline_ns,
		 struct err *err)
{
	(void)err;
	ck_assert_ptr_null(loop);
	*session = (struct session){ .conf = conf, .deadline_ns = deadline_ns };
	return RC_OK;
}

void session_close(struct session *session)
{
	notes_fini(&session->notes);
}

enum outcome session_connect(struct session *session, struct err *err)
{
	(void)session;
	if (fake.connect != OUTCOME_DONE)
		*err = fake.err;
	return fake.connect;
}

enum outcome session_workers(struct session *session, int *n, struct err *err)
{
	(void)session;
	(void)err;
	*n = fake.n_workers;
	return OUTCOME_DONE;
}

enum outcome session_resolve(struct session *session, const char *link, const char *topic, char **found,
			     struct err *err)
{
	(void)session;
	if (fake.unknown_topic != NULL && strcmp(topic, fake.unknown_topic) == 0) {
		err_set(err, RC_NOT_FOUND, "no link has a mirror topic \"%s\"", topic);
		return OUTCOME_FAILED;
	}
	*found = xstrdup(link != NULL ? link : "east");
	return OUTCOME_DONE;
}

enum outcome link_create(struct session *session, const struct link_create_opts *opts, struct arena *arena,
			 struct link_info *info, struct err *err)
{
	const char *bootstrap = props_get(opts->config, "bootstrap.servers");

	(void)arena;
	fake.dry_run = opts->dry_run;
	fake.no_validate = opts->no_validate;
	snprintf(fake.bootstrap, sizeof(fake.bootstrap), "%s", bootstrap != NULL ? bootstrap : "");
	if (fake.n_links > 0)
		*info = fake.links[0];
	return called(session, err, "link_create", opts->name);
}

enum outcome link_config_list(struct session *session, const char *name, struct arena *arena, struct link_setting **rows,
			      int *n, struct err *err)
{
	*n = 2;
	*rows = arena_new(arena, struct link_setting, 2);
	(*rows)[0] = (struct link_setting){ .name = "client.id", .value = "krmirror" };
	(*rows)[1] = (struct link_setting){ .name = "ssl.key.password", .set = true, .sensitive = true, .hidden = true };
	return called(session, err, "link_config_list", name);
}

enum outcome link_config_update(struct session *session, const struct link_config_change *change, bool *changed,
				bool *unchecked, struct err *err)
{
	*changed = true;
	*unchecked = change->no_validate;
	ck_assert_str_eq(props_get(change->set, "client.id"), "x");
	return called(session, err, "link_config_update", change->name);
}

enum outcome link_rekey(struct session *session, const struct secret_key *key, int *changed, int *already, struct err *err)
{
	(void)key;
	*changed = 2;
	*already = 1;
	return called(session, err, "link_rekey", NULL);
}

enum outcome inspect_link(struct session *session, const char *link, struct inspection *inspection, struct err *err)
{
	const struct inspection *from = fake.inspection;

	inspection->items = xcalloc((size_t)from->n + 1, sizeof(*from->items));
	inspection->flows = xcalloc((size_t)from->n_flows + 1, sizeof(*from->flows));
	memcpy(inspection->items, from->items, (size_t)from->n * sizeof(*from->items));
	memcpy(inspection->flows, from->flows, (size_t)from->n_flows * sizeof(*from->flows));
	inspection->n = from->n;
	inspection->n_flows = from->n_flows;
	inspection->grants = from->grants;
	memcpy(inspection->grantee, from->grantee, sizeof(from->grantee));
	return called(session, err, "inspect_link", link);
}

enum outcome link_verdict(struct session *session, const char *name, bool *judged, struct err *err)
{
	(void)session;
	(void)name;
	(void)err;
	*judged = true;
	return OUTCOME_DONE;
}

enum outcome link_await_worker(struct session *session, const char *name, struct arena *arena, const char **source_cluster,
			       struct err *err)
{
	(void)arena;
	*source_cluster = "source";
	return called(session, err, "link_await_worker", name);
}

enum outcome link_pause(struct session *session, const char *name, bool *changed, struct err *err)
{
	*changed = !fake.unchanged;
	return called(session, err, "link_pause", name);
}

enum outcome link_resume(struct session *session, const char *name, bool *changed, struct err *err)
{
	*changed = !fake.unchanged;
	return called(session, err, "link_resume", name);
}

enum outcome link_delete(struct session *session, const char *name, struct err *err)
{
	return called(session, err, "link_delete", name);
}

enum outcome link_delete_check(struct session *session, const char *name, struct err *err)
{
	return called(session, err, "link_delete_check", name);
}

enum outcome mirror_create_topic(struct session *session, const struct mirror_create_opts *opts,
				 struct arena *arena, struct mirror_created *created, struct err *err)
{
	(void)arena;
	*created = (struct mirror_created){
		.link_name = opts->link,
		.mirror_topic_name = opts->topic,
		.source_topic_name = opts->source_topic != NULL ? opts->source_topic : opts->topic,
		.num_partition = 6,
		.changed = !fake.unchanged,
		.no_worker = fake.no_worker,
	};
	return called(session, err, "mirror_create", opts->topic);
}

enum outcome mirror_pause(struct session *session, const char *link, const char *topic, bool *changed,
			  struct err *err)
{
	(void)link;
	*changed = !fake.unchanged;
	return called(session, err, "mirror_pause", topic);
}

enum outcome mirror_resume(struct session *session, const char *link, const char *topic, bool *changed,
			   struct err *err)
{
	(void)link;
	*changed = !fake.unchanged;
	return called(session, err, "mirror_resume", topic);
}

enum outcome mirror_delete(struct session *session, const char *link, const char *topic, struct err *err)
{
	(void)link;
	return called(session, err, "mirror_delete", topic);
}

enum outcome mirror_delete_check(struct session *session, const char *link, const char *topic,
				 struct err *err)
{
	(void)link;
	return called(session, err, "mirror_delete_check", topic);
}

enum outcome stop_topics(struct session *session, const struct stop_opts *opts, struct arena *arena,
			    struct stop_result **results, int *n, struct err *err)
{
	(void)arena;
	fake.wait = opts->wait;
	fake.all = opts->all;
	fake.dry_run = opts->dry_run;
	fake.n_topics = opts->n_topics;
	fake.wait_ns = opts->wait_until_ns - clock_mono_ns();
	*results = fake.results;
	*n = fake.n_results;
	return called(session, err, "promote", opts->n_topics > 0 ? opts->topics[0] : "--all");
}

enum outcome report_links(struct session *session, const char *link, bool measure, struct arena *arena,
			  struct link_info **links, int *n, struct err *err)
{
	(void)arena;
	*links = fake.links;
	*n = fake.n_links;
	return called(session, err, measure ? "report_links measured" : "report_links", link);
}

enum outcome report_groups(struct session *session, const char *link, struct arena *arena, struct group_report *report,
			   struct err *err)
{
	static struct group_info all[] = {
		{ .group_id = "billing", .state = GROUP_SKIPPED, .reason = GROUP_ACTIVE_ON_DESTINATION, .partitions = 3,
		  .offsets_behind = -1, .since_ms = -1 },
		{ .group_id = "audit", .state = GROUP_SYNCED, .partitions = 2, .since_ms = 1 },
	};

	(void)arena;
	*report = (struct group_report){ all, ARRAY_LEN(all), true };
	return called(session, err, "report_groups", link);
}

enum outcome report_tasks(struct session *session, const char *link, struct arena *arena, struct task_info **tasks,
			  struct err *err)
{
	static struct task_error_info error = { "AUTHORIZATION_ERROR", "a right is missing" };
	static struct task_info all[TASK_KINDS];

	(void)arena;
	for (int i = 0; i < TASK_KINDS; i++)
		all[i] = (struct task_info){ .task_name = task_name((enum task_kind)i), .state = "ACTIVE" };
	all[0].state = "IN_ERROR";
	all[0].errors = &error;
	all[0].n_errors = 1;
	all[3].state = NULL;
	*tasks = all;
	return called(session, err, "report_tasks", link);
}

enum outcome report_mirrors(struct session *session, const struct report_opts *opts, struct arena *arena,
			    struct mirror_info **mirrors, int *n, struct err *err)
{
	(void)arena;
	fake.measured = opts->measure;
	snprintf(fake.status_asked, sizeof(fake.status_asked), "%s",
		 opts->status != NULL ? opts->status : "");
	*mirrors = fake.mirrors;
	*n = fake.n_mirrors;
	return called(session, err, "report_mirrors", opts->topic);
}

enum outcome report_status(struct session *session, struct arena *arena, struct status_info *status,
			   struct err *err)
{
	(void)arena;
	*status = fake.status;
	return called(session, err, "report_status", NULL);
}

/* conf_load is the real one; of the client below only this is asked for, and never used. */
void cluster_opts_default(struct cluster_opts *opts)
{
	*opts = (struct cluster_opts){ 0 };
}

static void read_back(FILE *file, char *text, size_t size)
{
	size_t n;

	rewind(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
}

int run_cli(const char *line)
{
	char text[512], *words[24], *save = NULL;
	FILE *out = tmpfile(), *errs = tmpfile();
	int n = 0, code;

	snprintf(text, sizeof(text), "krmirror %s", line);
	for (char *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		ck_assert_int_lt(n, (int)ARRAY_LEN(words) - 1);
		words[n++] = word;
	}
	words[n] = NULL;
	fake.n_calls = 0;
	code = cli_main(n, words, out, errs);
	read_back(out, cli_out, sizeof(cli_out));
	read_back(errs, cli_err, sizeof(cli_err));
	return code;
}
