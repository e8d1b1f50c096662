/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrors as list and describe show them. What the log says comes first, then what both clusters are asked; links and
 * status are in report_links.c. */
#include "control/report.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/guard.h"
#include "control/verbs.h"
#include "control/worker_docs.h"
#include "wire/msg/kerr_codes.h"

#include <string.h>

enum { SOURCE_WAIT_MS = 5000, DESTINATION_WAIT_MS = 10000, SETTLE_MS = 1000, TRANSACTIONS_MAX = 20 };

/* --- from the log -------------------------------------------------------------------------------------------- */

/* The wish may be newer than what a worker has made of it, or no worker may run. */
static enum mirror_status effective(const struct mirror_wish *wish, const struct mirror_state *state, bool link_paused,
				    int64_t wish_offset)
{
	enum mirror_status status = state->status;

	if (status == MIRROR_STOPPED)
		return MIRROR_STOPPED;
	if (wish->wish != WISH_MIRROR && wish_offset != state->refused_wish)
		return MIRROR_PENDING_STOPPED;
	if (wish->paused)
		return MIRROR_PAUSED;
	if (link_paused)
		return MIRROR_LINK_PAUSED;
	if (status == MIRROR_PAUSED || status == MIRROR_LINK_PAUSED || status == MIRROR_PENDING_STOPPED)
		return MIRROR_ACTIVE;
	return status;
}

static int severity(enum lane_reason reason)
{
	if (reason == REASON_NONE)
		return 0;
	if (reason == REASON_DIVERGED)
		return 4;
	return reason == REASON_UNEXPECTED_TRUNCATION || reason == REASON_DATA_LOSS ? 3 : 2;
}

static void partition_of(const struct partition_state *p, int32_t number, struct arena *arena,
			 struct partition_info *out)
{
	*out = (struct partition_info){
		.partition = number, .state = lane_state_name(LANE_UNBOUND), .lag = -1, .lag_ms = -1,
		.last_source_fetch_offset = -1, .source_log_start_offset = -1, .source_high_watermark = -1,
		.source_last_stable_offset = -1, .local_log_start_offset = -1, .local_log_end_offset = -1,
		.time_since_last_fetch_ms = -1, .filled_offsets = -1, .coalesced_batches = -1,
		.tombstone_offsets = -1,
	};
	if (p == NULL)
		return;
	out->state = arena_strdup(arena, p->state);
	out->reason = arena_strdup(arena, p->reason);
	out->error = arena_strdup(arena, p->error);
	out->fills_by_transactions = p->fills_by_transactions;
	out->throttled = p->throttled && lane_state_parse(p->state) != LANE_FAILED;
	out->tombstone_offsets = p->tombstones;
}

/* Counts and the worst error over all partitions. */
static void sum_up(struct mirror_info *info, struct arena *arena)
{
	int worst = 0;

	for (int32_t i = 0; i < info->num_partition; i++) {
		const struct partition_info *p = &info->partitions[i];
		enum lane_reason reason = p->reason == NULL ? REASON_NONE : lane_reason_parse(p->reason);
		int severe = severity(reason);

		if (strcmp(p->state, lane_state_name(LANE_FAILED)) == 0) {
			info->failed_partitions++;
			info->failed = true;
		}
		info->throttled_partitions += p->throttled;
		info->diverged = info->diverged || severe >= 3;
		if (severe > worst) {
			char text[400];

			worst = severe;
			snprintf(text, sizeof(text), "%s%s%s", p->reason, p->error != NULL ? ": " : "",
				 p->error != NULL ? p->error : "");
			info->mirror_topic_error = arena_strdup(arena, text);
		}
	}
	if (info->error == NULL)
		info->error = info->mirror_topic_error;
}

static bool link_is_paused(const struct control_log *log, const char *link)
{
	struct link_wish wish;
	struct err unused;
	bool paused = control_log_link(log, link, &wish, &unused) == RC_OK && wish.paused;

	link_wish_fini(&wish);
	return paused;
}

