/* SPDX-License-Identifier: Apache-2.0 */
/* What consumer offset sync does with a group: pure decisions, no I/O. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* How a group stands, as `group list` shows it. */
enum group_state {
	GROUP_SYNCED,            /* every partition has the source's offset, or what there is of it here */
	GROUP_BEHIND,            /* the next pass writes */
	GROUP_PARTIAL,           /* some partitions are kept in step, others are skipped for the reason */
	GROUP_SKIPPED
};

enum group_reason {
	GROUP_REASON_NONE,
	GROUP_ACTIVE_ON_DESTINATION,    /* it has members there */
	GROUP_DESTINATION_AHEAD,        /* somebody else committed a higher offset there */
	GROUP_NOT_CONSUMER,             /* share, streams, connect: not a group of consumers, at either side */
	GROUP_OF_KRMIRROR,              /* its workers', or mirror.progress.group.id */
	GROUP_NO_MIRRORED_TOPICS,       /* it has no offset in a topic that the link mirrors */
	GROUP_PARTITION_FAILED,         /* the mirror's partition is not the source's any more */
	GROUP_GONE_AT_SOURCE,           /* deleted or expired there; what it has here stays */
	GROUP_NOT_AUTHORIZED,
	GROUP_ERROR
};

enum { GROUP_STATES = GROUP_SKIPPED + 1, GROUP_REASONS = GROUP_ERROR + 1 };

const char *group_state_word(enum group_state state);
const char *group_reason_word(enum group_reason reason);   /* NULL for GROUP_REASON_NONE */
bool group_reason_parse(const char *word, enum group_reason *reason);

/* A group as ListGroups tells it; NULL or "": not told. */
struct group_kind {
	const char *protocol_type;      /* "consumer"; "" of a group that never had members */
	const char *type;               /* "classic", "consumer", "share", "streams"; from Kafka 3.8 */
	const char *state;              /* "Empty", "Stable"; from 2.6 */
};

/* Whether it is a group of consumers, or one that only commits. */
bool group_is_consumer(const struct group_kind *kind);
/* It has members: any state but Empty and Dead. */
bool group_is_live(const struct group_kind *kind);

/* One partition of a group. */
struct group_position {
	int64_t source;                 /* committed there */
	int64_t destination;            /* committed here; -1: nothing */
	int64_t log_start, high_watermark;   /* of the mirror's partition; -1: not known */
	int64_t wrote;                  /* what krmirror itself committed here last; -1: not known */
	bool same_metadata;
	bool expires;                   /* it is time to commit it again, lest it expires */
	bool failed;                    /* the mirror's partition may differ from the source's */
};

enum group_step {
	GROUP_STEP_KEEP,                /* nothing to do */
	GROUP_STEP_COMMIT,              /* *target */
	GROUP_STEP_AHEAD, GROUP_STEP_FAILED,   /* skipped */
	GROUP_STEP_UNKNOWN              /* the log's ends are not known: next time */
};

/* *target: the offset that it should have, within [log start, high watermark]; -1 where that is not known. */
enum group_step group_plan_step(const struct group_position *position, int64_t *target);
/* How far the destination's commit is behind the source's. */
int64_t group_plan_behind(const struct group_position *position);
/* For failover: whether a commit is beyond the end, and so goes to the high watermark. */
bool group_plan_clamps(int64_t committed, int64_t high_watermark);

/* The day, by its own hour, that a commit made now counts for: when it has moved on, it is made again. Groups spread
 * over the day by their names. */
int64_t group_plan_day(const char *group, int64_t wall_ms);

/* Whether a filter list ({"groupFilters": [...]}) takes a name: at least one INCLUDE, no EXCLUDE. Never the canaries of
 * drills. */
bool group_filter_takes(const json_t *filters, const char *group);
