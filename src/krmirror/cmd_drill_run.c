/* SPDX-License-Identifier: Apache-2.0 */
/* drill run: the steps in their order, one report. A step that fails ends the drill, but for the cleaning. */
#include "base/clock.h"
#include "base/mem.h"
#include "control/mirrors.h"
#include "krmirror/drill.h"
#include "krmirror/report.h"

#include <string.h>

struct running {
	struct drill drill;
	json_t *steps;
	char started[CLOCK_TEXT_MAX];
	enum outcome worst;
	struct err err;              /* of the first failure */
};

static drill_step_fn limits;

static const struct step {
	const char *name;
	drill_step_fn *fn;
} steps[] = {
	{ "connect", drill_connect },   { "source", drill_source },     { "clean", drill_clean },
	{ "create", drill_create },     { "mirror", drill_mirror_step }, { "write", drill_write },
	{ "copy", drill_copy },         { "groups", drill_groups },     { "failover", drill_failover },
	{ "writable", drill_writable }, { "check", drill_check },       { "positions", drill_positions },
	{ "limits", limits },
};

static enum outcome limits(struct drill *d, struct err *err)
{
	const struct drill_plan *p = &d->plan;

	drill_detail(d, "RTO %lld ms, RPO %lld records, %lld ms", (long long)d->rto_ms, (long long)d->rpo_records,
		     (long long)d->rpo_ms);
	if (p->rto_limit_ms >= 0 && d->rto_ms > p->rto_limit_ms)
		err_set(err, RC_REFUSED, "RTO %lld ms: rto_limit is %lld ms", (long long)d->rto_ms,
			(long long)p->rto_limit_ms);
	else if (p->rpo_limit_records >= 0 && d->rpo_records > p->rpo_limit_records)
		err_set(err, RC_REFUSED, "%lld records were lost: rpo_limit is %lld", (long long)d->rpo_records,
			(long long)p->rpo_limit_records);
	else if (p->rpo_limit_ms >= 0 && d->rpo_ms > p->rpo_limit_ms)
		err_set(err, RC_REFUSED, "records of %lld ms were lost: rpo_limit is %lld ms", (long long)d->rpo_ms,
			(long long)p->rpo_limit_ms);
	return err->rc == RC_OK ? OUTCOME_DONE : OUTCOME_FAILED;
}

/* --- steps ------------------------------------------------------------------------------------------------------ */

static enum outcome step(struct running *r, const char *name, drill_step_fn *fn)
{
	struct drill *d = &r->drill;
	int64_t began = clock_mono_ns();
	struct err err = { 0 };
	enum outcome outcome;

	if (d->cli->output.tty)   /* cron mails every word */
		output_progress(&d->cli->output, "drill: %s", name);
	d->detail[0] = '\0';
	d->session->deadline_ns = began + d->cli->args.timeout_ms * NS_PER_MS;
	outcome = fn(d, &err);
	/* A wait of the drill's own that was too short is a drill that failed: nothing goes on behind it. */
	if (outcome == OUTCOME_TIMED_OUT || outcome == OUTCOME_REFUSED)
		outcome = OUTCOME_FAILED;
	json_array_append_new(r->steps, json_pack("{s:s, s:b, s:I, s:o}", "name", name, "ok", outcome == OUTCOME_DONE, "ms",
						  (json_int_t)((clock_mono_ns() - began) / NS_PER_MS), "detail",
						  json_text(outcome != OUTCOME_DONE ? err.text : d->detail[0] != '\0' ?
							    d->detail : NULL)));
	if (outcome != OUTCOME_DONE && r->worst == OUTCOME_DONE)
		r->err = err;
	r->worst = outcome_worse(r->worst, outcome);
	return outcome;
}

static void run_steps(struct running *r)
{
	enum outcome outcome = OUTCOME_DONE;

	for (size_t i = 0; i < ARRAY_LEN(steps) && outcome == OUTCOME_DONE; i++)
		outcome = step(r, steps[i].name, steps[i].fn);
	if (r->drill.connected)
		(void)!step(r, "cleanup", drill_clean_own);
}

/* --- the report -------------------------------------------------------------------------------------------------- */

static json_t *document(const struct running *r)
{
	const struct drill *d = &r->drill;

	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:O}", "plan", d->plan_path, "started", r->started, "ok",
			 r->worst == OUTCOME_DONE, "rto_ms", json_known(d->rto_ms), "rpo_records",
			 json_known(d->rpo_records), "rpo_ms", json_known(d->rpo_ms), "steps", r->steps);
}

