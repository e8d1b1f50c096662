/* SPDX-License-Identifier: Apache-2.0 */
/* What commands.c, which makes links and lanes, and mirror.c, which lets them live, need of each other. */
#pragma once

#include "mirror/mirror_priv.h"

/* The command that was kept for the time when the lane before it is gone. It frees itself. */
void command_run(struct command *command);
/* Closes its lanes, and itself when they are gone. */
void link_close(struct mirror_link *link);
/* Ends a link that is being closed when its last lane is gone. */
void link_settle(struct mirror_link *link);

/* UNBOUND -> PROBING. */
void mirror_lane_start(struct mirror_lane *ml);
