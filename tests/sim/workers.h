/* SPDX-License-Identifier: Apache-2.0 */
/* The workers of a run: the product's data side, and what its control side does for it: claims, the lease, the stored
 * (offset, epoch) pairs, rotations. One is the owner of all lanes; others are dead, or stopped and believe they are. */
#pragma once

#include "mirror/mirror.h"
#include "world.h"

enum { WORKERS_MAX = 64, LEASE_MS = 10000, GRACE_MS = 1000 };

struct worker {
	struct mirror *mirror;
	struct fiber *fiber;
};

/* What the control log knows of a partition. */
struct record {
	int64_t stored_offset;
	int32_t stored_epoch;
	int32_t rotation;
	int64_t txn_fillers[2];
	int64_t seed_from, seed_to;
	int64_t emptied_end;
};

struct workers {
	struct world *world;
	struct worker all[WORKERS_MAX];
	int n;
	int owner;                       /* -1: none */
	int64_t claims, claim;           /* the last one, and the owner's */
	struct record records[PARTITIONS];
	int64_t lease_until_ns;          /* of the last owner */
	bool truncated[PARTITIONS];      /* FAILED with UNEXPECTED_TRUNCATION */
	char fault[512];                 /* a lane FAILED otherwise; "" */
};

void workers_init(struct workers *workers, struct world *world);
/* Ends all of them. */
void workers_fini(struct workers *workers);

/* A new owner of all lanes. The former one is dead or stopped. */
void workers_start(struct workers *workers);
/* kill -9: what it has sent may still arrive, up to a minute later. */
void workers_kill(struct workers *workers);
/* SIGSTOP; SIGCONT. */
void workers_stop(struct workers *workers, bool stop);
/* The owner is stopped for good, as far as the others know: its lease runs out. */
void workers_lose(struct workers *workers);
/* A lost one runs again for a while, until the owner's side has told it. */
void workers_wake_lost(struct workers *workers, struct rng *rng);
/* Opens a partition again, as `mirror resume` does. */
void workers_resume(struct workers *workers, int32_t partition);
/* Closes the lane of a partition, and opens it again: told as one (a successor) or as two. */
void workers_reopen(struct workers *workers, int32_t partition, bool at_once);
/* What the control side does several times a second. False: a lane FAILED for a reason that cannot be right. */
bool workers_tick(struct workers *workers);
/* What the owner does with a partition. */
const char *workers_lane(const struct workers *workers, int32_t partition);