static void info_of(const struct control_log *log, const struct mirror_wish *wish, const struct mirror_state *state,
		    struct arena *arena, struct mirror_info *info)
{
	const struct partition_state *last = state->n_partitions == 0 ? NULL : &state->partitions[state->n_partitions - 1];
	int64_t offset = control_log_mirror_offset(log, wish->link, wish->topic);

	info->source_topic_name = arena_strdup(arena, wish->source_topic);
	info->mirror_status = mirror_status_name(effective(wish, state, link_is_paused(log, wish->link), offset));
	info->status_time_ms = state->since_ms >= 0 ? state->since_ms : wish->created_ms;
	info->num_partition = MAX(wish->n_partitions, last == NULL ? 0 : last->partition + 1);
	info->stopped_how = arena_strdup(arena, state->stopped_how);
	info->door = arena_strdup(arena, state->door);
	info->read_only = guard_word(wish, arena, &info->read_only_reason);
	if (state->status == MIRROR_STOPPED) {
		info->read_only = "lifted";
		info->read_only_reason = NULL;
	}
	if (!wish->created)
		info->error = "its creation was cut short: run `krmirror mirror create` again";
	else
		info->error = arena_strdup(arena, state->refused_wish >= 0 && wish->wish == WISH_MIRROR ?
						  state->refused : NULL);
	info->partitions = arena_new(arena, struct partition_info, info->num_partition);
	for (int32_t i = 0; i < info->num_partition; i++)
		partition_of(mirror_state_find(state, i), i, arena, &info->partitions[i]);
	sum_up(info, arena);
}

/* As many partitions, all of them stopped because a newer version wrote the mirror's record. */
static void upgrade_needed_partitions(struct arena *arena, struct mirror_info *info, int32_t n)
{
	info->num_partition = n;
	info->partitions = arena_new(arena, struct partition_info, n);
	for (int32_t i = 0; i < n; i++) {
		struct partition_info *p = &info->partitions[i];

		partition_of(NULL, i, arena, p);
		p->state = lane_state_name(LANE_FAILED);
		p->reason = lane_reason_name(REASON_UPGRADE_NEEDED);
		p->error = info->error;
	}
	info->failed_partitions = n;
}

/* A mirror that a newer version wrote: as many partitions as its state knows; before a worker has written one, none. */
static void upgrade_needed(const struct control_log *log, struct arena *arena, struct mirror_info *info)
{
	struct mirror_state state = { 0 };
	struct err unused;
	int32_t n = 0;

	if (control_log_mirror_state(log, info->link_name, info->mirror_topic_name, &state, &unused) == RC_OK &&
	    state.n_partitions > 0)
		n = state.partitions[state.n_partitions - 1].partition + 1;
	mirror_state_fini(&state);
	info->failed = true;
	upgrade_needed_partitions(arena, info, n);
}

/* One record; what a newer version wrote is told as such. */
static void one(const struct control_log *log, const struct control_record *r, struct arena *arena,
		struct mirror_info *info)
{
	struct mirror_wish wish = { 0 };
	struct mirror_state state = { 0 };
	struct err err;

	*info = (struct mirror_info){
		.link_name = arena_strdup(arena, r->name), .mirror_topic_name = arena_strdup(arena, r->topic),
		.mirror_status = mirror_status_name(MIRROR_FAILED), .status_time_ms = -1, .max_lag = -1,
	};
	if (control_log_mirror(log, r->name, r->topic, &wish, &err) == RC_OK &&
	    control_log_mirror_state(log, r->name, r->topic, &state, &err) == RC_OK) {
		info_of(log, &wish, &state, arena, info);
	} else {
		info->upgrade_needed = err.rc == RC_UNSUPPORTED;
		info->error = arena_strdup(arena, err.text);
		info->mirror_topic_error = info->upgrade_needed ? lane_reason_name(REASON_UPGRADE_NEEDED) : info->error;
		if (info->upgrade_needed)
			upgrade_needed(log, arena, info);
	}
	mirror_wish_fini(&wish);
	mirror_state_fini(&state);
}

