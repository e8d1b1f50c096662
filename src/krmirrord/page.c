/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/page.h"

#include "base/clock.h"
#include "base/mem.h"
#include "krmirrord/tasks.h"
#include "krmirrord/worker.h"

#include <stdlib.h>
#include <string.h>

enum { STALE_MIN_MS = 5000, PERIODS = 2 };

/* ---- the board ---- */

void board_init(struct board *board)
{
	pthread_mutex_init(&board->lock_, NULL);
	board->page_ = NULL;
}

void board_fini(struct board *board)
{
	page_unref(board->page_);
	pthread_mutex_destroy(&board->lock_);
}

void board_publish(struct board *board, struct page *page)
{
	struct page *old;

	atomic_init(&page->refs_, 1);
	pthread_mutex_lock(&board->lock_);
	old = board->page_;
	board->page_ = page;
	pthread_mutex_unlock(&board->lock_);
	page_unref(old);
}

struct page *board_take(struct board *board)
{
	struct page *page;

	pthread_mutex_lock(&board->lock_);
	page = board->page_;
	if (page != NULL)
		atomic_fetch_add(&page->refs_, 1);
	pthread_mutex_unlock(&board->lock_);
	return page;
}

static void free_mirror(struct page_mirror *mirror)
{
	for (int32_t p = 0; p < mirror->n_partitions; p++)
		xfree(mirror->partitions[p].error);
	xfree(mirror->partitions);
	xfree(mirror->link);
	xfree(mirror->topic);
	xfree(mirror->source_topic);
}

static void free_link(struct page_link *link)
{
	xfree(link->name);
	xfree(link->error);
	xfree(link->error_message);
}

static void free_worker(struct page_worker *worker)
{
	xfree(worker->id);
	xfree(worker->version);
	xfree(worker->address);
}

void page_unref(struct page *page)
{
	if (page == NULL || atomic_fetch_sub(&page->refs_, 1) > 1)
		return;
	for (int i = 0; i < page->n_mirrors; i++)
		free_mirror(&page->mirrors[i]);
	for (int i = 0; i < page->n_links; i++)
		free_link(&page->links[i]);
	for (int i = 0; i < page->n_workers; i++)
		free_worker(&page->workers[i]);
	for (int i = 0; i < page->n_loops; i++)
		mirror_snapshot_free(page->loops[i]);
	verifies_fini(&page->verifies);
	xfree(page->mirrors);
	xfree(page->links);
	xfree(page->workers);
	xfree(page->loops);
	xfree(page->worker_id);
	xfree(page->host);
	xfree(page->address);
	xfree(page->engine);
	xfree(page->engine_why);
	xfree(page->destination);
	xfree(page->control_topic);
	xfree(page);
}

/* ---- making a page ---- */

static char *copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct lane_status *x = a, *y = b;
	int order = strcmp(x->link, y->link);

	if (order == 0)
		order = strcmp(x->topic, y->topic);
	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static void take_loops(const struct worker *worker, struct page *page)
{
	page->loops = xcalloc((size_t)MAX(worker->n_mirrors, 1), sizeof(*page->loops));
	for (int i = 0; i < worker->n_mirrors; i++) {
		struct mirror_snapshot *s = mirror_snapshot(worker->mirrors[i]);

		if (s->n_lanes > 1)
			qsort(s->lanes, (size_t)s->n_lanes, sizeof(*s->lanes), by_name);
		page->loops[page->n_loops++] = s;
	}
}

static const struct lane_status *find_lane(const struct page *page, const struct mirror_row *row, int32_t partition)
{
	const struct lane_status key = { .link = row->link, .topic = row->topic, .partition = partition };
	const struct mirror_snapshot *s;

	if (page->n_loops == 0)
		return NULL;
	s = page->loops[share_loop(page->n_loops, row->link, row->topic, partition)];
	return s->n_lanes > 0 ? bsearch(&key, s->lanes, (size_t)s->n_lanes, sizeof(*s->lanes), by_name) : NULL;
}

static void take_partition(const struct page *page, const struct mirror_row *row, int32_t p, struct page_partition *out)
{
	struct entry_now now;

	entry_now(row, p, &now);
	*out = (struct page_partition){
		.mine = row->lanes[p].mine, .transaction = row->lanes[p].transaction, .state = now.state, .reason = now.reason,
		.error = now.error[0] != '\0' ? xstrdup(now.error) : NULL,
		.lane = row->lanes[p].held == HELD_OPEN ? find_lane(page, row, p) : NULL,
	};
}

