/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of links: sequential, each may be killed at any point and run again. */
#pragma once

#include "control/report.h"
#include "control/session.h"

struct link_create_opts {
	const char *name;
	const struct props *config;       /* link.config and --config, merged; --source-bootstrap-server set in it */
	const char *source_cluster_id;    /* what the user says it is, or NULL */
	bool dry_run;                     /* everything but the recording */
	bool no_validate;                 /* the source is not dialled */
};

/* Checks, dials both clusters, records. Two links of one name: OUTCOME_REFUSED (RC_EXISTS). info is filled on success;
 * arena holds what it points to. Where this host lacks what the link refers to, it is recorded unchecked, for a running
 * worker to judge (info->left_to_worker; then link_await_worker is called); with no worker, OUTCOME_USAGE. */
enum outcome link_create(struct session *session, const struct link_create_opts *opts, struct arena *arena,
			 struct link_info *info, struct err *err) MUST_USE;
/* With link.mode=SOURCE the link's own keys are the destination's, and must mean the one that all is recorded at. */
enum outcome link_check_destination(struct session *session, const struct link_conf *conf, struct err *err) MUST_USE;
/* What is common to asking the source of a new link and of changed settings: that it is not the destination (by their
 * cluster ids; source may be NULL: not known), and what to do when it cannot be reached. */
enum outcome link_check_apart(const char *source, const char *destination, struct err *err) MUST_USE;
/* Dials every listener that the source advertises; one that cannot be used ends it, as in link_create. *id is the
 * source's (xfree). */
enum outcome link_dial_source(struct session *session, const struct link_conf *conf, char **id, struct err *err) MUST_USE;
void link_hint_servers(const struct link_conf *conf, enum outcome outcome, struct err *err);
/* Whether what link_conf_secure could not do (err) is for a running worker to do, which may be on another host: true, and
 * err is cleared. Else a hint is added to err. */
bool link_leave_to_worker(struct session *session, const struct link_conf *conf, struct err *err);
/* What the workers make of a link that was recorded without asking: waits a few seconds until one has read it and asked
 * the source. *judged: one has; it cannot be used: err, and its word. */
enum outcome link_verdict(struct session *session, const char *name, bool *judged, struct err *err) MUST_USE;
/* The same for a new link that was left to a worker, until the session's deadline. One that cannot be used is removed
 * again, and the outcome is as if it had been dialled from here. OUTCOME_TIMED_OUT: none has judged it; it stays
 * recorded. Done: *source_cluster is the id that the worker found, NULL when none (arena). */
enum outcome link_await_worker(struct session *session, const char *name, struct arena *arena, const char **source_cluster,
			       struct err *err) MUST_USE;
/* Records which cluster the source of a link is that these settings (seen) led to, where the record does not say so yet
 * and is still the same. *recorded: it did. */
enum outcome link_pin(struct session *session, const struct link_wish *seen, const char *source_cluster, bool *recorded,
		      struct err *err) MUST_USE;
/* *changed (may be NULL): false when it was so already. */
enum outcome link_pause(struct session *session, const char *name, bool *changed, struct err *err) MUST_USE;
enum outcome link_resume(struct session *session, const char *name, bool *changed, struct err *err) MUST_USE;
/* Refused while a mirror is not STOPPED; forgets its stopped mirrors too. */
enum outcome link_delete(struct session *session, const char *name, struct err *err) MUST_USE;
/* Where an older record of the link was written behind it: writes the good one again. Nothing otherwise. */
enum outcome link_mend(struct session *session, const char *name, struct err *err) MUST_USE;
/* What link_delete would say, without doing it: for the prompt. */
enum outcome link_delete_check(struct session *session, const char *name, struct err *err) MUST_USE;
