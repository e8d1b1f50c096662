/* SPDX-License-Identifier: Apache-2.0 */
/* Links at the data loops, and for each a connection of the control thread to its source: the metadata of the mirrored
 * topics (new partitions) and the availability check. Nothing here waits: metadata comes when it comes, and a source
 * that is away holds up nobody. */
#include "krmirrord/tasks.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/links.h"

enum { METADATA_AGE_MAX_MS = 30000 };

static void source_changed(struct cluster_watch *watch, const struct err *err)
{
	struct link_row *row = container_of(watch, struct link_row, watch);

	/* Once it was another cluster it stays so until the right one answers, whatever fails meanwhile. */
	if (err == NULL)
		row->source_error.rc = row->refused.rc = RC_OK;
	else
		row->source_error = *err;
	if (err != NULL && err->rc == RC_REFUSED)
		row->refused = *err;
}

/* ---- the source's cluster ---- */

/* What a cluster's options point to; lives until the cluster is gone, which may be after its link. */
struct link_source {
	struct worker *worker;
	struct cluster_opts opts;
};

static void source_gone(void *owner)
{
	struct link_source *source = owner;

	source->worker->n_sources--;
	cluster_opts_fini(&source->opts);
	xfree(source);
}

static void untrack(struct mirror_row *row)
{
	if (row->tracked == NULL)
		return;
	if (row->tracked_at->source != NULL)
		cluster_untrack(row->tracked_at->source, row->tracked);
	xfree(row->tracked);
	row->tracked = NULL;
	row->tracked_at = NULL;
}

static void source_close(struct worker *worker, struct link_row *row)
{
	if (row->source == NULL)
		return;
	for (int i = 0; i < worker->model.n_mirrors; i++)
		if (worker->model.mirrors[i]->tracked_at == row)
			untrack(worker->model.mirrors[i]);
	cluster_unwatch(&row->watch);
	cluster_destroy(row->source, source_gone, row->source_keeps);
	row->source = NULL;
	row->source_keeps = NULL;
}

int64_t links_metadata_age_ms(const struct link_row *row)
{
	int32_t age = MIN(row->conf.source.metadata_max_age_ms, METADATA_AGE_MAX_MS);

	return MAX(MIN(age, row->conf.availability_check_ms / 2), 100);
}

static void source_open(struct worker *worker, struct link_row *row)
{
	struct link_source *keeps = xcalloc(1, sizeof(*keeps));
	struct cluster_opts *opts = &keeps->opts, of_link;

	client_conf_opts(&row->conf.source, "source", row->wish.source_cluster_id, &of_link);
	cluster_opts_copy(opts, &of_link);
	keeps->worker = worker;
	/* often enough for the availability check to see a contact within each period */
	opts->metadata_max_age_ms = (int32_t)links_metadata_age_ms(row);
	row->source = cluster_create(worker->loop, worker->session.pool, opts);
	row->source_keeps = keeps;
	worker->n_sources++;
	row->watch.changed = source_changed;
	row->source_error.rc = row->refused.rc = RC_OK;
	row->misses = 0;
	row->check_ns = clock_mono_ns() + row->conf.availability_check_ms * NS_PER_MS;
	cluster_watch(row->source, &row->watch);
	cluster_refresh(row->source);
}

/* ---- opening and closing ---- */

static bool wants_source(const struct link_row *row)
{
	return row->present && row->usable && !row->plan.paused && !row->conf.inbound;
}

static void open_at_loops(struct worker *worker, struct link_row *row)
{
	struct link_spec spec;

	link_conf_spec(&row->conf, row->name, row->wish.source_cluster_id, &spec);
	for (int i = 0; i < worker->n_mirrors; i++)
		mirror_link_open(worker->mirrors[i], &spec);
	lanes_reopen(worker, row);   /* their link has gone with the settings of before */
	log_info("link", row->opened ? "settings replaced" : "opened", "link=%s source=%s", row->name,
		 row->wish.source_cluster_id != NULL ? row->wish.source_cluster_id : "");
	row->opened = true;
	xfree(row->rates);   /* they have the whole limit now */
	row->rates = NULL;
}