static void take_mirror(struct page *page, const struct mirror_row *row)
{
	struct page_mirror *m = &page->mirrors[page->n_mirrors++];

	*m = (struct page_mirror){
		.link = xstrdup(row->link), .topic = xstrdup(row->topic), .source_topic = copy(row->wish.source_topic),
		.status = mirror_row_status(row),
		.status_time_ms = row->mirror_state.since_ms, .n_partitions = row->n_lanes, .n_failed = row->plan.n_failed,
	};
	m->partitions = xcalloc((size_t)MAX(row->n_lanes, 1), sizeof(*m->partitions));
	for (int32_t p = 0; p < row->n_lanes; p++)
		take_partition(page, row, p, &m->partitions[p]);
}

static void take_link(struct worker *worker, struct page *page, const struct link_row *row)
{
	const struct err *why;
	const char *error = links_error(row, &why);

	page->links[page->n_links++] = (struct page_link){
		.name = xstrdup(row->name), .state = plan_link_state(&row->plan), .inbound = row->usable && row->conf.inbound,
		.error = copy(error), .error_message = copy(why != NULL ? why->text : NULL),
		.contact_wall_ms = row->contact_wall_ms,
		.stale_ms = MAX(STALE_MIN_MS, PERIODS * links_metadata_age_ms(row)),
	};
	tasks_states(row, page->links[page->n_links - 1].tasks);
	tasks_tell(row, &page->links[page->n_links - 1].told);
	page->links[page->n_links - 1].tally = *ledger_link(worker->ledger, row->name);
}

static void take_workers(struct worker *worker, struct page *page)
{
	const struct control_record *r = NULL;
	const struct share *share = &worker->member.next;
	int n = 0;

	page->n_members = worker->member.generation >= 0 ? share->n : 0;
	while ((r = control_log_next(worker->session.log, RECORD_WORKER, r)) != NULL)
		n++;
	page->workers = xcalloc((size_t)MAX(n, 1), sizeof(*page->workers));
	while ((r = control_log_next(worker->session.log, RECORD_WORKER, r)) != NULL) {
		struct worker_record w;
		struct err unused;

		if (worker_record_decode(&w, r->name, r->value, &unused) == RC_OK)
			page->workers[page->n_workers++] = (struct page_worker){
				copy(w.worker), copy(w.version), copy(w.address), share_has(share, w.worker) };
		worker_record_fini(&w);
	}
}

static void judge_ready(const struct worker *worker, struct page *page)
{
	const struct member *member = &worker->member;
	const char *why = "";

	if (worker->signals.stop)
		why = "it stops";
	else if (worker->model.position < 0)
		why = "the control log has not been read: the destination has not answered yet";
	else if (member->generation < 0)
		why = "the workers' group has not given it a part yet";
	else if (clock_boot_ns() >= member->lease_boot_ns)
		why = "its lease has run out: the group's coordinator does not answer";
	else if (member->lapsed)
		why = "its lease had run out, and the control log is not read again yet";
	else if (!member->applied)
		why = "its part of the partitions is not claimed in the control log yet";
	else if (worker->log_trouble)
		why = "the control log does not answer";
	snprintf(page->not_ready, sizeof(page->not_ready), "%s", why);
}

struct page *page_make(struct worker *worker)
{
	const struct model *model = &worker->model;
	struct cluster *destination = worker->session.destination;
	struct page *page = xcalloc(1, sizeof(*page));

