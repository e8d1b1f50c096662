/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/cli.h"
#include "krmirror/inspect_view.h"

/* Beside commands or flows, which stand alone on standard output, only what failed is told. */
static void tell_failures(struct cli *cli, const struct inspection *inspection)
{
	for (int i = 0; i < inspection->n; i++)
		if (inspection->items[i].status == INSPECT_FAILED)
			output_note(&cli->output, "%s: %s", side_name(inspection->items[i].side), inspection->items[i].detail);
}

static void show(struct cli *cli, const struct inspection *inspection)
{
	bool acls = cli->args.given[OPT_PRINT_ACLS], flows = cli->args.given[OPT_PORTS];

	output_document(&cli->output, inspection_json(inspection, acls, flows));
	if (cli->output.json)
		return;
	if (acls)
		inspection_print_acls(cli->output.out, inspection);
	if (flows)
		inspection_print_flows(cli->output.out, inspection);
	if (acls || flows)
		tell_failures(cli, inspection);
	else
		inspection_print(cli->output.out, inspection);
}

enum outcome cmd_link_check(struct cli *cli)
{
	struct inspection inspection = { .arena = &cli->arena };
	struct err err = { 0 };
	enum outcome outcome = cli_open(cli);

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = inspect_link(&cli->session, cli->args.operands[0], &inspection, &err);
	if (outcome != OUTCOME_DONE) {
		cli_fail(cli, outcome, &err);
	} else {
		show(cli, &inspection);
		outcome = inspection_outcome(&inspection);
	}
	inspection_fini(&inspection);
	return outcome;
}
