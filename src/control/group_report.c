/* SPDX-License-Identifier: Apache-2.0 */
#include "control/group_report.h"

#include "control/group_topics.h"
#include "control/verbs.h"

#include <stdlib.h>
#include <string.h>

static int worst_first(const void *a, const void *b)
{
	const struct group_info *x = a, *y = b;
	bool mirrored_x = x->reason != GROUP_NO_MIRRORED_TOPICS, mirrored_y = y->reason != GROUP_NO_MIRRORED_TOPICS;

	if (mirrored_x != mirrored_y)
		return mirrored_y - mirrored_x;
	if (x->state != y->state)
		return y->state > x->state ? 1 : -1;
	return strcmp(x->group_id, y->group_id);
}

static struct group_info *find(const struct group_report *report, const char *id)
{
	for (int i = 0; i < report->n; i++)
		if (strcmp(report->groups[i].group_id, id) == 0)
			return &report->groups[i];
	return NULL;
}

/* What a worker recorded: since when, and groups that are gone at the source. */
static void recall(struct session *session, const struct group_pass *pass, struct group_report *report)
{
	struct link_state state = { 0 };
	const json_t *skipped;
	struct group_info *all;
	struct err unused;
	const char *id;
	json_t *group;

	if (control_log_link_state(session->log, pass->link, &state, &unused) == RC_OK &&
	    (skipped = group_skipped_of(&state)) != NULL) {
		all = arena_new(pass->arena, struct group_info, report->n + (int)json_object_size(skipped));
		for (int i = 0; i < report->n; i++)
			all[i] = report->groups[i];
		report->groups = all;
		json_object_foreach((json_t *)(uintptr_t)skipped, id, group) {
			struct group_info *info = find(report, id);
			enum group_reason reason;

			if (!group_reason_parse(json_string_value(json_object_get(group, "reason")), &reason))
				continue;
			if (info == NULL && reason == GROUP_GONE_AT_SOURCE) {
				info = &all[report->n++];
				*info = (struct group_info){ .group_id = arena_strdup(pass->arena, id),
							     .state = GROUP_SKIPPED, .reason = reason, .offsets_behind = -1 };
			}
			if (info != NULL && info->reason == reason)
				info->since_ms = json_integer_value(json_object_get(group, "since_ms"));
		}
	}
	link_state_fini(&state);
}

static enum outcome look(struct session *session, struct group_pass *pass, struct group_report *report, struct err *err)
{
	struct cluster *source;
	struct group_topic *topics;
	enum outcome outcome = session_source(session, pass->link, session->deadline_ns, &source, err);

	if (outcome != OUTCOME_DONE)
		return outcome;
	pass->n_topics = group_topics_of_log(session, pass->link, NULL, 0, pass->arena, &topics);
	pass->topics = topics;
	outcome = group_pass_run(session, source, pass, err);
	if (outcome != OUTCOME_DONE)
		return outcome;
	if (pass->trouble.rc != RC_OK)
		notes_add(&session->notes, "%s%s%s", pass->trouble.text, pass->trouble.hint[0] != '\0' ? "; " : "",
			  pass->trouble.hint);
	report->groups = pass->groups;
	report->n = pass->n_groups;
	recall(session, pass, report);
	if (report->n > 0)
		qsort(report->groups, (size_t)report->n, sizeof(*report->groups), worst_first);
	return OUTCOME_DONE;
}

enum outcome report_groups(struct session *session, const char *link, struct arena *arena, struct group_report *report,
			   struct err *err)
{
	struct link_conf conf;
	struct group_pass pass = { .link = link, .conf = &conf, .look_only = true, .all = true, .arena = arena };
	enum outcome outcome = OUTCOME_DONE;

	*report = (struct group_report){ 0 };
	if (session_link_conf(session, link, &conf, err) != RC_OK) {
		if (err->rc == RC_NOT_FOUND)
			err_hint(err, "`krmirror link list` shows the links");
		outcome = outcome_of(err, SIDE_SOURCE);
	} else {
		report->configured = conf.offset_sync;
		if (conf.offset_sync)
			outcome = look(session, &pass, report, err);
	}
	link_conf_fini(&conf);
	return outcome;
}
