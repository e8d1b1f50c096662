/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the command line are tested without the commands behind them: these doubles stand in their place, so
 * that no cluster client is linked. */
#include "krmirror/command.h"

#define DOUBLE(name)                                                                                                   \
	enum outcome name(struct cli *cli)                                                                             \
	{                                                                                                              \
		(void)cli;                                                                                             \
		return OUTCOME_DONE;                                                                                   \
	}

DOUBLE(cmd_link_create)
DOUBLE(cmd_link_list)
DOUBLE(cmd_link_describe)
DOUBLE(cmd_link_delete)
DOUBLE(cmd_link_pause)
DOUBLE(cmd_link_resume)
DOUBLE(cmd_mirror_create)
DOUBLE(cmd_mirror_list)
DOUBLE(cmd_mirror_describe)
DOUBLE(cmd_mirror_pause)
DOUBLE(cmd_mirror_resume)
DOUBLE(cmd_mirror_promote)
DOUBLE(cmd_mirror_delete)
DOUBLE(cmd_status)
