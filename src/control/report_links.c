/* SPDX-License-Identifier: Apache-2.0 */
#include "control/report.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/seal.h"
#include "control/verbs.h"
#include "control/worker_docs.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE_WAIT_MS = 5000 };

/* --- links --------------------------------------------------------------------------------------------------- */

static const char **brokers(const struct cluster *cluster, struct arena *arena, int *n)
{
	const char **list;

	*n = cluster_n_nodes(cluster);
	list = arena_new(arena, const char *, *n);
	for (int i = 0; i < *n; i++) {
		const struct node *node = cluster_node_at(cluster, i);
		char *text = xasprintf(strchr(node->host, ':') != NULL ? "[%s]:%u" : "%s:%u", node->host,
				       (unsigned)node->port);

		list[i] = arena_strdup(arena, text);
		xfree(text);
	}
	return list;
}

static void fill_topics(struct session *session, struct arena *arena, struct link_info *info)
{
	struct report_opts opts = { .link = info->link_name, .partitions = true };
	struct mirror_info *mirrors;
	struct err unused;
	int n;

	if (report_mirrors(session, &opts, arena, &mirrors, &n, &unused) != OUTCOME_DONE)
		return;
	info->topics = arena_new(arena, const char *, n);
	info->n_topics = n;
	for (int i = 0; i < n; i++) {
		info->topics[i] = mirrors[i].mirror_topic_name;
		for (int32_t p = 0; p < mirrors[i].num_partition; p++)
			info->partition_states[lane_state_parse(mirrors[i].partitions[p].state)]++;
		info->throttled_partitions += mirrors[i].throttled_partitions;
	}
}

static enum link_state_kind effective(const struct link_wish *wish, const struct link_state *state)
{
	if (state->state == LINK_FAILED)
		return LINK_FAILED;
	if (wish->paused)
		return LINK_PAUSED;
	return state->state == LINK_PAUSED ? LINK_ACTIVE : state->state;
}

/* Asks the source now. Where no worker has looked yet, what is found is the link's state. */
static void measure(struct session *session, const struct link_state *state, struct arena *arena,
		    struct link_info *info)
{
	int64_t deadline = MIN(session->deadline_ns, clock_mono_ns() + SOURCE_WAIT_MS * NS_PER_MS);
	struct cluster *source;
	struct err err = { 0 };
	enum outcome outcome;

	info->destination_brokers = brokers(session->destination, arena, &info->n_destination_brokers);
	if (info->inbound)
		return;
	outcome = session_source(session, info->link_name, deadline, &source, &err);
	if (outcome == OUTCOME_DONE) {
		info->source_brokers = brokers(source, arena, &info->n_source_brokers);
		info->last_contact_ms = (clock_mono_ns() - cluster_last_contact_ns(source)) / NS_PER_MS;
		return;
	}
	if (info->error == NULL) {
		info->error = outcome_word(outcome, &err);
		info->error_message = arena_strdup(arena, err.text);
	}
	if (state->seen < control_log_link_offset(session->log, info->link_name) && !info->paused)
		info->state = link_state_name(outcome == OUTCOME_REFUSED ? LINK_FAILED : LINK_UNAVAILABLE);
}

/* What the newest record says is what holds; that somebody has tried is told until the link is changed. */
static void tell_copy(const struct link_wish *wish, struct arena *arena, struct link_info *info)
{
	char text[200];

	if (MAX(wish->replayed, wish->copy_offset) < 0 || info->error != NULL)
		return;
	snprintf(text, sizeof(text), "somebody has written an older record of this link again, at offset %lld of the control "
		 "log; it is not used, but find out who may write there", (long long)MAX(wish->replayed, wish->copy_offset));
	info->error = seal_fault_word(SEAL_REPLAYED);
	info->error_message = arena_strdup(arena, text);
}

static void one(struct session *session, const struct control_record *r, bool ask, struct arena *arena,
		struct link_info *info)
{
	struct link_wish wish = { 0 };
	struct link_state state = { 0 };
	struct err err;

