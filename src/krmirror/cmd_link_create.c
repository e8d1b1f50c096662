/* SPDX-License-Identifier: Apache-2.0 */
#include "control/links.h"
#include "krmirror/cli.h"
#include "krmirror/link_settings.h"
#include "krmirror/link_view.h"

static void tell_dialled(struct cli *cli, const char *side, const char **brokers, int n)
{
	for (int i = 0; i < n; i++)
		output_say(&cli->output, "Dialled: %s %s.", side, brokers[i]);
}

static void tell(struct cli *cli, const struct link_info *link)
{
	if (cli->args.given[OPT_DRY_RUN]) {
		output_say(&cli->output,
			   "Would create cluster link \"%s\": source cluster %s, destination cluster %s. "
			   "Nothing was recorded.",
			   link->link_name, link->source_cluster != NULL ? link->source_cluster : "not asked",
			   link->destination_cluster != NULL ? link->destination_cluster : "-");
		tell_dialled(cli, "source", link->source_brokers, link->n_source_brokers);
		tell_dialled(cli, "destination", link->destination_brokers, link->n_destination_brokers);
		return;
	}
	output_say(&cli->output, "Created cluster link \"%s\".", link->link_name);
}

/* This host lacks what the link refers to, so a worker's word is waited for. */
static enum outcome settle(struct cli *cli, struct link_info *link)
{
	struct err err = { 0 };
	enum outcome outcome;

	if (cli->args.given[OPT_DRY_RUN]) {
		output_note(&cli->output, "this host lacks what the link refers to: a worker would check the source");
		return OUTCOME_DONE;
	}
	if (cli->output.tty)
		output_progress(&cli->output, "a worker checks the source");
	outcome = link_await_worker(&cli->session, link->link_name, &cli->arena, &link->source_cluster, &err);
	return outcome == OUTCOME_DONE ? outcome : cli_fail(cli, outcome, &err);
}

enum outcome cmd_link_create(struct cli *cli)
{
	struct props props = { 0 };
	struct link_create_opts opts = {
		.name = cli->args.operands[0],
		.config = &props,
		.source_cluster_id = cli->args.values[OPT_SOURCE_CLUSTER],
		.dry_run = cli->args.given[OPT_DRY_RUN],
		.no_validate = cli->args.given[OPT_NO_VALIDATE],
	};
	enum outcome outcome;
	struct link_info link = { 0 };
	struct err err = { 0 };

	if (link_settings(cli, &props, &err) != RC_OK ||
	    link_settings_given(&props, "where the source is", &err) != RC_OK) {
		outcome = cli_fail(cli, OUTCOME_USAGE, &err);
		goto out;
	}
	outcome = cli_connect(cli);
	if (outcome != OUTCOME_DONE)
		goto out;
	outcome = link_create(&cli->session, &opts, &cli->arena, &link, &err);
	cli_print_notes(cli, &cli->session.notes);
	if (outcome != OUTCOME_DONE) {
		cli_fail(cli, outcome, &err);
		goto out;
	}
	if (link.left_to_worker)
		outcome = settle(cli, &link);
	if (outcome != OUTCOME_DONE)
		goto out;
	tell(cli, &link);
	if (opts.no_validate && !opts.dry_run)
		cli_tell_verdict(cli, opts.name);
	output_document(&cli->output, link_created_json(&link));
out:
	props_fini(&props);
	return outcome;
}
