/* SPDX-License-Identifier: Apache-2.0 */
/* Signals without handlers: they are blocked in every thread and taken when somebody asks, so nothing is interrupted.
 * SIGTERM and SIGINT ask for a clean stop, SIGHUP for the configuration to be read again; a second SIGTERM or SIGINT
 * ends the process at once. */
#pragma once

#include <stdbool.h>

struct signals {
	bool stop, reload;
};

/* Before any thread is made. */
void signals_block(void);
/* Adds what came since the last time. */
void signals_take(struct signals *signals);