	*info = (struct link_info){ .link_name = arena_strdup(arena, r->name), .last_contact_ms = -1,
				    .state = link_state_name(LINK_FAILED) };
	fill_topics(session, arena, info);
	if (control_log_link(session->log, r->name, &wish, &err) == RC_OK &&
	    control_log_link_state(session->log, r->name, &state, &err) == RC_OK) {
		info->link_id = arena_strdup(arena, wish.link_id);
		info->source_cluster = arena_strdup(arena, wish.source_cluster_id);
		info->destination_cluster = arena_strdup(arena, wish.destination_cluster_id);
		info->paused = wish.paused;
		info->inbound = link_wish_inbound(&wish);
		info->state = link_state_name(effective(&wish, &state));
		info->error = arena_strdup(arena, state.error);
		info->error_message = arena_strdup(arena, state.error_message);
		tell_copy(&wish, arena, info);
		if (state.last_contact_ms >= 0)
			info->last_contact_ms = MAX(clock_wall_ms() - state.last_contact_ms, 0);
		if (ask) {
			measure(session, &state, arena, info);
			worker_docs_fill_link(worker_docs_of(session), info);
		}
	} else {
		info->error = err.rc == RC_UNSUPPORTED ? lane_reason_name(REASON_UPGRADE_NEEDED) : "FAILED";
		info->error_message = arena_strdup(arena, err.text);
	}
	link_wish_fini(&wish);
	link_state_fini(&state);
}

enum outcome report_links(struct session *session, const char *link, bool ask, struct arena *arena,
			  struct link_info **links, int *n, struct err *err)
{
	const struct control_record *r = NULL;
	int count = 0;

	while ((r = control_log_next(session->log, RECORD_LINK, r)) != NULL)
		count += link == NULL || strcmp(link, r->name) == 0;
	*n = 0;
	*links = arena_new(arena, struct link_info, count);
	if (link != NULL && count == 0) {
		err_set(err, RC_NOT_FOUND, "there is no link %s", link);
		err_hint(err, "`krmirror link list` shows the links");
		return OUTCOME_FAILED;
	}
	while ((r = control_log_next(session->log, RECORD_LINK, r)) != NULL)
		if (link == NULL || strcmp(link, r->name) == 0)
			one(session, r, ask, arena, &(*links)[(*n)++]);
	return OUTCOME_DONE;
}

/* --- status -------------------------------------------------------------------------------------------------- */

static bool is_member(const struct admin_group *group, const char *worker)
{
	for (int i = 0; i < group->n_members; i++)
		if (group->members[i].instance_id != NULL && strcmp(group->members[i].instance_id, worker) == 0)
			return true;
	return false;
}

static void fill_workers(struct session *session, struct arena *arena, struct status_info *status)
{
	const struct control_record *r = NULL;
	struct admin_group group = { 0 };
	struct err err;
	int n = 0;

	if (admin_describe_group(session->destination, session->conf->group_id, session->deadline_ns, arena, &group,
				 &err) != RC_OK) {
		notes_add(&session->notes, "%s", err.text);
		status->workers_unknown = true;
	}
	while ((r = control_log_next(session->log, RECORD_WORKER, r)) != NULL)
		n++;
	status->workers = arena_new(arena, struct worker_info, n);
	while ((r = control_log_next(session->log, RECORD_WORKER, r)) != NULL) {
		struct worker_record w;

		if (worker_record_decode(&w, r->name, r->value, &err) == RC_OK)
			status->workers[status->n_workers++] = (struct worker_info){
				.worker_id = arena_strdup(arena, w.worker), .version = arena_strdup(arena, w.version),
				.address = arena_strdup(arena, w.address), .live = is_member(&group, w.worker),
			};
		worker_record_fini(&w);
	}
}

static int live_workers(const struct status_info *status)
{
	int live = 0;

	for (int i = 0; i < status->n_workers; i++)
		live += status->workers[i].live;
	return live;
}

