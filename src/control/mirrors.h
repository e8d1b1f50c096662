/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of mirrors, but for promote: sequential, each may be killed at any point and run again. */
#pragma once

#include "control/report.h"
#include "control/session.h"

/* One partition of two logs that are to be compared; [0] the source's, [1] the destination's. */
struct adopt_range {
	int64_t start[2], end[2];         /* what each side has */
	int64_t from, to;                 /* what must be equal */
};

struct adopt_question {
	struct cluster *source;
	const char *source_topic, *topic;
	struct adopt_range *ranges;       /* by partition */
	int32_t n;
	bool compacted;                   /* see proof/compare.h */
	int64_t expired_before_ms;
};

/* How a topic that exists is taken over. The comparing is the caller's: it takes as long as it takes. */
struct adopt_opts {
	/* OUTCOME_DONE: all equal. OUTCOME_DIVERGED: err names partition and offset. Sets the session's deadline anew. */
	enum outcome (*prove)(void *owner, const struct adopt_question *question, struct err *err);
	void *owner;
	bool yes;                         /* records that only the destination has below the source's start may go */
};

struct mirror_create_opts {
	const char *topic;                /* the destination's name */
	const char *link;
	const char *source_topic;         /* NULL: derived */
	int16_t replication_factor;       /* -1: the destination's default */
	const struct props *config;       /* --config, or NULL */
	const struct adopt_opts *adopt;   /* NULL: the topic is made */
	bool dry_run;
	bool by_task;                     /* auto-create: a mirror that the user deleted is not made again */
};

struct mirror_created {
	const char *link_name, *mirror_topic_name, *source_topic_name;
	int32_t num_partition;
	bool changed;                     /* false: the same live mirror was there already */
	bool no_worker;                   /* nobody runs it: the caller says how to start one */
	json_t *adopted_end;              /* partition -> offset, in the caller's arena's time: the caller drops it; NULL */
};

enum outcome mirror_create_topic(struct session *session, const struct mirror_create_opts *opts, struct arena *arena,
				 struct mirror_created *created, struct err *err) MUST_USE;
/* Many of one link, for auto-create: each step is taken for all in one request or one change of the log, and each mirror has
 * an outcome of its own, as mirror_create_topic would have told it. */
struct mirror_new {
	const char *topic, *source_topic;
	int32_t n_partitions;             /* out */
	bool changed;
	enum outcome outcome;
	struct err err;
};
void mirror_create_all(struct session *session, const char *link, struct mirror_new *news, int n);
/* The source topic that a mirror topic of that name has, where nothing else is said (xfree). */
enum outcome mirror_source_topic(struct session *session, const char *link, const char *topic, char **source_topic,
				 struct err *err) MUST_USE;
/* resume also acknowledges DATA_LOSS and has failed partitions opened anew. link NULL: where one link has the topic. */
enum outcome mirror_pause(struct session *session, const char *link, const char *topic, bool *changed,
			  struct err *err) MUST_USE;
enum outcome mirror_resume(struct session *session, const char *link, const char *topic, bool *changed,
			   struct err *err) MUST_USE;
/* Forgets a stopped mirror; the topic stays. */
enum outcome mirror_delete(struct session *session, const char *link, const char *topic, struct err *err) MUST_USE;
/* Whatever its state, the guard is lifted and the records go: for canaries, whose topic is deleted next. */
enum outcome mirror_remove(struct session *session, const char *link, const char *topic, struct err *err) MUST_USE;
enum outcome mirror_delete_check(struct session *session, const char *link, const char *topic,
				 struct err *err) MUST_USE;
