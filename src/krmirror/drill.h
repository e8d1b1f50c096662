/* SPDX-License-Identifier: Apache-2.0 */
/* A drill: a rehearsed failover on canary topics of its own, measured (krmirror-drills(7)). What its files share.
 *
 *   drill_plan.c    the plan, as it is written
 *   drill_name.c    the names of canaries, and whose they are
 *   drill_writer.c  records that flow to the source while everything else goes on
 *   drill_steps.c   what is done to the clusters, step by step
 *   drill_check.c   what is read back
 *   drill_clean.c   what a drill leaves behind, its own and that of others that are dead
 *   cmd_drill_run.c the order of it all, and the report */
#pragma once

#include "control/canary.h"
#include "krmirror/cli.h"
#include "krmirror/drill_writer.h"

/* --- the plan ------------------------------------------------------------------------------------------------- */

struct drill_plan {
	char *link, *source_command_config;   /* the latter NULL: the link's own credentials */
	int64_t topics, partitions, records, rate, groups;
	int64_t rto_limit_ms;                 /* -1: none, as all of these */
	int64_t rpo_limit_records, rpo_limit_ms;
};

/* RC_USAGE names the key. */
int drill_plan_load(struct drill_plan *plan, const char *path, struct err *err) MUST_USE;
void drill_plan_fini(struct drill_plan *plan);
/* A plan to begin with. */
const char *drill_plan_template(void);

/* --- names ---------------------------------------------------------------------------------------------------- */

/* Who made a canary; it stands in its name. */
struct drill_owner {
	uint32_t link, host;                  /* digests; the host's is one of its boot and process namespace, too */
	int64_t pid, ticks;                   /* the process, and when it began, in the kernel's ticks */
	int64_t until_s;                      /* wall clock: when it will have ended, however it ends */
};

enum { DRILL_NAME_MAX = 160 };

/* most_ms: how long the drill may take. */
struct drill_owner drill_owner_self(const char *link, int64_t most_ms);
/* kind: 't' topic, 'g' group. */
void drill_name(const struct drill_owner *owner, char kind, int n, char name[DRILL_NAME_MAX]);
/* The canary's name may stand behind a prefix. False: it is none, or not of this version's making. */
bool drill_name_parse(const char *name, struct drill_owner *owner);
/* Runs on this host; or on another, of which nothing can be known, and its time is not over. */
bool drill_owner_lives(const struct drill_owner *owner, const struct drill_owner *self, int64_t now_s);

/* --- a run ---------------------------------------------------------------------------------------------------- */

struct drill {
	struct cli *cli;
	struct session *session;
	const char *plan_path;
	struct drill_plan plan;
	struct drill_owner owner;
	bool connected;                       /* the control log was read */
	bool made;                            /* the first canary was asked for */
	struct conf source_conf;              /* of source_command_config */
	bool own_source;                      /* source is a cluster of our own, with these settings */
	struct cluster *source;               /* NULL: not connected */
	char **topics, **mirrors, **groups;   /* [plan.topics], the mirrors' names with the link's prefix; [plan.groups] */
	struct writer *writer;                /* NULL: nothing is written */
	int n_parts;                          /* topics * partitions; part i: partition i % partitions of topic i / partitions */
	int64_t *copied;                      /* [n_parts]: the mirror's end without what the door and we ourselves put there */
	int64_t *probes;                      /* [n_parts]: offset of the record that proved it writable */
	int64_t *positions;                   /* [groups * n_parts]: as committed at the source */
	int64_t decided_ns, decided_ms;
	int64_t rto_ms, rpo_records, rpo_ms;  /* -1: not measured */
	char detail[256];                     /* what a step says of itself */
};

static inline const char *drill_topic(const struct drill *d, int part)
{
	return d->topics[part / d->plan.partitions];
}

static inline const char *drill_mirror(const struct drill *d, int part)
{
	return d->mirrors[part / d->plan.partitions];
}

static inline int32_t drill_partition(const struct drill *d, int part)
{
	return (int32_t)(part % d->plan.partitions);
}

/* Steps. Each may fill d->detail; on failure err. The session's deadline is set for each. */
typedef enum outcome drill_step_fn(struct drill *d, struct err *err);
drill_step_fn drill_connect, drill_source, drill_create, drill_mirror_step, drill_write, drill_copy, drill_groups,
	drill_failover, drill_writable, drill_check, drill_positions;
/* Of drills that are dead, on both sides; and this one's own. */
drill_step_fn drill_clean, drill_clean_own;

/* What drill_source and drill_write have opened. */
void drill_disconnect(struct drill *d);
/* The positions of one group, from outside of it. */
int drill_commit(struct drill *d, int group, bool at_source, struct err *err) MUST_USE;
void drill_detail(struct drill *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