static void apply_link(struct worker *worker, struct link_row *row)
{
	if (row->changed) {
		source_close(worker, row);
		session_source_drop(&worker->session, row->name);
		if (row->present && row->usable && !row->conf.inbound)
			open_at_loops(worker, row);
		row->changed = false;
		tasks_renew(row);
		worker->plan_wanted = true;
	}
	if (!wants_source(row))
		source_close(worker, row);
	else if (row->source == NULL)
		source_open(worker, row);
}

static void follow_topic(struct mirror_row *row)
{
	bool wanted = row->present && row->readable && row->wish.created && row->link_row != NULL &&
		      row->link_row->source != NULL && row->wish.source_topic != NULL;

	if (row->tracked != NULL && (!wanted || row->tracked_at != row->link_row ||
				     strcmp(row->tracked, row->wish.source_topic) != 0))
		untrack(row);
	if (!wanted || row->tracked != NULL)
		return;
	row->tracked = xstrdup(row->wish.source_topic);
	row->tracked_at = row->link_row;
	cluster_track(row->tracked_at->source, row->tracked);
	cluster_refresh(row->tracked_at->source);
}

void links_apply(struct worker *worker)
{
	for (int i = 0; i < worker->model.n_links; i++)
		apply_link(worker, worker->model.links[i]);
	for (int i = 0; i < worker->model.n_mirrors; i++)
		follow_topic(worker->model.mirrors[i]);
}

static bool lanes_left(const struct worker *worker, const struct link_row *link)
{
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		const struct mirror_row *row = worker->model.mirrors[i];

		for (int32_t p = 0; row->link_row == link && p < row->n_lanes; p++)
			if (row->lanes[p].held != HELD_NOT)
				return true;
	}
	return false;
}

void links_close(struct worker *worker)
{
	for (int i = 0; i < worker->model.n_links; i++) {
		struct link_row *row = worker->model.links[i];

		if (row->present || !row->opened || lanes_left(worker, row))
			continue;
		for (int j = 0; j < worker->n_mirrors; j++)
			mirror_link_close(worker->mirrors[j], row->name);
		log_info("link", "closed", "link=%s", row->name);
		row->opened = false;
		session_source_drop(&worker->session, row->name);
	}
}

void links_end(struct worker *worker)
{
	for (int i = 0; i < worker->model.n_links; i++)
		source_close(worker, worker->model.links[i]);
	while (worker->n_sources > 0)
		loop_step(worker->loop, INT64_MAX);
}

/* ---- availability ---- */

static int64_t mono_to_wall(int64_t mono_ns)
{
	return clock_wall_ms() - (clock_mono_ns() - mono_ns) / NS_PER_MS;
}

static void take_contact(struct link_row *row)
{
	int64_t contact_ns = cluster_last_contact_ns(row->source);

	if (contact_ns > 0)
		row->contact_wall_ms = MAX(row->contact_wall_ms, mono_to_wall(contact_ns));
}

/* A line at the beginning, and one when the reason becomes another: down, then refusing our password. */
static void tell_unavailable(struct link_row *row)
{
	bool news = row->misses == row->conf.availability_threshold || row->told_rc != row->source_error.rc;

	row->told_rc = row->source_error.rc;
	log_at(news ? LOG_WARN : LOG_DEBUG, "link", "the source does not answer; trying again",
	       "link=%s misses=%d error=" LOG_Q, row->name, row->misses, row->source_error.text);
}

static void judge_available(struct link_row *row)
{
	int64_t now = clock_mono_ns(), period_ms = row->conf.availability_check_ms;

	take_contact(row);
	/* the half period is what metadata may be late by: see source_open */
	if (clock_wall_ms() - row->contact_wall_ms < period_ms && row->contact_wall_ms > 0) {
		row->misses = 0;
		row->plan.unavailable = false;
		row->check_ns = MAX(row->check_ns, now);
		return;
	}
	if (now < row->check_ns)
		return;
	row->check_ns = now + period_ms * NS_PER_MS;
	row->misses++;
	row->plan.unavailable = row->misses >= row->conf.availability_threshold;
	if (row->source_error.rc == RC_OK)   /* nothing has failed yet: it is just silent */
		err_set(&row->source_error, RC_TIMEOUT, "no answer for %lld ms", (long long)(period_ms * row->misses));
	if (row->plan.unavailable)
		tell_unavailable(row);
}