/* --- measuring ----------------------------------------------------------------------------------------------- */

/* The mirrors whose partitions are asked for together. */
struct group_of {
	struct mirror_info **infos;
	int n;
	bool source;            /* which side's topics */
};

static int count_partitions(const struct group_of *group)
{
	int n = 0;

	for (int i = 0; i < group->n; i++)
		n += group->infos[i]->num_partition;
	return n;
}

/* Where an answer goes. */
static int64_t *field_of(struct partition_info *p, const struct group_of *group, const struct admin_offsets *what)
{
	if (what->timestamp == ADMIN_EARLIEST)
		return group->source ? &p->source_log_start_offset : &p->local_log_start_offset;
	if (!group->source)
		return &p->local_log_end_offset;
	return what->isolation == 1 ? &p->source_last_stable_offset : &p->source_high_watermark;
}

static int measure_once(struct cluster *cluster, const struct group_of *group, struct admin_offsets what,
			int64_t deadline_ns, struct err *err)
{
	int at = 0, rc;

	what.n = count_partitions(group);
	what.settle_ms = SETTLE_MS;   /* who looks at a mirror whose topic was deleted does not want to wait */
	what.items = xcalloc((size_t)what.n, sizeof(*what.items));
	for (int i = 0; i < group->n; i++)
		for (int32_t p = 0; p < group->infos[i]->num_partition; p++, at++) {
			what.items[at].topic = group->source ? group->infos[i]->source_topic_name :
							       group->infos[i]->mirror_topic_name;
			what.items[at].partition = p;
		}
	rc = admin_list_offsets(cluster, &what, deadline_ns, err);
	at = 0;
	for (int i = 0; i < group->n; i++)
		for (int32_t p = 0; p < group->infos[i]->num_partition; p++, at++)
			*field_of(&group->infos[i]->partitions[p], group, &what) =
				what.items[at].error == 0 ? what.items[at].offset : -1;
	xfree(what.items);
	return rc;
}

/* The end of the destination is asked before those of the source, so that lag is never told too small. */
static int measure(struct cluster *cluster, const struct group_of *group, int64_t deadline_ns, struct err *err)
{
	struct admin_offsets start = { .timestamp = ADMIN_EARLIEST, .replica_id = ADMIN_CONSUMER };
	struct admin_offsets end = { .timestamp = ADMIN_LATEST,
				     .replica_id = group->source ? ADMIN_CONSUMER : ADMIN_LOG_END };
	int rc = RC_OK, first;

	if (group->source) {
		end.isolation = 1;
		rc = measure_once(cluster, group, end, deadline_ns, err);
		end.isolation = 0;
	}
	first = rc;
	rc = measure_once(cluster, group, end, deadline_ns, err);
	if (rc == RC_OK)
		rc = first;
	return rc == RC_OK ? measure_once(cluster, group, start, deadline_ns, err) : rc;
}

static void name_transactions(struct cluster *source, const struct mirror_info *info, int64_t deadline_ns, int *left)
{
	for (int32_t i = 0; i < info->num_partition && *left > 0; i++) {
		struct partition_info *p = &info->partitions[i];
		const struct admin_producer *oldest = NULL;
		struct admin_producers producers;
		struct arena arena;
		struct err unused;

		if (p->source_last_stable_offset < 0 || p->source_last_stable_offset >= p->source_high_watermark)
			continue;
		(*left)--;
		arena_init(&arena, 0);
		if (admin_describe_producers(source, info->source_topic_name, i, deadline_ns, &arena, &producers,
					     &unused) == RC_OK)
			oldest = admin_oldest_transaction(&producers);
		if (oldest != NULL) {
			p->has_transaction = true;
			p->transaction_producer_id = oldest->producer_id;
			p->transaction_first_offset = oldest->transaction_start;
			p->transaction_age_ms = MAX(clock_wall_ms() - oldest->last_timestamp, 0);
		}
		arena_fini(&arena);
	}
}

