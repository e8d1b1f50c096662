/* SPDX-License-Identifier: Apache-2.0 */
#include "control/source_log.h"

#include "control/verbs.h"

#include <string.h>

static void add(const struct control_log *log, const struct control_record *r, json_t *mirrors)
{
	struct mirror_state state = { 0 };
	struct mirror_wish mirror = { 0 };
	struct link_wish link = { 0 };
	struct err unused;

	/* What cannot be decoded is a mirror all the same. */
	(void)!mirror_wish_decode(&mirror, r->name, r->topic, r->value, &unused);
	(void)!control_log_link(log, r->name, &link, &unused);
	(void)!control_log_mirror_state(log, r->name, r->topic, &state, &unused);
	json_object_set_new(mirrors, r->topic, json_pack("{s:s?, s:s?, s:s, s:b}", "source_cluster", link.source_cluster_id,
							 "source_topic", mirror.source_topic, "link", r->name, "stopped",
							 mirror_is_stopped(&state)));
	mirror_state_fini(&state);
	link_wish_fini(&link);
	mirror_wish_fini(&mirror);
}

static enum outcome read_one(struct cluster *source, const char *topic, int64_t deadline_ns, json_t *mirrors,
			     struct err *err)
{
	struct control_log_opts opts = { .topic = topic, .replication = -1, .of_others = true };
	struct control_log *log = control_log_create(source, &opts);
	enum outcome outcome = control_log_read(log, deadline_ns, err);
	const struct control_record *r = NULL;

	while (outcome == OUTCOME_DONE && (r = control_log_next(log, RECORD_MIRROR, r)) != NULL)
		add(log, r, mirrors);
	control_log_destroy(log);
	return outcome;
}

enum outcome source_log_mirrors(struct session *session, struct cluster *source, int64_t deadline_ns, json_t **mirrors,
				struct err *err)
{
	const char *own = session->conf->control_topic;
	enum outcome outcome;

	*mirrors = json_object();
	outcome = read_one(source, SOURCE_LOG_TOPIC, deadline_ns, *mirrors, err);
	if (outcome == OUTCOME_DONE && strcmp(own, SOURCE_LOG_TOPIC) != 0)
		outcome = read_one(source, own, deadline_ns, *mirrors, err);
	if (outcome != OUTCOME_DONE) {
		json_decref(*mirrors);
		*mirrors = NULL;
	}
	return outcome;
}
