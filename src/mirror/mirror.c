/* SPDX-License-Identifier: Apache-2.0 */
/* One data loop: its thread, and the life of lanes. commands.c makes and closes them.
 *
 * Lanes are freed only when quiet: nothing in flight at the destination, no opening round that points to them.
 * mirror_lane_settle() is the one place that moves a lane on after an event. */
#include "mirror/commands.h"
#include "mirror/filler_txn.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/wait.h"

#include <stdarg.h>

enum {
	TICK_MS = 250,
	SMALL_POOL = 256 << 20,   /* a bound for answers, far above what they need */
	STOP_POLL_MS = 20,
	REWRITE_DIVISOR = 4,      /* of the budget, for rewritten batches; fetched ones have the rest */
};

/* ---- lanes ---- */

static bool is_quiet(const struct mirror_lane *ml)
{
	return lane_in_flight(&ml->lane) == 0 && ml->opening.round == NULL && !filler_txn_busy(ml);
}

static void unbind(struct mirror_lane *ml)
{
	filler_txn_stop(ml);
	source_unbind(ml);
	sink_unbind(ml);
	filler_unbind(ml);
	opening_stop(ml);
}

static void free_lane(struct mirror_lane *ml)
{
	struct mirror *m = ml->mirror;
	struct mirror_link *link = ml->link;
	struct command *successor = ml->successor;

	unbind(ml);
	snapshot_counts(ml, totals_lane(&m->counts->totals, link->name, ml->topic, ml->partition));
	if (ml->fill.fence.unproven.id != 0)
		claims_leave(&m->claims_left, &ml->fill.fence.unproven);
	log_info(ml->subject, "closed", "offset=%lld again=%s", (long long)ml->lane.acked, successor != NULL ? "yes" : "no");
	list_del(&ml->node);
	lane_table_remove(&ml->link->table, ml->source_topic, ml->partition);
	lane_table_remove(&ml->mirror->table, ml->local_topic, ml->partition);
	cluster_untrack(ml->link->source, ml->source_topic_name);
	cluster_untrack(ml->mirror->destination, ml->topic);
	filler_txn_free(ml);
	lane_fini(&ml->lane);
	xfree(ml->topic);
	xfree(ml->source_topic_name);
	xfree(ml->fill.ids);
	xfree(ml);
	snapshot_soon(m);
	if (successor != NULL)
		command_run(successor);
	link_settle(link);
}

/* Being opened for the first time, and being aligned, have lines of their own. */
static bool told_elsewhere(enum lane_state state, enum lane_state before)
{
	return state == LANE_ALIGNED || (state == LANE_PROBING && before == LANE_UNBOUND);
}

static void tell_changes(struct mirror_lane *ml)
{
	enum lane_state state = snapshot_state(ml);

	if (ml->told_state == state && ml->told_reason == ml->lane.reason)
		return;
	if (state == LANE_FAILED)
		log_warn(ml->subject, "failed", "reason=%s offset=%lld error=" LOG_Q,
			 lane_reason_name(ml->lane.reason), (long long)ml->lane.acked, ml->lane.error);
	else
		log_at(told_elsewhere(state, ml->told_state) ? LOG_DEBUG : LOG_INFO, ml->subject, "state",
		       "from=%s to=%s offset=%lld", lane_state_name(ml->told_state), lane_state_name(state),
		       (long long)ml->lane.acked);
	ml->told_state = state;
	ml->told_reason = ml->lane.reason;
	ml->since_wall_ms = clock_wall_ms();
	snapshot_soon(ml->mirror);
}

static void open_again(struct mirror_lane *ml)
{
	unbind(ml);
	if (ml->lane.acked_epoch >= 0) {
		ml->known_offset = ml->lane.acked;
		ml->known_epoch = ml->lane.acked_epoch;
	}
	lane_probe(&ml->lane, loop_now(ml->mirror->loop));
	ml->retry_at_ns = 0;
	opening_start(ml);
}

