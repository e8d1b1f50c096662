/* SPDX-License-Identifier: Apache-2.0 */
#include "control/links.h"
#include "krmirror/cli.h"
#include "krmirror/prompt.h"

enum outcome cmd_link_delete(struct cli *cli)
{
	const char *name = cli->args.operands[0];
	struct err err = { 0 };
	enum outcome outcome = cli_connect(cli);
	int rc;

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = link_delete_check(&cli->session, name, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	rc = prompt_delete(&cli->output, cli->args.given[OPT_YES], &err, "cluster link", name);
	if (rc != RC_OK)
		return prompt_fail(&cli->output, &err);
	outcome = link_delete(&cli->session, name, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	output_say(&cli->output, "Deleted cluster link \"%s\".", name);
	output_document(&cli->output, json_pack("{s:o}", "link_name", json_text(name)));
	return OUTCOME_DONE;
}
