/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the verbs share. Only for control/, and the drill, which does what verbs do. */
#pragma once

#include "control/session.h"

bool mirror_is_stopped(const struct mirror_state *state);
/* The configuration of a link as the control log has it, secrets opened with the key of this host (NULL: none). RC_USAGE,
 * RC_REFUSED: see link_unseal. */
int link_conf_of(const struct link_wish *wish, const struct secret_key *key, struct link_conf *conf,
		 struct err *err) MUST_USE;
/* The same by the link's name, of the session's control log. RC_NOT_FOUND too. link_conf_fini is right after a failure. */
int session_link_conf(const struct session *session, const char *link, struct link_conf *conf, struct err *err) MUST_USE;
/* What `mirror delete` forgot is not made again by auto-create until `mirror create` is said: takes that back in the
 * batch, where it is not so already. */
int mirror_remember(const struct control_log *log, struct control_batch *batch, const char *link, const char *topic,
		    struct err *err) MUST_USE;
bool mirror_is_forgotten(const struct control_log *log, const char *link, const char *topic);
/* Ends [n] of a topic's partitions 0..n-1 as asked for by what; offsets[i] -1 where one is not had. */
struct ends_of {
	const char *topic;
	int32_t n;
	int64_t timestamp;
	int32_t replica_id;
	int8_t isolation;
};
int topic_ends(struct cluster *cluster, const struct ends_of *what, int64_t deadline_ns, int64_t *offsets,
	       struct err *err) MUST_USE;