void mirror_lane_fail(struct mirror_lane *ml, enum lane_reason reason, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	lane_fail(&ml->lane, reason, loop_now(ml->mirror->loop), "%s", text);
}

void mirror_lane_settle(struct mirror_lane *ml)
{
	bool quiet;

	if (ml->lane.state == LANE_FAILED || ml->lane.doubt || ml->closing) {
		source_unbind(ml);
		filler_txn_stop(ml);
		opening_stop(ml);
	}
	if (ml->lane.state == LANE_FAILED && ml->retry_at_ns == 0 && lane_reason_retries(ml->lane.reason))
		ml->retry_at_ns = loop_now(ml->mirror->loop) + ml->link->spec.availability_check_ms * NS_PER_MS;
	if (ml->lane.state != LANE_PROBING)
		ml->retried = REASON_NONE;
	tell_changes(ml);
	quiet = is_quiet(ml);
	if (!quiet)
		return;
	if (ml->closing) {
		free_lane(ml);
	} else if (ml->lane.state == LANE_FAILED) {
		sink_unbind(ml);
		filler_unbind(ml);
	} else if (ml->lane.doubt) {
		open_again(ml);
	}
}

void mirror_lane_ready(struct mirror_lane *ml)
{
	seeder_tombstones(ml);
	sink_ready(ml);
	filler_ready(ml);
}

void mirror_lane_go_on(struct mirror_lane *ml)
{
	source_touch(ml);
	mirror_lane_ready(ml);
	mirror_lane_settle(ml);
}

void mirror_lane_want_rotation(struct mirror_lane *ml)
{
	if (ml->fill.rotation_wanted > ml->spec.rotation)
		return;
	ml->fill.rotation_wanted = ml->spec.rotation + 1;
	log_info(ml->subject, "the filler id is to be rotated", "rotation=%d", ml->fill.rotation_wanted);
	snapshot_soon(ml->mirror);
}

void mirror_lane_start(struct mirror_lane *ml)
{
	lane_probe(&ml->lane, loop_now(ml->mirror->loop));
	ml->sink.failures = 0;
	opening_start(ml);
	tell_changes(ml);
}

/* ---- time ---- */

static void retry_failed(struct mirror *m, int64_t now)
{
	struct list *pos, *tmp;

	list_each_safe(pos, tmp, &m->lanes) {
		struct mirror_lane *ml = list_entry(pos, struct mirror_lane, node);

		if (ml->lane.state != LANE_FAILED || ml->retry_at_ns == 0 || now < ml->retry_at_ns || !is_quiet(ml))
			continue;
		ml->retried = ml->lane.reason;
		memcpy(ml->retried_error, ml->lane.error, sizeof(ml->retried_error));
		ml->fill.by_transactions = false;  /* the right for markers may have been granted */
		open_again(ml);
	}
}

static void tick(struct timer *timer)
{
	struct mirror *m = container_of(timer, struct mirror, tick_timer);
	int64_t now = loop_now(m->loop);
	struct list *pos;

	list_each(pos, &m->links) {
		struct mirror_link *link = list_entry(pos, struct mirror_link, node);

		if (link->source != NULL)
			source_tick(link, now);
	}
	sink_tick(m, now);
	filler_tick(m, now);
	merging_tick(m, now);
	retry_failed(m, now);
	loop_timer_set(m->loop, timer, now + TICK_MS * NS_PER_MS);
}

/* ---- the thread ---- */

static void close_everything(struct mirror *m)
{
	struct list *pos, *tmp;

	list_each_safe(pos, tmp, &m->links) {
		struct mirror_link *link = list_entry(pos, struct mirror_link, node);

		if (!link->closing)
			link_close(link);
	}
}

