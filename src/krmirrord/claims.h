/* SPDX-License-Identifier: Apache-2.0 */
/* claim/WORKER records as workers use them: besides the number, which shares the writer may still act on, and whether
 * it has let go. That tells whoever takes over a lane whether it must wait:
 *   "shares"    the worker lists of the assignments that it acts on, the newest first
 *   "released"  true: all its lanes are closed, or its lease has run out */
#pragma once

#include "control/log.h"
#include "krmirrord/plan.h"

/* All claims of the view; those that cannot be read are left out. Frees what *claims held. */
void claims_read(const struct control_log *log, struct plan_claim **claims, int *n);
void claims_free(struct plan_claim *claims, int n);

struct claim_wish {
	const char *worker, *host, *version;
	const char *address;            /* http.advertised.listener, or NULL */
	int64_t started_ms;
	int32_t session_timeout_ms;
	const struct share *shares;
	int n_shares;
};

/* Appends claim/WORKER with the next number, and worker/WORKER where it says something new. *n is the number. */
enum outcome claims_append(struct control_log *log, const struct claim_wish *wish, int64_t deadline_ns, int64_t *n,
			   struct err *err) MUST_USE;
/* Marks a claim as released, if it still has that number. */
enum outcome claims_release(struct control_log *log, const char *worker, int64_t n, int64_t deadline_ns,
			    struct err *err) MUST_USE;
