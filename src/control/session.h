/* SPDX-License-Identifier: Apache-2.0 */
/* What every verb works with: the loop, the destination, its control log, and the source clusters of the links that it
 * had to ask. The command line makes one per command; the daemon's control thread has one for life. */
#pragma once

#include "control/conf.h"
#include "control/link_conf.h"
#include "control/log.h"

struct session_source;

struct session {
	struct loop *loop;
	struct buf_pool *pool;
	const struct conf *conf;
	struct cluster *destination;
	struct control_log *log;
	int64_t deadline_ns;              /* of the command: every wait inside ends there. The daemon sets it per step */
	struct notes notes;               /* what the verbs want to be told besides */
	struct client_counts counts;      /* of the calls to the destination */
	/* private */
	struct session_source *sources_;
	struct worker_docs *worker_docs_;
	struct promote_reading *readings_;
	int clusters_;                    /* that are not gone yet */
	bool own_loop_;
};

/* loop NULL: one of its own. conf must outlive it. Does not dial. */
int session_open(struct session *session, struct loop *loop, const struct conf *conf, int64_t deadline_ns,
		 struct err *err) MUST_USE;
void session_close(struct session *session);

/* Connects to the destination and reads the control log to its end. */
enum outcome session_connect(struct session *session, struct err *err) MUST_USE;

/* The source cluster of a link, dialled when first asked for, and kept. The cluster id recorded for the link is checked
 * (OUTCOME_REFUSED with SOURCE_CLUSTER_ID_CHANGED named). Waits until it answered or deadline_ns. A link with
 * connection.mode=INBOUND has none: OUTCOME_REFUSED. */
enum outcome session_source(struct session *session, const char *link, int64_t deadline_ns, struct cluster **cluster,
			    struct err *err) MUST_USE;
/* Dials the cluster of settings that are not recorded yet, and forgets it again. *id is its cluster id (xfree). */
enum outcome session_probe(struct session *session, const struct client_conf *conf, enum side side, char **id,
			   struct err *err) MUST_USE;
/* Forgets the source's connections, after the link's configuration changed or was removed. */
void session_source_drop(struct session *session, const char *link);

/* Live members of the workers' group; *n 0 when there is no such group. */
enum outcome session_workers(struct session *session, int *n, struct err *err) MUST_USE;

/* The one link that has the mirror topic when link is NULL. *found is a copy (xfree). OUTCOME_REFUSED when several have
 * it; OUTCOME_FAILED with RC_NOT_FOUND when none. */
enum outcome session_resolve(struct session *session, const char *link, const char *topic, char **found,
			     struct err *err) MUST_USE;