static bool is_stopped(const struct mirror_info *info)
{
	return strcmp(info->mirror_status, mirror_status_name(MIRROR_STOPPED)) == 0;
}

static void lags(struct mirror_info *info)
{
	for (int32_t i = 0; i < info->num_partition; i++) {
		struct partition_info *p = &info->partitions[i];

		/* Control offsets of the door are no lag, and what the source got after the promotion is none either. */
		if (is_stopped(info) && info->stopped_how != NULL && strcmp(info->stopped_how, "promoted") == 0)
			p->lag = 0;
		else if (p->source_last_stable_offset >= 0 && p->local_log_end_offset >= 0)
			p->lag = MAX(p->source_last_stable_offset - p->local_log_end_offset, 0);
		info->max_lag = MAX(info->max_lag, p->lag);
	}
}

/* All mirrors of one link at its source. */
static void measure_source(struct session *session, const struct group_of *group, int64_t deadline_ns)
{
	const char *link = group->infos[0]->link_name;
	int left = TRANSACTIONS_MAX;
	struct cluster *source;
	struct err err = { 0 };

	if (session_source(session, link, deadline_ns, &source, &err) != OUTCOME_DONE ||
	    measure(source, group, deadline_ns, &err) != RC_OK) {
		notes_add(&session->notes, "link %s: %s", link, err.text);
		if (err.rc == RC_NOT_FOUND || err.rc == RC_AUTH)
			return;   /* of one topic; the others were measured */
		for (int i = 0; i < group->n; i++)
			if (group->infos[i]->error == NULL)
				group->infos[i]->error = "the source does not answer";
		return;
	}
	for (int i = 0; i < group->n; i++)
		name_transactions(source, group->infos[i], deadline_ns, &left);
}

static void measure_all(struct session *session, const struct report_opts *opts, struct mirror_info *infos, int n)
{
	int64_t now = clock_mono_ns(), wait = opts->source_wait_ms > 0 ? opts->source_wait_ms : SOURCE_WAIT_MS;
	int64_t deadline = MIN(session->deadline_ns, now + DESTINATION_WAIT_MS * NS_PER_MS);
	struct group_of group = { xcalloc((size_t)n + 1, sizeof(struct mirror_info *)), 0, false };
	struct err err;

	for (int i = 0; i < n; i++)
		if (infos[i].num_partition > 0)
			group.infos[group.n++] = &infos[i];
	if (group.n > 0 && measure(session->destination, &group, deadline, &err) != RC_OK)
		notes_add(&session->notes, "%s", err.text);
	group.source = true;
	/* The records are sorted by link. */
	for (int i = 0; i < n && !opts->no_source;) {
		int j = i;

		group.n = 0;
		for (; j < n && strcmp(infos[j].link_name, infos[i].link_name) == 0; j++)
			if (infos[j].num_partition > 0 && !is_stopped(&infos[j]) && !infos[j].upgrade_needed)
				group.infos[group.n++] = &infos[j];
		if (group.n > 0)
			measure_source(session, &group,
				       MIN(session->deadline_ns, clock_mono_ns() + wait * NS_PER_MS));
		i = j;
	}
	for (int i = 0; i < n; i++)
		lags(&infos[i]);
	xfree(group.infos);
}

/* A mirror whose record cannot be read and of which no worker has told anything yet: its topic tells the partitions. */
static void count_at_destination(struct session *session, struct arena *arena, struct mirror_info *infos, int n)
{
	struct admin_topic topic;
	struct err unused;

	for (int i = 0; i < n; i++)
		if (infos[i].upgrade_needed && infos[i].num_partition == 0 &&
		    admin_topic(session->destination, infos[i].mirror_topic_name, session->deadline_ns, arena, &topic,
				&unused) == RC_OK)
			upgrade_needed_partitions(arena, &infos[i], topic.n_partitions);
}