/* Appends in flight are waited for until the grace is over; then their connections are closed, which answers them. */
static void stop_poll(struct timer *timer)
{
	struct mirror *m = container_of(timer, struct mirror, tick_timer);
	int64_t now = loop_now(m->loop);

	if (now >= m->stop_at_ns) {
		sink_close_all(m);
		filler_close_all(m);
	}
	if (list_empty(&m->links) && list_empty(&m->lanes) && m->n_rounds == 0 && rewriting_idle(m)) {
		sink_close_all(m);
		filler_close_all(m);
		loop_stop(m->loop);
		return;
	}
	loop_timer_set(m->loop, timer, now + STOP_POLL_MS * NS_PER_MS);
}

static void stop_now(struct post *post)
{
	struct mirror *m = container_of(post, struct mirror, stop_post);

	m->stopping = true;
	close_everything(m);
	m->tick_timer.done = stop_poll;
	loop_timer_set(m->loop, &m->tick_timer, loop_now(m->loop));
}

static void *thread_main(void *arg)
{
	struct mirror *m = arg;

	pthread_setname_np(pthread_self(), "krm-data");
	loop_timer_set(m->loop, &m->tick_timer, loop_now(m->loop) + TICK_MS * NS_PER_MS);
	snapshot_publish(m);
	loop_run(m->loop);
	loop_timer_clear(&m->publish_timer);
	loop_timer_clear(&m->opening_timer);
	cluster_unwatch(&m->watch);
	cluster_destroy_wait(m->destination);
	m->counts->cpu_ns += snapshot_thread_cpu_ns();
	return NULL;
}

struct mirror *mirror_create(const struct mirror_opts *opts, struct err *err)
{
	struct loop *loop = loop_create(opts->engine, err);
	struct mirror *m;

	if (loop == NULL)
		return NULL;
	m = xcalloc(1, sizeof(*m));
	m->opts = *opts;
	cluster_opts_copy(&m->opts.destination, &opts->destination);
	m->loop = loop;
	m->data_pool = buf_pool_create(opts->buffer_memory - opts->buffer_memory / REWRITE_DIVISOR);
	m->small_pool = buf_pool_create(SMALL_POOL);
	mirror_counts_init(&m->own_counts);
	m->counts = opts->counts != NULL ? opts->counts : &m->own_counts;
	m->opts.destination.counts = &m->counts->destination;
	m->destination = cluster_create(loop, m->small_pool, &m->opts.destination);
	m->watch.changed = sink_metadata;
	cluster_watch(m->destination, &m->watch);
	list_init(&m->links);
	list_init(&m->lanes);
	list_init(&m->sinks);
	list_init(&m->fillers);
	opening_init(m);
	rewriting_init(m, opts->buffer_memory / REWRITE_DIVISOR);
	m->tick_timer.done = tick;
	m->stop_post.run = stop_now;
	atomic_init(&m->lease_boot_ns, 0);
	atomic_init(&m->claim, 0);
	pthread_mutex_init(&m->snapshot_lock, NULL);
	CHECK(pthread_create(&m->thread, NULL, thread_main, m) == 0);
	return m;
}

void mirror_destroy(struct mirror *m, int32_t grace_ms)
{
	m->stop_at_ns = clock_mono_ns() + grace_ms * NS_PER_MS;
	loop_post(m->loop, &m->stop_post);
	pthread_join(m->thread, NULL);
	mirror_snapshot_free(m->snapshot);
	lane_table_fini(&m->table);
	claims_fini(&m->claims_left);
	mirror_counts_fini(&m->own_counts);
	seeder_fini(m);
	rewriting_fini(m);
	buf_pool_destroy(m->data_pool);
	buf_pool_destroy(m->small_pool);
	cluster_opts_fini(&m->opts.destination);
	pthread_mutex_destroy(&m->snapshot_lock);
	loop_destroy(m->loop);
	xfree(m);
}

const char *mirror_engine_name(const struct mirror *m)
{
	return loop_engine_name(m->loop);
}
