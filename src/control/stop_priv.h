/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of stop.c share. Only for control/stop*.c. */
#pragma once

#include "control/promote_read.h"
#include "control/stop.h"
#include "control/stop_door.h"
#include "control/stop_state.h"

/* One mirror in one attempt. What goes wrong, or is waited for, stands in the item; it is left out from there on. */
struct stopping {
	struct session *session;
	struct stop_item *item;
	const char *link, *topic;
	struct mirror_wish wish;
	struct mirror_state state;
	bool waits;                  /* nothing more in this attempt */
	int32_t n_partitions;        /* of the destination's topic */
	bool gone;                   /* that topic is gone, or another one: there is nothing to close */
	struct reading reading;
	int64_t *ends, *highs;       /* [n_partitions] of the destination, of the last question */
	json_t *latest_settings;
	struct stop_record record;
};

struct stop_run {
	struct session *session;
	struct stopping *all;
	int n;
	struct stop_actor *actor;
	struct arena arena;
};

/* Those that go on, by what a step asks of them; the caller frees with xfree. */
struct stopping **stop_some(const struct stop_run *run, bool (*wanted)(const struct stopping *s), int *n);
bool stop_goes_on(const struct stopping *s);
/* What the log says now. */
void stop_load(struct stopping *s);
/* A failure of one; a failure of all of some. */
void stop_failed(struct stopping *s, enum outcome outcome, const struct err *err);
void stop_all_failed(struct stopping *const *some, int n, enum outcome outcome, const struct err *err);
/* One step of all of some, recorded. fill may be NULL. */
void stop_step(const struct stop_run *run, struct stopping *const *some, int n, enum stop_step step);
/* At most so long for what some of many may not answer, so that the others get on. */
int64_t stop_soon(const struct session *session);

/* --- a promotion's part: stop_level.c --- */

/* Two readings 2 s apart show source and destination level and the source standing still; else it waits, or is withdrawn. */
void stop_drain(struct stopping *s);
/* After the lanes were closed: nothing may have moved since the ends were recorded. */
void stop_still_level(struct stopping *s);
/* Takes the wish back (before the door); what has diverged will never be level. */
void stop_take_back(struct stopping *s);
/* Before the wish is recorded: it can be promoted at all, the source answers, no transaction is open. */
void stop_check_promotion(struct stopping *s);

/* --- the end: stop_finish.c --- */

/* Which partitions the topics have. */
void stop_describe(const struct stop_run *run, struct stopping *const *some, int n);
/* The log ends and, with highs, the high watermarks. */
void stop_ask_ends(struct session *session, struct stopping *const *some, int n, bool highs);
/* The groups of promotions have the source's offsets once more; those of failovers none above the ends. */
void stop_groups(const struct stop_run *run, struct stopping *const *some, int n, enum mirror_wish_kind kind);
/* The door, and what comes behind it, up to STOPPED. */
void stop_finish(const struct stop_run *run);

/* --- what a failover lacks: stop_missing.c --- */

/* Of results that follow each other; sources that do not answer within 1 s are not waited for. */
void stop_ask_missing(struct session *session, struct arena *arena, struct stop_result *results, int n);
