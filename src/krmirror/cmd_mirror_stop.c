/* SPDX-License-Identifier: Apache-2.0 */
/* promote and failover: the wish is recorded for each topic; then, with --wait or --force, it is seen through. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "control/stop.h"
#include "krmirror/cli.h"
#include "krmirror/mirror_view.h"
#include "krmirror/text.h"

#include <string.h>

/* `--wait 60s` is --wait and a topic "60s", which is hardly meant. A mirror topic of such a name is taken as
 * one. */
static enum outcome check_durations(struct cli *cli)
{
	const struct args *args = &cli->args;

	for (int i = 0; i < args->n_operands; i++) {
		char *link = NULL;
		struct err err = { 0 };
		int64_t ms;

		if (!duration_parse(args->operands[i], &ms))
			continue;
		(void)!session_resolve(&cli->session, args->values[OPT_LINK], args->operands[i], &link, &err);
		xfree(link);
		if (err.rc != RC_NOT_FOUND)
			continue;
		err_set(&err, RC_USAGE, "'%s' is no mirror topic but a duration", args->operands[i]);
		err_hint(&err, "--wait=%s, with an equals sign", args->operands[i]);
		return cli_fail(cli, OUTCOME_USAGE, &err);
	}
	return OUTCOME_DONE;
}

static void progress(void *arg, const char *topic, const char *text)
{
	if (strstr(text, topic) != NULL)
		output_progress(arg, "%s", text);
	else
		output_progress(arg, "%s: %s", topic, text);
}

static const char *how(const struct mirror_info *info)
{
	return info->stopped_how != NULL && strcmp(info->stopped_how, "failed_over") == 0 ? "failed over"
											  : "promoted";
}

static bool is_stopped(const struct stop_result *result)
{
	const char *status = result->info.mirror_status;

	return status != NULL && strcmp(status, "STOPPED") == 0;
}

/* What a failover loses, as one part of a sentence. */
static void tell_missing(const struct stop_result *result, char *text, size_t size)
{
	const char *topic = result->info.source_topic_name;
	int64_t records = 0, by_last = 0, age = 0;
	char ago[48], why[320] = "the source does not answer";

	for (int32_t i = 0; i < result->info.num_partition; i++) {
		const struct stop_missing *m = &result->missing[i];

		records = m->records < 0 || records < 0 ? -1 : records + m->records;
		by_last = m->by_last_end < 0 || by_last < 0 ? -1 : by_last + m->by_last_end;
		age = MAX(age, m->source_end_age_ms);
		if (m->source_gone)
			snprintf(why, sizeof(why), "the source has no topic %s, or not all of its partitions, any more",
				 topic);
	}
	if (records >= 0)
		snprintf(text, size, "%lld offsets of the source are not in it", (long long)records);
	else if (by_last >= 0)
		snprintf(text, size, "%s; by its end as recorded %s, %lld of its offsets are not in it", why,
			 text_ago(age, ago, sizeof(ago)), (long long)by_last);
	else
		snprintf(text, size, "%s, and no end of it is recorded: what is not in it is not known", why);
}

static void tell_open(struct cli *cli, const struct stop_result *result, bool failover)
{
	const char *topic = result->info.mirror_topic_name, *verb = failover ? "failover" : "promote";

	output_say(&cli->output,
		   "Recorded the %s of mirror topic \"%s\". Watch it: "
		   "krmirror mirror describe %s, or wait for it: krmirror %s %s --wait",
		   failover ? "failover" : "promotion", topic, topic, verb, topic);
}

static void tell(struct cli *cli, const struct stop_result *result, bool failover)
{
	const struct mirror_info *info = &result->info;
	const char *topic = info->mirror_topic_name;
	char lag[32], missing[480] = "";

	if (result->missing != NULL)
		tell_missing(result, missing, sizeof(missing));
	if (result->outcome != OUTCOME_DONE)
		cli_item_failed(cli, topic, &result->err);
	else if (result->finished)
		output_say(&cli->output, "Mirror topic \"%s\" was %s before; nothing was changed.", topic, how(info));
	else if (cli->args.given[OPT_DRY_RUN] && failover)
		output_say(&cli->output, "Would fail over mirror topic \"%s\": %s. Nothing was changed.", topic, missing);
	else if (cli->args.given[OPT_DRY_RUN])
		output_say(&cli->output, "Would promote mirror topic \"%s\": lag %s. Nothing was changed.", topic,
			   text_known(info->max_lag, lag, sizeof(lag)));
	else if (!is_stopped(result))
		tell_open(cli, result, failover);
	else if (failover)
		output_say(&cli->output, "Failed over mirror topic \"%s\": it is an ordinary, writable topic now; %s.", topic,
			   missing);
	else
		output_say(&cli->output,
			   "Promoted mirror topic \"%s\": it is an ordinary, writable topic now.", topic);
}

