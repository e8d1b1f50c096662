/* SPDX-License-Identifier: Apache-2.0 */
/* link pause and link resume: the wish is recorded; the workers act on it. */
#include "control/links.h"
#include "krmirror/cli.h"
#include "krmirror/link_view.h"

static enum outcome document(struct cli *cli, const char *name)
{
	struct link_info *links = NULL;
	struct err err = { 0 };
	int n = 0;
	enum outcome outcome;

	if (!cli->output.json)
		return OUTCOME_DONE;
	outcome = report_links(&cli->session, name, false, &cli->arena, &links, &n, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	output_document(&cli->output, link_described_json(&links[0]));
	return OUTCOME_DONE;
}

static enum outcome set_paused(struct cli *cli, bool paused)
{
	const char *name = cli->args.operands[0];
	bool changed = false;
	struct err err = { 0 };
	enum outcome outcome = cli_connect(cli);

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = paused ? link_pause(&cli->session, name, &changed, &err)
			 : link_resume(&cli->session, name, &changed, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (changed)
		output_say(&cli->output, "%s cluster link \"%s\".", paused ? "Paused" : "Resumed", name);
	else
		output_say(&cli->output, "Cluster link \"%s\" is %s already.", name,
			   paused ? "paused" : "running");
	if (!paused)
		cli_check_worker(cli, "nothing is copied until one runs");
	return document(cli, name);
}

enum outcome cmd_link_pause(struct cli *cli)
{
	return set_paused(cli, true);
}

enum outcome cmd_link_resume(struct cli *cli)
{
	return set_paused(cli, false);
}
