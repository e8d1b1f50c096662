/* SPDX-License-Identifier: Apache-2.0 */
#include "control/link_config.h"
#include "krmirror/cli.h"
#include "krmirror/link_settings.h"

static enum outcome update(struct cli *cli, const struct props *props)
{
	struct link_config_change change = {
		.name = cli->args.operands[0], .set = props, .unset = cli->args.values[OPT_DELETE_CONFIG],
		.no_validate = cli->args.given[OPT_NO_VALIDATE], .dry_run = cli->args.given[OPT_DRY_RUN],
	};
	bool changed = false, unchecked = change.no_validate;
	struct err err = { 0 };
	enum outcome outcome = link_config_update(&cli->session, &change, &changed, &unchecked, &err);

	cli_print_notes(cli, &cli->session.notes);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (!changed)
		output_say(&cli->output, "Cluster link \"%s\" has these settings already.", change.name);
	else if (change.dry_run)
		output_say(&cli->output, "Would update cluster link \"%s\". Nothing was recorded.", change.name);
	else
		output_say(&cli->output, "Updated cluster link \"%s\".", change.name);
	if (changed && unchecked && !change.dry_run)
		cli_tell_verdict(cli, change.name);
	return cli->output.json ? link_settings_show(cli, change.name) : OUTCOME_DONE;
}

enum outcome cmd_link_configuration_update(struct cli *cli)
{
	struct props props = { 0 };
	struct err err = { 0 };
	int rc = link_settings(cli, &props, &err);
	enum outcome outcome;

	if (rc == RC_OK && !cli->args.given[OPT_DELETE_CONFIG])
		rc = link_settings_given(&props, "what to change", &err);
	outcome = rc == RC_OK ? cli_connect(cli) : cli_fail(cli, OUTCOME_USAGE, &err);
	if (outcome == OUTCOME_DONE)
		outcome = update(cli, &props);
	props_fini(&props);
	return outcome;
}
