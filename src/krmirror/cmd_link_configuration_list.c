/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/cli.h"
#include "krmirror/link_settings.h"

enum outcome cmd_link_configuration_list(struct cli *cli)
{
	enum outcome outcome = cli_connect(cli);

	return outcome == OUTCOME_DONE ? link_settings_show(cli, cli->args.operands[0]) : outcome;
}
