/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/cli.h"
#include "krmirror/link_view.h"

enum outcome cmd_link_describe(struct cli *cli)
{
	struct link_info *links = NULL;
	struct err err = { 0 };
	int n = 0;
	enum outcome outcome = cli_connect(cli);

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = report_links(&cli->session, cli->args.operands[0], true, &cli->arena, &links, &n, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (!cli->output.json)
		link_print_description(cli->output.out, &links[0]);
	output_document(&cli->output, link_described_json(&links[0]));
	return OUTCOME_DONE;
}
