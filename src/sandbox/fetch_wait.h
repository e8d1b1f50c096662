/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch requests that wait for data: each shows its interest in its partitions, and is finished by the appends that
 * bring it over its minimum, by a change that ends the wait, or by its time. */
#pragma once

#include "sandbox/state.h"

/* Parks req until `missing` more bytes were appended to the partitions of the n items, or wait_ms have passed; then
 * finish(req) is called, which completes the answer and calls request_finish. */
struct fetch_wait_opts {
	struct partition **partitions;  /* NULL entries are passed over */
	int32_t n;
	int64_t missing;
	bool committed;                 /* only what lies below the last stable offset counts */
	int32_t wait_ms;
	void (*finish)(struct request *req);
};
void fetch_wait(struct request *req, const struct fetch_wait_opts *opts);

/* Finishes the waits that have enough by now. */
void fetch_wait_wake(struct sandbox *sb);
/* Ends all waits that look at a partition, before it goes or because it is not what it was. */
void fetch_wait_end(struct partition *p);
/* Forgets all waits, without an answer. */
void fetch_wait_clear_all(struct sandbox *sb);
