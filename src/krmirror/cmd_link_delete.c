/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "control/links.h"
#include "control/stop.h"
#include "krmirror/cli.h"
#include "krmirror/prompt.h"

/* All of them, and waits: a link goes only when its mirrors are STOPPED. */
static enum outcome fail_over(struct cli *cli, const char *name, json_t *topics)
{
	struct stop_opts opts = { .kind = WISH_FAILOVER, .link = name, .all = true, .wait = true };
	struct stop_result *results = NULL;
	struct err err = { 0 };
	int n = 0;
	enum outcome outcome = stop_topics(&cli->session, &opts, &cli->arena, &results, &n, &err);

	cli_print_notes(cli, &cli->session.notes);
	for (int i = 0; i < n; i++) {
		const char *topic = results[i].info.mirror_topic_name;

		if (results[i].outcome != OUTCOME_DONE) {
			cli_item_failed(cli, topic, &results[i].err);
			err = results[i].err;
			continue;
		}
		output_say(&cli->output, "Failed over mirror topic \"%s\": it is an ordinary, writable topic now.", topic);
		json_array_append_new(topics, json_text(topic));
	}
	return outcome == OUTCOME_DONE ? outcome : cli_fail(cli, outcome, &err);
}

enum outcome cmd_link_delete(struct cli *cli)
{
	const char *name = cli->args.operands[0];
	struct err err = { 0 };
	enum outcome outcome = cli_connect(cli);
	json_t *topics;
	int rc;

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = cli->args.given[OPT_FAILOVER] ? OUTCOME_DONE : link_delete_check(&cli->session, name, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	rc = prompt_delete(&cli->output, cli->args.given[OPT_YES], &err, cli->args.given[OPT_FAILOVER] ?
			   "after a failover of all its mirror topics, cluster link" : "cluster link", name);
	if (rc != RC_OK)
		return prompt_fail(&cli->output, &err);
	topics = json_array();
	if (cli->args.given[OPT_FAILOVER])
		outcome = fail_over(cli, name, topics);
	if (outcome == OUTCOME_DONE) {
		outcome = link_delete(&cli->session, name, &err);
		if (outcome != OUTCOME_DONE)
			outcome = cli_fail(cli, outcome, &err);
	}
	if (outcome == OUTCOME_DONE) {
		output_say(&cli->output, "Deleted cluster link \"%s\".", name);
		output_document(&cli->output, json_pack("{s:o,s:O}", "link_name", json_text(name), "failed_over", topics));
	}
	json_decref(topics);
	return outcome;
}