/* The last line: how long producers had to wait. */
static void tell_time(struct cli *cli, const struct stop_result *results, int n, int64_t began_ns)
{
	int64_t last_ns = began_ns, took_ms;
	int stopped = 0;

	if (cli->args.given[OPT_DRY_RUN] || (!cli->args.given[OPT_WAIT] && !cli->args.given[OPT_FORCE]) || n == 0)
		return;
	for (int i = 0; i < n; i++) {
		stopped += is_stopped(&results[i]);
		last_ns = MAX(last_ns, results[i].settled_ns);
	}
	if (stopped < n)
		last_ns = clock_mono_ns();
	took_ms = (last_ns - began_ns) / NS_PER_MS;
	output_say(&cli->output, "%d of %d topics writable after %lld.%lld s.", stopped, n, (long long)(took_ms / 1000),
		   (long long)(took_ms % 1000 / 100));
}

/* A wish that nobody acts on yet. */
static bool is_recorded(const struct stop_result *result)
{
	return result->outcome == OUTCOME_DONE && !is_stopped(result);
}

/* With --wait this command acts itself where no worker does; but it copies nothing. */
static void warn_no_worker(struct cli *cli, const struct stop_result *results, int n, bool failover)
{
	bool recorded = false, late = false;

	for (int i = 0; i < n; i++) {
		recorded = recorded || is_recorded(&results[i]);
		late = late || results[i].outcome == OUTCOME_TIMED_OUT;
	}
	if (late && !failover)
		cli_check_worker(cli, "nothing is copied, so lag stays as it is, until one runs");
	else if (recorded && !cli->args.given[OPT_WAIT] && !cli->args.given[OPT_DRY_RUN])
		cli_check_worker(cli, failover ?
				 "nobody acts on the wish until one runs, or until failover is run with --wait" :
				 "nobody acts on the wish until one runs, or until promote is run with --wait");
}

static json_t *document(const struct stop_result *results, int n, bool failover)
{
	json_t *array = json_array();

	for (int i = 0; i < n; i++) {
		bool well = results[i].outcome == OUTCOME_DONE;
		struct verb_result result = {
			.mirror = &results[i].info,
			.error_code = well ? NULL : results[i].error_code,
			.error_message = well ? NULL : results[i].err.text,
			.door = results[i].door,
			.has_door = true,
			.missing = results[i].missing,
			.has_missing = failover,
		};

		mirror_result_json(array, &result);
	}
	return array;
}

/* The wishes have the time of any command; only the waiting is bound by --wait. */
static int64_t wait_until(const struct args *args)
{
	static const int64_t for_ever_ms = INT64_C(36500) * 86400000; /* 100 years */
	int64_t ms = args->wait_ms >= 0 ? args->wait_ms : for_ever_ms;

	return clock_mono_ns() + ms * NS_PER_MS;
}

static enum outcome run(struct cli *cli, enum mirror_wish_kind kind)
{
	struct stop_opts opts = {
		.kind = kind,
		.link = cli->args.values[OPT_LINK],
		.topics = cli->args.operands,
		.n_topics = cli->args.n_operands,
		.all = cli->args.given[OPT_ALL],
		.dry_run = cli->args.given[OPT_DRY_RUN],
		.force = cli->args.given[OPT_FORCE],
		.wait = cli->args.given[OPT_WAIT],
		.progress = progress,
		.progress_arg = &cli->output,
	};
	bool failover = kind == WISH_FAILOVER;
	struct stop_result *results = NULL;
	int64_t began_ns = clock_mono_ns();
	struct err err = { 0 };
	int n = 0;
	enum outcome outcome = cli_connect(cli);

	if (outcome == OUTCOME_DONE)
		outcome = check_durations(cli);
	if (outcome != OUTCOME_DONE)
		return outcome;
	opts.wait_until_ns = wait_until(&cli->args);
	outcome = stop_topics(&cli->session, &opts, &cli->arena, &results, &n, &err);
	cli_print_notes(cli, &cli->session.notes);
	if (n == 0 && outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (n == 0)
		output_say(&cli->output, "No mirror topics to %s.", failover ? "fail over" : "promote");
	for (int i = 0; i < n; i++)
		tell(cli, &results[i], failover);
	warn_no_worker(cli, results, n, failover);
	tell_time(cli, results, n, began_ns);
	output_document(&cli->output, document(results, n, failover));
	return outcome;
}

enum outcome cmd_mirror_promote(struct cli *cli)
{
	return run(cli, WISH_PROMOTE);
}

enum outcome cmd_mirror_failover(struct cli *cli)
{
	return run(cli, WISH_FAILOVER);
}