	page->published_ns = clock_mono_ns();
	page->started_ms = worker->ledger->started_ms;
	page->worker_id = xstrdup(worker->conf->worker_id);
	page->host = xstrdup(worker->host);
	page->address = copy(worker->conf->http_advertised_listener);
	page->engine = xstrdup(loop_engine_name(worker->loop));
	page->engine_why = xstrdup(loop_engine_why(worker->loop));
	page->destination = copy(destination != NULL && cluster_id(destination)[0] != '\0' ? cluster_id(destination) : NULL);
	page->control_topic = xstrdup(worker->conf->control_topic);
	page->by_partition = worker->conf->metrics_partitions;
	page->leader = worker->member.leader;
	page->control = worker->ledger->control;
	client_counts_add(&page->control, &worker->session.counts);
	if (destination != NULL && cluster_last_contact_ns(destination) > 0)
		page->destination_contact_wall_ms = clock_wall_ms() -
			(clock_mono_ns() - cluster_last_contact_ns(destination)) / NS_PER_MS;
	page->foreign = model->position >= 0 ? control_log_foreign(worker->session.log) : -1;
	memcpy(page->task_errors, worker->ledger->task_errors, sizeof(page->task_errors));
	page->drills = worker->drills;
	verifies_copy(&page->verifies, &worker->verifies);
	judge_ready(worker, page);
	take_loops(worker, page);
	page->links = xcalloc((size_t)MAX(model->n_links, 1), sizeof(*page->links));
	for (int i = 0; i < model->n_links; i++)
		if (model->links[i]->present)
			take_link(worker, page, model->links[i]);
	page->mirrors = xcalloc((size_t)MAX(model->n_mirrors, 1), sizeof(*page->mirrors));
	for (int i = 0; i < model->n_mirrors; i++)
		if (model->mirrors[i]->present && model->mirrors[i]->readable)
			take_mirror(page, model->mirrors[i]);
	if (worker->session.log != NULL)
		take_workers(worker, page);
	return page;
}

/* ---- what it says ---- */

const struct page_link *page_link_of(const struct page *page, const char *name)
{
	for (int i = 0; i < page->n_links; i++)
		if (strcmp(page->links[i].name, name) == 0)
			return &page->links[i];
	return NULL;
}

struct lane_counts page_topic_counts(const struct page *page, const struct page_mirror *mirror)
{
	struct lane_counts sum = { 0 };

	for (int32_t p = 0; p < mirror->n_partitions; p++)
		if (mirror->partitions[p].lane != NULL)
			lane_counts_add(&sum, &mirror->partitions[p].lane->counts);
	for (int i = 0; i < page->n_loops; i++)
		for (int g = 0; g < page->loops[i]->n_gone; g++) {
			const struct gone_counts *gone = &page->loops[i]->gone[g];

			if (strcmp(gone->topic, mirror->topic) == 0 && strcmp(gone->link, mirror->link) == 0)
				lane_counts_add(&sum, &gone->counts);
		}
	return sum;
}

static int64_t since(int64_t wall_ms, int64_t then_ms)
{
	return then_ms > 0 ? MAX(wall_ms - then_ms, 0) : -1;
}

static int64_t behind(int64_t end, int64_t position)
{
	return end >= 0 ? MAX(end - position, 0) : -1;
}

/* What the source said a while ago says nothing of what it has got since. */
static bool source_known(const struct page *page, const struct page_mirror *mirror, int64_t wall_ms)
{
	const struct page_link *link = page_link_of(page, mirror->link);

	return link != NULL && link->contact_wall_ms > 0 && wall_ms - link->contact_wall_ms < link->stale_ms;
}

void page_lag(const struct page *page, const struct page_mirror *mirror, int32_t partition, int64_t wall_ms,
	      struct page_lag *lag)
{
	const struct lane_status *s = mirror->partitions[partition].lane;

	*lag = (struct page_lag){ -1, -1, -1, -1, -1, -1 };
	if (s == NULL)
		return;
	lag->fetch_ms = since(wall_ms, s->answered_wall_ms);
	lag->append_ms = since(wall_ms, s->last_append_wall_ms);
	if (s->local_log_end_offset < 0 || !source_known(page, mirror, wall_ms))
		return;
	lag->records = behind(s->source_high_watermark, s->local_log_end_offset);
	lag->stable_records = behind(s->source_last_stable_offset, s->local_log_end_offset);
	if (lag->stable_records < 0)
		return;
	lag->lag_ms = lag->stable_records == 0 ? 0 : since(wall_ms, s->caught_up_wall_ms);
	if (lag->stable_records == 0)
		lag->rpo_ms = 0;
	else if (s->oldest_timestamp >= 0)
		lag->rpo_ms = MAX(wall_ms - s->oldest_timestamp, 0);
	else
		lag->rpo_ms = lag->lag_ms;   /* at most: it came since */
}