/* What is recorded as enforced is looked at once more: somebody may have removed it since. */
static void check_guards(struct session *session, struct mirror_info *infos, int n)
{
	struct mirror_wish wish;
	struct err unused;
	json_t *all = NULL;
	bool asked = false;

	for (int i = 0; i < n; i++) {
		if (infos[i].read_only == NULL || strcmp(infos[i].read_only, "enforced") != 0)
			continue;
		if (!asked)
			all = guard_all_acls(session);
		asked = true;
		if (all == NULL)
			return;
		if (control_log_mirror(session->log, infos[i].link_name, infos[i].mirror_topic_name, &wish, &unused) == RC_OK &&
		    !guard_stands(&wish, all)) {
			infos[i].read_only = "unenforced: not permitted";
			infos[i].read_only_reason = "its ACLs were taken away; a worker makes them again";
		}
		mirror_wish_fini(&wish);
	}
	json_decref(all);
}

/* Where no guard is recorded: the cluster had no authorizer when the mirror was made. */
static void read_only(struct session *session, struct mirror_info *infos, int n)
{
	bool authorizer = false, asked = false;
	struct err unused;

	for (int i = 0; i < n; i++) {
		if (infos[i].read_only != NULL || infos[i].num_partition == 0)
			continue;
		if (!asked && admin_has_authorizer(session->destination, session->deadline_ns, &authorizer, &unused) !=
		    RC_OK)
			return;
		asked = true;
		infos[i].read_only = authorizer ? "unenforced: not permitted" : "unenforced: no authorizer";
		if (authorizer)
			infos[i].read_only_reason = "no worker has set the guard yet";
	}
}

/* --- all ----------------------------------------------------------------------------------------------------- */

static bool named(const struct report_opts *opts, const char *topic)
{
	for (int i = 0; i < opts->n_topics; i++)
		if (strcmp(opts->topics[i], topic) == 0)
			return true;
	return opts->topics == NULL;
}

static bool wanted(const struct report_opts *opts, const struct control_record *r)
{
	return named(opts, r->topic) && (opts->link == NULL || strcmp(opts->link, r->name) == 0) &&
	       (opts->topic == NULL || strcmp(opts->topic, r->topic) == 0);
}

static int collect(const struct control_log *log, const struct report_opts *opts, struct arena *arena,
		   struct mirror_info **infos)
{
	const struct control_record *r = NULL;
	int n = 0;

	while ((r = control_log_next(log, RECORD_MIRROR, r)) != NULL)
		n += wanted(opts, r);
	*infos = arena_new(arena, struct mirror_info, n);
	n = 0;
	while ((r = control_log_next(log, RECORD_MIRROR, r)) != NULL) {
		if (!wanted(opts, r))
			continue;
		one(log, r, arena, &(*infos)[n]);
		n += opts->status == NULL || strcmp((*infos)[n].mirror_status, opts->status) == 0;
	}
	return n;
}

enum outcome report_mirrors(struct session *session, const struct report_opts *opts, struct arena *arena,
			    struct mirror_info **mirrors, int *n, struct err *err)
{
	if (opts->link != NULL && control_log_link_offset(session->log, opts->link) < 0) {
		err_set(err, RC_NOT_FOUND, "there is no link %s", opts->link);
		err_hint(err, "`krmirror link list` shows the links");
		return OUTCOME_FAILED;
	}
	*n = collect(session->log, opts, arena, mirrors);
	if (opts->measure && *n > 0) {
		count_at_destination(session, arena, *mirrors, *n);
		measure_all(session, opts, *mirrors, *n);
		read_only(session, *mirrors, *n);
		check_guards(session, *mirrors, *n);
		if (opts->ask_workers)
			worker_docs_fill_mirrors(worker_docs_of(session), *mirrors, *n);
	}
	for (int i = 0; i < *n && !opts->partitions; i++)
		(*mirrors)[i].partitions = NULL;
	return OUTCOME_DONE;
}
