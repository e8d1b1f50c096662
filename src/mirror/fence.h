/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The counting fence of fills: which (producer epoch, coordinator epoch) the next marker carries. Pure.
 *
 * A broker refuses a marker whose producer epoch (47) or coordinator epoch (52) is below the last one of its id, and
 * takes equal ones, so a marker that is sent twice stands twice. Every owner of a partition therefore claims the filler
 * id before it fills: its first marker goes alone and carries numbers that depend on what was read of the id when the
 * lane was opened and on the owner's claim number n, u = n mod 31:
 *
 *   read        (coordinator epoch k, producer epoch e), absent: (0, -1)
 *   block       k rounded up to a multiple of 32
 *   first       producer epoch e + 1 + u, coordinator epoch block + 31 - u
 *   later ones  the same producer epoch, coordinator epochs block + 64, + 32, + 32, ...
 *
 *  - a dead owner's late marker has a lower producer epoch: 47;
 *  - one that landed after the reading has raised k above our claim: the claim gets 52;
 *  - of two rivals that read the same, the one with the lower u wins if it comes first, because the other's coordinator
 *    epoch is lower, and loses if it comes second, because its producer epoch is.
 *
 * A claim whose answer was lost may still land. If the reading shows that it has not, the same numbers would be taken twice:
 * another claim number is needed then, and its owner is one more rival.
 *
 * Numbers run out, so ids rotate. The next rotation is asked for when half of an id is used, and the new id is taken
 * into use only after the old one was claimed: whoever still has a marker of the old id under way is shut out by that
 * claim. An id that the door of a promotion has closed needs no claim: nothing lands on it any more. */
#include <stdbool.h>
#include <stdint.h>

enum {
	FENCE_STEP = 32,
	FENCE_OWNERS = 31,               /* claims that are told apart */
	FENCE_EPOCH_MAX = 32766,         /* 32767 is the door's */
	FENCE_ROTATE_EPOCH = 16384,      /* from here on another rotation is wanted */
	FENCE_ROTATE_COORDINATOR = 1 << 30,
};

/* What DescribeProducers said of an id. */
struct fence_seen {
	bool known;                      /* false: the id was not listed */
	int32_t producer_epoch, coordinator_epoch;
};

/* One marker. */
struct fence_marker {
	int64_t id;
	int16_t producer_epoch;
	int32_t coordinator_epoch;
};

struct fence_id {
	int64_t id;
	int32_t producer_epoch;          /* of our claim, or -1: not claimed, */
	int32_t coordinator_epoch;       /* of our last marker, */
	struct fence_seen seen;          /* and what is built on */
};

struct fence {
	int64_t claim;                   /* the claim number n */
	struct fence_id ids[2];          /* the id before the current one, and the current one */
	int at;                          /* which of them is to be written next */
	bool claimed;                    /* its first marker was proven */
	struct fence_marker unproven;    /* the last claim that was sent and is not proven; kept by fence_open */
};

/* What an owner knows when it opens a lane. previous: of rotation - 1; NULL for rotation 0. */
struct fence_opening {
	int64_t claim;
	int64_t previous_id, current_id;
	const struct fence_seen *previous;
	struct fence_seen current;
};

/* Forgets what was claimed; the next marker is a claim. The fence is zeroed before its first opening. */
void fence_open(struct fence *fence, const struct fence_opening *opening);

/* How many markers may go into one fill: 1 while something is to be claimed; 0: the id is used up, a rotation must be
 * recorded first, or (fence_wants_claim) another claim number is needed. */
int32_t fence_room(const struct fence *fence);
/* The next marker: at most fence_room() of them, in this order, before fence_proven or fence_open. */
struct fence_marker fence_next(struct fence *fence);
/* Everything that was taken from fence_next stands in the log, once. */
void fence_proven(struct fence *fence);

/* True when the claim that would be sent next may be under way already: open again with another claim number. */
bool fence_wants_claim(const struct fence *fence);
/* True when the lane should go on with another rotation soon. */
bool fence_wants_rotation(const struct fence *fence);
/* The highest producer epoch that this owner has used on id; -1: none. */
int32_t fence_epoch_of(const struct fence *fence, int64_t id);
