/* SPDX-License-Identifier: Apache-2.0 */
/* promote: the wish is recorded for each topic; then, with --wait or where nobody else acts, it is seen
 * through. */
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

static void tell(struct cli *cli, const struct stop_result *result)
{
	const struct mirror_info *info = &result->info;
	const char *topic = info->mirror_topic_name;
	char lag[32];

	if (result->outcome != OUTCOME_DONE)
		cli_item_failed(cli, topic, &result->err);
	else if (result->finished)
		output_say(&cli->output, "Mirror topic \"%s\" was %s before; nothing was changed.", topic,
			   how(info));
	else if (cli->args.given[OPT_DRY_RUN])
		output_say(&cli->output, "Would promote mirror topic \"%s\": lag %s. Nothing was changed.", topic,
			   text_known(info->max_lag, lag, sizeof(lag)));
	else if (info->mirror_status != NULL && strcmp(info->mirror_status, "STOPPED") == 0)
		output_say(&cli->output,
			   "Promoted mirror topic \"%s\": it is an ordinary, writable topic now.", topic);
	else
		output_say(&cli->output,
			   "Recorded the promotion of mirror topic \"%s\". Watch it: "
			   "krmirror mirror describe %s, or wait for it: krmirror promote %s --wait",
			   topic, topic, topic);
}

/* A wish that nobody acts on yet. */
static bool is_recorded(const struct stop_result *result)
{
	const char *status = result->info.mirror_status;

	return result->outcome == OUTCOME_DONE && (status == NULL || strcmp(status, "STOPPED") != 0);
}

/* With --wait this command acts itself where no worker does; but it copies nothing. */
static void warn_no_worker(struct cli *cli, const struct stop_result *results, int n)
{
	bool recorded = false, late = false;

	for (int i = 0; i < n; i++) {
		recorded = recorded || is_recorded(&results[i]);
		late = late || results[i].outcome == OUTCOME_TIMED_OUT;
	}
	if (late)
		cli_check_worker(cli, "nothing is copied, so lag stays as it is, until one runs");
	else if (recorded && !cli->args.given[OPT_WAIT] && !cli->args.given[OPT_DRY_RUN])
		cli_check_worker(cli, "nobody acts on the wish until one runs, or until promote is run with --wait");
}

static json_t *document(const struct stop_result *results, int n)
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

enum outcome cmd_mirror_promote(struct cli *cli)
{
	struct stop_opts opts = {
		.link = cli->args.values[OPT_LINK],
		.topics = cli->args.operands,
		.n_topics = cli->args.n_operands,
		.all = cli->args.given[OPT_ALL],
		.dry_run = cli->args.given[OPT_DRY_RUN],
		.wait = cli->args.given[OPT_WAIT],
		.progress = progress,
		.progress_arg = &cli->output,
	};
	struct stop_result *results = NULL;
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
		output_say(&cli->output, "No mirror topics to promote.");
	for (int i = 0; i < n; i++)
		tell(cli, &results[i]);
	warn_no_worker(cli, results, n);
	output_document(&cli->output, document(results, n));
	return outcome;
}