static void print(struct cli *cli, const json_t *document)
{
	static const struct column columns[] = { { "STEP", false, false }, { "OK", false, false }, { "MS", true, false },
						 { "DETAIL", false, true } };
	struct table *table;
	json_t *s;
	size_t i;

	if (cli->output.json)
		return;
	table = table_create(columns, ARRAY_LEN(columns));
	json_array_foreach(json_object_get(document, "steps"), i, s) {
		table_row(table);
		table_text(table, json_string_value(json_object_get(s, "name")));
		table_text(table, json_is_true(json_object_get(s, "ok")) ? "yes" : "NO");
		table_number(table, json_integer_value(json_object_get(s, "ms")));
		table_text(table, json_string_value(json_object_get(s, "detail")));
	}
	table_print(table, cli->output.out);
}

static enum outcome tell(struct running *r)
{
	struct cli *cli = r->drill.cli;
	const char *path = cli->args.values[OPT_REPORT];
	json_t *json = document(r);
	struct err err = { 0 };

	print(cli, json);
	if (path != NULL && report_append(path, json, &err) != RC_OK) {
		r->worst = outcome_worse(r->worst, OUTCOME_FAILED);
		output_note(&cli->output, "%s", err.text);
	}
	output_document(&cli->output, json);
	if (r->err.rc != RC_OK)
		output_failure(&cli->output, outcome_word(r->worst, &r->err), &r->err);
	else if (r->worst == OUTCOME_DONE)
		output_say(&cli->output, "The drill succeeded: writable %lld ms after the decision, %lld records lost.",
			   (long long)r->drill.rto_ms, (long long)r->drill.rpo_records);
	return r->worst;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static char **names(const struct drill *d, char kind, int64_t n)
{
	char **list = xcalloc((size_t)n + 1, sizeof(*list));
	char name[DRILL_NAME_MAX];

	for (int64_t i = 0; i < n; i++) {
		drill_name(&d->owner, kind, (int)i, name);
		list[i] = xstrdup(name);
	}
	return list;
}

/* Each step ends at its deadline, and the cleaning behind them. */
static int64_t most_ms(const struct drill *d)
{
	return ((int64_t)ARRAY_LEN(steps) + 1) * d->cli->args.timeout_ms + d->plan.records * 1000 / d->plan.rate;
}

static void begin(struct running *r)
{
	struct drill *d = &r->drill;

	d->session = &d->cli->session;
	d->owner = drill_owner_self(d->plan.link, most_ms(d));
	d->n_parts = (int)(d->plan.topics * d->plan.partitions);
	d->topics = names(d, 't', d->plan.topics);
	d->mirrors = names(d, 't', d->plan.topics);
	d->groups = names(d, 'g', d->plan.groups);
	d->copied = xcalloc((size_t)d->n_parts, sizeof(*d->copied));
	d->probes = xcalloc((size_t)d->n_parts, sizeof(*d->probes));
	d->positions = xcalloc((size_t)(d->plan.groups * d->n_parts) + 1, sizeof(*d->positions));
	d->rto_ms = d->rpo_records = d->rpo_ms = -1;
	r->steps = json_array();
	clock_wall_text(r->started);
}

static void free_names(char **list, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		xfree(list[i]);
	xfree(list);
}

static void end(struct running *r)
{
	struct drill *d = &r->drill;

	drill_disconnect(d);
	free_names(d->topics, d->plan.topics);
	free_names(d->mirrors, d->plan.topics);
	free_names(d->groups, d->plan.groups);
	xfree(d->copied);
	xfree(d->probes);
	xfree(d->positions);
	json_decref(r->steps);
	drill_plan_fini(&d->plan);
}

enum outcome cmd_drill_run(struct cli *cli)
{
	struct running r = { .drill = { .cli = cli, .plan_path = cli->args.values[OPT_PLAN] } };
	struct err err = { 0 };
	enum outcome outcome;

	if (r.drill.plan_path == NULL) {
		err_set(&err, RC_USAGE, "'drill run' needs a plan: --plan FILE");
		err_hint(&err, "`krmirror drill template` prints one");
		return cli_fail(cli, OUTCOME_USAGE, &err);
	}
	if (drill_plan_load(&r.drill.plan, r.drill.plan_path, &err) != RC_OK) {
		drill_plan_fini(&r.drill.plan);
		return cli_fail(cli, OUTCOME_USAGE, &err);
	}
	outcome = cli_open(cli);
	if (outcome != OUTCOME_DONE) {
		drill_plan_fini(&r.drill.plan);
		return outcome;
	}
	begin(&r);
	run_steps(&r);
	outcome = tell(&r);
	end(&r);
	return outcome;
}

enum outcome cmd_drill_template(struct cli *cli)
{
	fputs(drill_plan_template(), cli->output.out);
	return OUTCOME_DONE;
}
