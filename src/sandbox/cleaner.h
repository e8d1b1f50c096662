/* SPDX-License-Identifier: Apache-2.0 */
/* The log cleaner of compacted topics, as a broker's: of each key the newest record stays. It leaves what a broker
 * leaves: offsets that nobody has, between batches and inside them; batches without records, which keep the sequence of
 * an active producer; tombstones, and the markers of transactions of which nothing is left, until their delete horizon
 * has passed. Records of aborted transactions go. */
#pragma once

#include "sandbox/state.h"

/* Begins to look at all topics every backoff_ms (log.cleaner.backoff.ms). */
void cleaner_start(struct sandbox *sb, int32_t backoff_ms);
void cleaner_stop(struct sandbox *sb);