/* A link whose record does not say yet which cluster its source is; else that is looked at when it is made. */
static bool leads_home(const struct worker *worker, const struct link_row *row, struct err *err)
{
	const char *source = row->source != NULL ? cluster_id(row->source) : "";
	const char *destination = worker->session.destination != NULL ? cluster_id(worker->session.destination) : "";

	return row->wish.source_cluster_id == NULL && source[0] != '\0' && destination[0] != '\0' &&
	       link_check_apart(source, destination, err) != OUTCOME_DONE;
}

static void judge_failed(const struct worker *worker, struct link_row *row)
{
	const struct err *why = row->data_error.rc != RC_OK ? &row->data_error : NULL;
	struct err home = { 0 };

	if (row->refused.rc != RC_OK)
		why = &row->refused;
	if (leads_home(worker, row, &home))
		why = &home;
	row->plan.failed = why != NULL;
	row->plan.another_cluster = why != NULL;
	if (why == NULL)
		return;
	row->error = *why;
	if (why == &row->refused)
		snprintf(row->error_word, sizeof(row->error_word), "%s",
			 lane_reason_name(REASON_SOURCE_CLUSTER_ID_CHANGED));
	if (why == &home)
		snprintf(row->error_word, sizeof(row->error_word), "CONFIGURATION");
}

bool links_check(struct worker *worker)
{
	bool changed = false;

	for (int i = 0; i < worker->model.n_links; i++) {
		struct link_row *row = worker->model.links[i];
		struct plan_link before = row->plan;

		if (!row->usable)
			continue;
		if (row->source != NULL && !row->plan.failed)
			judge_available(row);
		else
			row->plan.unavailable = false;
		judge_failed(worker, row);
		if (before.failed == row->plan.failed && before.unavailable == row->plan.unavailable)
			continue;
		changed = true;
		if (before.unavailable && !row->plan.unavailable)
			log_info("link", "the source answers again", "link=%s", row->name);
		if (!before.failed && row->plan.failed)
			log_error("link", "failed; its lanes are closed", "link=%s reason=%s error=" LOG_Q, row->name,
				  row->error_word, row->error.text);
	}
	return changed;
}

const char *links_error(const struct link_row *row, const struct err **why)
{
	enum link_state_kind state = plan_link_state(&row->plan);

	*why = &row->source_error;
	/* A source that has never answered is told at once: the checks before UNAVAILABLE take minutes by default. */
	if (state == LINK_UNAVAILABLE ||
	    (state == LINK_ACTIVE && !row->stale && row->contact_wall_ms <= 0 && row->source_error.rc != RC_OK))
		return "SOURCE_UNAVAILABLE";
	*why = &row->error;
	if (state == LINK_FAILED || row->stale)
		return row->error_word;
	*why = NULL;
	return NULL;
}

/* ---- topics ---- */

const struct topic_meta *links_source_topic(const struct mirror_row *row)
{
	const struct topic_meta *meta;

	if (row->tracked == NULL || row->tracked_at->source == NULL)
		return NULL;
	meta = cluster_topic(row->tracked_at->source, row->tracked);
	if (meta == NULL || !meta->known || meta->error != 0)
		return NULL;
	/* another topic of the same name says nothing about ours; the lanes find that out */
	if (!uuid_is_zero(&meta->id) && !uuid_is_zero(&row->wish.source_topic_id) &&
	    !uuid_eq(&meta->id, &row->wish.source_topic_id))
		return NULL;
	return meta;
}

bool links_source_short(const struct mirror_row *row, int32_t partition)
{
	const struct topic_meta *meta = links_source_topic(row);

	return meta != NULL && partition >= meta->n_partitions;
}
