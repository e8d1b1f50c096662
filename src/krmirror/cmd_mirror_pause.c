/* SPDX-License-Identifier: Apache-2.0 */
/* mirror pause and mirror resume: each topic by itself; one that fails does not keep the others. */
#include "base/mem.h"
#include "control/mirrors.h"
#include "krmirror/cli.h"
#include "krmirror/mirror_view.h"

/* Describe's objects of a topic, as the log has it now: the source is not asked, a pause must not wait for
 * it. */
static void add_objects(struct cli *cli, json_t *array, const char *link, const char *topic,
			const struct verb_result *result)
{
	struct mirror_info unknown = {
		.link_name = link,
		.mirror_topic_name = topic,
		.status_time_ms = -1,
		.num_partition = -1,
		.failed_partitions = -1,
		.max_lag = -1,
	};
	struct report_opts opts = { .link = link, .topic = topic, .partitions = true };
	struct verb_result shown = *result;
	struct mirror_info *mirrors = NULL;
	struct err err = { 0 };
	int n = 0;

	shown.mirror = &unknown;
	if (link != NULL &&
	    report_mirrors(&cli->session, &opts, &cli->arena, &mirrors, &n, &err) == OUTCOME_DONE && n == 1)
		shown.mirror = &mirrors[0];
	mirror_result_json(array, &shown);
}

static enum outcome one(struct cli *cli, const char *topic, bool pause, json_t *array)
{
	struct verb_result result = { 0 };
	bool changed = false;
	char *link = NULL;
	struct err err = { 0 };
	enum outcome outcome = session_resolve(&cli->session, cli->args.values[OPT_LINK], topic, &link, &err);

	if (outcome == OUTCOME_DONE)
		outcome = pause ? mirror_pause(&cli->session, link, topic, &changed, &err)
				: mirror_resume(&cli->session, link, topic, &changed, &err);
	if (outcome != OUTCOME_DONE)
		cli_item_failed(cli, topic, &err);
	else if (changed)
		output_say(&cli->output, "%s mirror topic \"%s\".", pause ? "Paused" : "Resumed", topic);
	else
		output_say(&cli->output, "Mirror topic \"%s\" is %s already.", topic,
			   pause ? "paused" : "running");
	result.error_code = outcome == OUTCOME_DONE ? NULL : outcome_word(outcome, &err);
	result.error_message = outcome == OUTCOME_DONE ? NULL : err.text;
	if (cli->output.json)
		add_objects(cli, array, link, topic, &result);
	xfree(link);
	return outcome;
}

static enum outcome each(struct cli *cli, bool pause)
{
	enum outcome outcome = cli_connect(cli);
	json_t *array;

	if (outcome != OUTCOME_DONE)
		return outcome;
	array = json_array();
	for (int i = 0; i < cli->args.n_operands; i++)
		outcome = outcome_worse(outcome, one(cli, cli->args.operands[i], pause, array));
	if (!pause)
		cli_check_worker(cli, "nothing is copied until one runs");
	output_document(&cli->output, array);
	return outcome;
}

enum outcome cmd_mirror_pause(struct cli *cli)
{
	return each(cli, true);
}

enum outcome cmd_mirror_resume(struct cli *cli)
{
	return each(cli, false);
}
