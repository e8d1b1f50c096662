/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of mirrors, but for promote: sequential, each may be killed at any point and run again. */
#pragma once

#include "control/report.h"
#include "control/session.h"

struct mirror_create_opts {
	const char *topic;                /* the destination's name */
	const char *link;
	const char *source_topic;         /* NULL: derived */
	int16_t replication_factor;       /* -1: the destination's default */
	const struct props *config;       /* --config, or NULL */
	bool dry_run;
	bool by_task;                     /* auto-create: a mirror that the user deleted is not made again */
};

struct mirror_created {
	const char *link_name, *mirror_topic_name, *source_topic_name;
	int32_t num_partition;
	bool changed;                     /* false: the same live mirror was there already */
	bool no_worker;                   /* nobody runs it: the caller says how to start one */
};

enum outcome mirror_create_topic(struct session *session, const struct mirror_create_opts *opts, struct arena *arena,
				 struct mirror_created *created, struct err *err) MUST_USE;
/* resume also acknowledges DATA_LOSS and has failed partitions opened anew. link NULL: where one link has the topic. */
enum outcome mirror_pause(struct session *session, const char *link, const char *topic, bool *changed,
			  struct err *err) MUST_USE;
enum outcome mirror_resume(struct session *session, const char *link, const char *topic, bool *changed,
			   struct err *err) MUST_USE;
/* Forgets a stopped mirror; the topic stays. */
enum outcome mirror_delete(struct session *session, const char *link, const char *topic, struct err *err) MUST_USE;
enum outcome mirror_delete_check(struct session *session, const char *link, const char *topic,
				 struct err *err) MUST_USE;
