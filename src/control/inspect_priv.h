/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of an inspection share. */
#pragma once

#include "control/inspect.h"

/* A new item with these; the rest as after zeroing. Valid until the next. */
struct inspect_item *inspect_add(struct inspection *inspection, enum side side, const char *name);
/* In the inspection's arena. */
const char *inspect_text(struct inspection *inspection, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Makes an item one that failed, of this error. */
void inspect_failed(struct inspection *inspection, struct inspect_item *item, const struct err *err);

void inspect_flow_add(struct inspection *inspection, const struct inspect_flow *flow);

/* What an inspection of a link knows as it goes. */
struct inspected {
	struct session *session;
	const char *link;                /* NULL: it could not be read */
	const char *prefix;
	bool wide;                       /* topics are mirrored by themselves that no filter names literally */
	bool source_log;                 /* the source has a control topic of its own, as far as can be seen */
	bool reached[2];                 /* by enum side */
	struct rights_topic *topics;     /* that are mirrored and not STOPPED */
	int n_topics;
	struct rights_group *groups;     /* whose offsets are kept in step, and that of the progress */
	int n_groups;
};

/* Asks both sides what this login may do, and adds an item for each right. */
void inspect_rights(struct inspection *inspection, struct inspected *it);
/* Whoever else may write to the control log. */
void inspect_writers(struct inspection *inspection, struct inspected *it);
/* The principal as its brokers will see it, and where they are. */
void inspect_grantee(struct inspection *inspection, enum side side, const struct client_conf *conf);
/* Token endpoints and ticket servers of one side. */
void inspect_login_flows(struct inspection *inspection, enum side side, const struct client_conf *conf);
/* The workers' HTTP listeners. */
void inspect_worker_flows(struct inspection *inspection, const struct session *session);
