/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls of a cluster met: errors by API and code, and how long brokers asked us to be quiet. Plain counters of
 * one loop, touched only when something failed; whoever shows them copies them on that loop. They outlive the cluster,
 * so that what was counted does not go back when it is made anew. */
#pragma once

#include <stdint.h>

enum { CLIENT_COUNTS_MAX = 64 };   /* what is beyond is counted together, as "other" */

struct client_count {
	const char *api, *code;    /* constants: "Fetch", "NOT_LEADER_OR_FOLLOWER" or a word of rc_str */
	uint64_t n;
};

/* Zeroed is empty. */
struct client_counts {
	struct client_count errors[CLIENT_COUNTS_MAX];
	int n_errors;
	uint64_t throttle_ms;      /* that brokers asked for */
};

/* counts NULL: nobody counts. Both texts must be constants. */
void client_counts_error(struct client_counts *counts, const char *api, const char *code);
/* Adds what `more` has. */
void client_counts_add(struct client_counts *counts, const struct client_counts *more);