static const char *next_command(struct arena *arena, const struct link_info *info, const struct status_link *link,
				int live)
{
	char text[400];

	if (link->failed_partitions > 0)
		snprintf(text, sizeof(text), "krmirror mirror list --link %s", link->link_name);
	else if (strcmp(info->state, "FAILED") == 0 || strcmp(info->state, "UNAVAILABLE") == 0)
		snprintf(text, sizeof(text), "krmirror link describe %s", link->link_name);
	else if (info->inbound)
		snprintf(text, sizeof(text), "krmirror link create %s --config-file FILE   (link.mode=SOURCE)", link->link_name);
	else if (strcmp(info->state, "PAUSED") == 0)
		snprintf(text, sizeof(text), "krmirror link resume %s", link->link_name);
	else if (link->mirrors == 0)
		snprintf(text, sizeof(text), "krmirror mirror create TOPIC --link %s", link->link_name);
	else if (live == 0)
		snprintf(text, sizeof(text), "krmirrord -c FILE");
	else
		return NULL;
	return arena_strdup(arena, text);
}

/* A promotion or failover that somebody wished and nobody has finished yet: waiting for it also finishes it. */
static const char *unfinished(struct session *session, struct arena *arena, const char *link)
{
	const struct control_record *r = NULL;
	const char *command = NULL;

	while (command == NULL && (r = control_log_next(session->log, RECORD_MIRROR, r)) != NULL) {
		struct mirror_wish wish = { 0 };
		struct mirror_state state = { 0 };
		struct err unused;
		char text[600];

		if (strcmp(r->name, link) == 0 && control_log_mirror(session->log, link, r->topic, &wish, &unused) == RC_OK &&
		    wish.wish != WISH_MIRROR &&
		    control_log_mirror_state(session->log, link, r->topic, &state, &unused) == RC_OK &&
		    !mirror_is_stopped(&state)) {
			snprintf(text, sizeof(text), "krmirror %s %s --link %s --wait",
				 wish.wish == WISH_FAILOVER ? "failover" : "promote", r->topic, link);
			command = arena_strdup(arena, text);
		}
		mirror_wish_fini(&wish);
		mirror_state_fini(&state);
	}
	return command;
}

static int rank(const struct status_link *link)
{
	return strcmp(link->state, "FAILED") == 0 ? 4 : link->failed_partitions > 0 ? 3 :
	       strcmp(link->state, "UNAVAILABLE") == 0 ? 2 : strcmp(link->state, "PAUSED") == 0 ? 1 : 0;
}

static int worst_first(const void *a, const void *b)
{
	const struct status_link *x = a, *y = b;

	if (rank(x) != rank(y))
		return rank(y) - rank(x);
	if (x->max_lag != y->max_lag)
		return x->max_lag > y->max_lag ? -1 : 1;
	return strcmp(x->link_name, y->link_name);
}

static void sum_link(const struct mirror_info *mirrors, int n, struct status_link *link)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(mirrors[i].link_name, link->link_name) != 0)
			continue;
		link->mirrors++;
		link->failed_partitions += mirrors[i].failed_partitions;
		link->max_lag = MAX(link->max_lag, mirrors[i].max_lag);
	}
}

enum outcome report_status(struct session *session, struct arena *arena, struct status_info *status, struct err *err)
{
	struct report_opts opts = { .measure = true, .ask_workers = true };
	struct mirror_info *mirrors;
	struct link_info *links;
	enum outcome outcome;
	int n, n_mirrors;

	*status = (struct status_info){
		.destination_cluster = arena_strdup(arena, cluster_id(session->destination)),
		.foreign_records = control_log_foreign(session->log),
	};
	fill_workers(session, arena, status);
	outcome = report_links(session, NULL, true, arena, &links, &n, err);
	if (outcome == OUTCOME_DONE)
		outcome = report_mirrors(session, &opts, arena, &mirrors, &n_mirrors, err);
	if (outcome != OUTCOME_DONE)
		return outcome;
	status->links = arena_new(arena, struct status_link, n);
	status->n_links = n;
	for (int i = 0; i < n; i++) {
		struct status_link *link = &status->links[i];

		*link = (struct status_link){ .link_name = links[i].link_name, .state = links[i].state, .max_lag = -1,
					      .last_contact_ms = links[i].last_contact_ms };
		sum_link(mirrors, n_mirrors, link);
		link->next = unfinished(session, arena, link->link_name);
		if (link->next == NULL)
			link->next = next_command(arena, &links[i], link, status->workers_unknown ? 1 : live_workers(status));
	}
	qsort(status->links, (size_t)n, sizeof(*status->links), worst_first);
	return OUTCOME_DONE;
}
