/* SPDX-License-Identifier: Apache-2.0 */
/* How workers share lanes: the group's leader hands every member the same short list of worker ids, and each worker
 * computes from it who owns a lane, by rendezvous hashing. No partition is listed, so the record that the
 * coordinator stores stays small, a new partition needs no rebalance, and a worker that comes or goes moves only the
 * lanes that it gains or leaves. Pure; both encodings are versioned, and pinned by tests: workers of different
 * versions share one group. */
#pragma once

#include "base/str.h"

#include <stdbool.h>

/* The workers of one assignment, sorted, without duplicates. */
struct share {
	char **workers;
	int n;
};

/* Copies and sorts. */
void share_init(struct share *share, const struct str *workers, int n);
void share_copy(struct share *share, const struct share *from);
/* Also right for a zeroed one, which it leaves. */
void share_fini(struct share *share);
bool share_equal(const struct share *a, const struct share *b);
bool share_has(const struct share *share, const char *worker);

/* The bytes of an assignment. The caller frees *data. */
void share_encode(const struct share *share, uint8_t **data, int32_t *len);
/* False, with a share that is empty, when the bytes are none of ours or of a later version. */
bool share_decode(struct bytes in, struct share *share) __attribute__((warn_unused_result));

/* The worker that owns a lane; NULL when the share is empty. The pointer is the share's. */
const char *share_owner(const struct share *share, const char *link, const char *topic, int32_t partition);
/* True when it is this worker. */
bool share_owns(const struct share *share, const char *worker, const char *link, const char *topic,
		int32_t partition);

/* Which of n data loops a lane lives on. */
int share_loop(int n, const char *link, const char *topic, int32_t partition);

/* What a member tells the group about itself. */
struct member_card {
	char host[256];
	char version[32];
	int32_t pid;
};

/* The bytes of a member's metadata. The caller frees *data. */
void member_card_encode(const struct member_card *card, uint8_t **data, int32_t *len);
/* False when the bytes are none of ours. */
bool member_card_decode(struct bytes in, struct member_card *card) __attribute__((warn_unused_result));
