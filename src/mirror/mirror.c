/* SPDX-License-Identifier: Apache-2.0 */
/* One data loop: its thread, the commands of the control side, and the life of links and lanes.
 *
 * Commands are heap copies posted to the loop. Lanes are freed only when quiet: nothing in flight at the destination,
 * no opening round that points to them. mirror_lane_settle() is the one place that moves a lane on after an event. */
#include "mirror/filler_txn.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/wait.h"

#include <stdarg.h>

enum {
	TICK_MS = 250,
	SMALL_POOL = 256 << 20,   /* a bound for answers, far above what they need */
	STOP_POLL_MS = 20,
	ROTATIONS_MAX = 100000,
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

static void link_settle(struct mirror_link *link);
static void run_successor(struct command *command);

static void free_lane(struct mirror_lane *ml)
{
	struct mirror *m = ml->mirror;
	struct mirror_link *link = ml->link;
	struct command *successor = ml->successor;

	unbind(ml);
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
		run_successor(successor);
	link_settle(link);
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
		log_debug(ml->subject, "state", "from=%s to=%s offset=%lld", lane_state_name(ml->told_state),
			  lane_state_name(state), (long long)ml->lane.acked);
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
	sink_ready(ml);
	filler_ready(ml);
}

void mirror_lane_want_rotation(struct mirror_lane *ml)
{
	if (ml->fill.rotation_wanted > ml->spec.rotation)
		return;
	ml->fill.rotation_wanted = ml->spec.rotation + 1;
	log_info(ml->subject, "the filler id is to be rotated", "rotation=%d", ml->fill.rotation_wanted);
	snapshot_soon(ml->mirror);
}

/* The producer ids of fills: of all rotations up to the recorded one, and of empty transactions. */
static void set_filler_ids(struct mirror_lane *ml)
{
	struct fill_slot *f = &ml->fill;

	f->ids = xrealloc(f->ids, (size_t)ml->spec.rotation + 1 + ARRAY_LEN(ml->spec.txn_filler_ids), sizeof(*f->ids));
	for (f->n_ids = 0; f->n_ids <= ml->spec.rotation; f->n_ids++)
		f->ids[f->n_ids] = mirror_filler_id(ml->link->name, ml->topic, ml->partition, f->n_ids);
	for (size_t i = 0; i < ARRAY_LEN(ml->spec.txn_filler_ids); i++)
		if (ml->spec.txn_filler_ids[i] >= 0)
			f->ids[f->n_ids++] = ml->spec.txn_filler_ids[i];
}

static void start_lane(struct mirror_lane *ml)
{
	lane_probe(&ml->lane, loop_now(ml->mirror->loop));
	ml->sink.failures = 0;
	opening_start(ml);
	tell_changes(ml);
}

/* ---- links ---- */

static void free_cluster_opts(struct cluster_opts *o)
{
	struct endpoint *b = (struct endpoint *)(uintptr_t)o->bootstrap;

	for (int i = 0; i < o->n_bootstrap; i++)
		xfree(b[i].host);
	xfree(b);
	xfree((void *)(uintptr_t)o->client_id);
	xfree((void *)(uintptr_t)o->cluster_id);
}

static void copy_cluster_opts(struct cluster_opts *to, const struct cluster_opts *from)
{
	struct endpoint *b = xcalloc((size_t)MAX(from->n_bootstrap, 1), sizeof(*b));

	*to = *from;
	for (int i = 0; i < from->n_bootstrap; i++)
		b[i] = (struct endpoint){ xstrdup(from->bootstrap[i].host), from->bootstrap[i].port };
	to->bootstrap = b;
	to->client_id = xstrdup(from->client_id != NULL ? from->client_id : "krmirror");
	to->cluster_id = from->cluster_id != NULL ? xstrdup(from->cluster_id) : NULL;
}

/* NULL: none, or it is being closed. */
static struct mirror_link *find_link(struct mirror *m, const char *name)
{
	struct list *pos;

	list_each(pos, &m->links) {
		struct mirror_link *link = list_entry(pos, struct mirror_link, node);

		if (!link->closing && strcmp(link->name, name) == 0)
			return link;
	}
	return NULL;
}

static void link_gone(void *owner)
{
	struct mirror_link *link = owner;

	list_del(&link->node);
	lane_table_fini(&link->table);
	free_cluster_opts(&link->spec.source);
	xfree(link->name);
	xfree(link);
}

static bool link_in_use(const struct mirror_link *link)
{
	const struct list *pos;

	list_each(pos, &link->mirror->lanes)
		if (list_entry(pos, const struct mirror_lane, node)->link == link)
			return true;
	return false;
}

/* Ends a link that is being closed when its last lane is gone. */
static void link_settle(struct mirror_link *link)
{
	if (!link->closing || link->source == NULL || link_in_use(link))
		return;
	cluster_unwatch(&link->watch);
	source_close(link);
	cluster_destroy(link->source, link_gone, link);
	link->source = NULL;
}

/* ---- commands ---- */

struct command {
	struct post post;
	struct mirror *mirror;
	bool (*run)(struct mirror *mirror, struct command *command);  /* true: it was taken over */
	char *link, *topic, *source_topic;
	struct lane_spec lane;
	struct link_spec spec;
};

static void free_command(struct command *c)
{
	if (c->spec.source.bootstrap != NULL)
		free_cluster_opts(&c->spec.source);
	xfree(c->link);
	xfree(c->topic);
	xfree(c->source_topic);
	xfree(c);
}

static void run_command(struct post *post)
{
	struct command *c = container_of(post, struct command, post);

	if (c->mirror->stopping || !c->run(c->mirror, c))
		free_command(c);
}

static void run_successor(struct command *c)
{
	run_command(&c->post);
}

static struct command *command(struct mirror *m, bool (*run)(struct mirror *, struct command *), const char *link)
{
	struct command *c = xcalloc(1, sizeof(*c));

	c->post.run = run_command;
	c->mirror = m;
	c->run = run;
	c->link = xstrdup(link);
	return c;
}

static struct command *lane_command(struct mirror *m, bool (*run)(struct mirror *, struct command *),
				    const struct lane_key *key)
{
	struct command *c = command(m, run, key->link);

	c->topic = xstrdup(key->topic);
	c->lane.key.partition = key->partition;
	return c;
}

static void close_link(struct mirror_link *link)
{
	struct list *pos, *tmp;

	link->closing = true;
	list_each_safe(pos, tmp, &link->mirror->lanes) {
		struct mirror_lane *ml = list_entry(pos, struct mirror_lane, node);

		if (ml->link != link)
			continue;
		ml->closing = true;
		mirror_lane_settle(ml);
	}
	link_settle(link);
}

static bool run_link_close(struct mirror *m, struct command *c)
{
	struct mirror_link *link = find_link(m, c->link);

	if (link != NULL)
		close_link(link);
	return false;
}

static bool run_link_open(struct mirror *m, struct command *c)
{
	struct mirror_link *link;

	run_link_close(m, c);  /* one of the same name has older settings */
	link = xcalloc(1, sizeof(*link));
	link->mirror = m;
	link->name = xstrdup(c->link);
	link->spec = c->spec;
	c->spec.source.bootstrap = NULL;  /* moved */
	link->spec.name = link->name;
	list_init(&link->fetchers);
	list_push_back(&m->links, &link->node);
	link->source = cluster_create(m->loop, m->small_pool, &link->spec.source);
	link->watch.changed = source_metadata;
	cluster_watch(link->source, &link->watch);
	snapshot_soon(m);
	return false;
}

/* The lane of a mirror partition, also one that is being closed. */
static struct mirror_lane *find_lane(struct mirror *m, const char *topic, int32_t partition)
{
	struct uuid none = { { 0 } };

	return lane_topic_at(lane_table_find(&m->table, str_of(topic), &none), partition);
}

static struct mirror_lane *create_lane(struct mirror_link *link, struct command *c)
{
	struct mirror_lane *ml = xcalloc(1, sizeof(*ml));
	struct mirror *m = link->mirror;

	ml->mirror = m;
	ml->link = link;
	ml->topic = xstrdup(c->topic);
	ml->source_topic_name = xstrdup(c->source_topic);
	ml->partition = c->lane.key.partition;
	ml->spec = c->lane;
	ml->spec.rotation = MIN(MAX(c->lane.rotation, 0), ROTATIONS_MAX);
	ml->fill.txn_id_wanted = -1;
	set_filler_ids(ml);
	snprintf(ml->subject, sizeof(ml->subject), "lane %.120s/%d", ml->topic, ml->partition);
	lane_init(&ml->lane, mirror_data_id(link->name, ml->topic, ml->partition));
	ml->lane.fill_limit = link->spec.fill_limit;
	ml->source_log_start = ml->source_high_watermark = ml->source_last_stable = ml->local_log_start = -1;
	ml->sink.corrupt_at = ml->source.too_far_at = -1;
	ml->seed.to = -1;
	ml->rewriting.crc_at = -1;
	ml->known_offset = c->lane.stored_offset;
	ml->known_epoch = c->lane.stored_offset >= 0 ? c->lane.stored_epoch : -1;
	ml->source_topic = lane_table_add(&link->table, ml->source_topic_name, &ml->spec.source_topic_id,
					  ml->partition, ml);
	ml->local_topic = lane_table_add(&m->table, ml->topic, &ml->spec.destination_topic_id, ml->partition, ml);
	cluster_track(link->source, ml->source_topic_name);
	cluster_track(m->destination, ml->topic);
	list_push_back(&m->lanes, &ml->node);
	return ml;
}

static bool run_lane_open(struct mirror *m, struct command *c)
{
	struct mirror_lane *old = find_lane(m, c->topic, c->lane.key.partition);
	struct mirror_link *link = find_link(m, c->link);

	if (link == NULL) {
		log_error("mirror", "a lane of a link that is not open", "link=%s topic=%s", c->link, c->topic);
		return false;
	}
	if (old != NULL) {
		if (old->successor != NULL)
			free_command(old->successor);
		old->successor = c;
		old->closing = true;
		mirror_lane_settle(old);  /* which may run and free the successor at once */
		return true;
	}
	start_lane(create_lane(link, c));
	cluster_refresh(link->source);
	cluster_refresh(m->destination);
	return false;
}

static bool run_lane_close(struct mirror *m, struct command *c)
{
	struct mirror_lane *ml = find_lane(m, c->topic, c->lane.key.partition);

	if (ml == NULL)
		return false;
	if (ml->successor != NULL)
		free_command(ml->successor);
	ml->successor = NULL;
	ml->closing = true;
	mirror_lane_settle(ml);
	return false;
}

static bool run_lane_seed(struct mirror *m, struct command *c)
{
	struct mirror_lane *ml = find_lane(m, c->topic, c->lane.key.partition);

	if (ml != NULL && !ml->closing)
		seeder_recorded(ml, c->lane.seed_from, c->lane.seed_to);
	return false;
}

static bool run_lane_may_empty(struct mirror *m, struct command *c)
{
	struct mirror_lane *ml = find_lane(m, c->topic, c->lane.key.partition);

	if (ml != NULL)
		ml->spec.emptied_end = c->lane.emptied_end;
	return false;
}

static bool run_lane_trimmed(struct mirror *m, struct command *c)
{
	struct mirror_lane *ml = find_lane(m, c->topic, c->lane.key.partition);

	if (ml != NULL && !ml->closing)
		seeder_trimmed(ml, c->lane.start_offset);
	return false;
}

static bool run_lane_rotate(struct mirror *m, struct command *c)
{
	struct mirror_lane *ml = find_lane(m, c->topic, c->lane.key.partition);

	if (ml == NULL || ml->closing || c->lane.rotation <= ml->spec.rotation || c->lane.rotation > ROTATIONS_MAX)
		return false;
	ml->spec.rotation = c->lane.rotation;
	set_filler_ids(ml);
	lane_cast_doubt(&ml->lane);  /* opened again, it reads what the broker knows of the new id */
	mirror_lane_settle(ml);
	return false;
}

static bool run_lane_txn_filler(struct mirror *m, struct command *c)
{
	struct mirror_lane *ml = find_lane(m, c->topic, c->lane.key.partition);

	if (ml == NULL || ml->closing || c->lane.txn_filler_ids[0] == ml->spec.txn_filler_ids[0])
		return false;
	ml->spec.txn_filler_ids[1] = ml->spec.txn_filler_ids[0];
	ml->spec.txn_filler_ids[0] = c->lane.txn_filler_ids[0];
	set_filler_ids(ml);
	lane_cast_doubt(&ml->lane);
	mirror_lane_settle(ml);
	return false;
}

void mirror_link_open(struct mirror *m, const struct link_spec *spec)
{
	struct command *c = command(m, run_link_open, spec->name);

	c->spec = *spec;
	copy_cluster_opts(&c->spec.source, &spec->source);
	if (c->spec.source.cluster_id == NULL && spec->source_cluster_id != NULL)
		c->spec.source.cluster_id = xstrdup(spec->source_cluster_id);
	c->spec.source_cluster_id = NULL;  /* stands in the options */
	loop_post(m->loop, &c->post);
}

void mirror_link_close(struct mirror *m, const char *link)
{
	loop_post(m->loop, &command(m, run_link_close, link)->post);
}

void mirror_lane_open(struct mirror *m, const struct lane_spec *spec)
{
	struct command *c = lane_command(m, run_lane_open, &spec->key);

	c->lane = *spec;
	c->lane.key.link = c->lane.key.topic = c->lane.source_topic = NULL;
	c->source_topic = xstrdup(spec->source_topic);
	loop_post(m->loop, &c->post);
}

void mirror_lane_close(struct mirror *m, const struct lane_key *key)
{
	loop_post(m->loop, &lane_command(m, run_lane_close, key)->post);
}

void mirror_set_lease(struct mirror *m, int64_t until_boot_ns)
{
	atomic_store(&m->lease_boot_ns, until_boot_ns);
}

void mirror_set_claim(struct mirror *m, int64_t claim)
{
	atomic_store(&m->claim, claim);
}

void mirror_lane_txn_filler(struct mirror *m, const struct lane_key *key, int64_t producer_id)
{
	struct command *c = lane_command(m, run_lane_txn_filler, key);

	c->lane.txn_filler_ids[0] = producer_id;
	loop_post(m->loop, &c->post);
}

void mirror_lane_rotate(struct mirror *m, const struct lane_key *key, int32_t rotation)
{
	struct command *c = lane_command(m, run_lane_rotate, key);

	c->lane.rotation = rotation;
	loop_post(m->loop, &c->post);
}

void mirror_lane_seed(struct mirror *m, const struct lane_key *key, int64_t from, int64_t to)
{
	struct command *c = lane_command(m, run_lane_seed, key);

	c->lane.seed_from = from;
	c->lane.seed_to = to;
	loop_post(m->loop, &c->post);
}

void mirror_lane_may_empty(struct mirror *m, const struct lane_key *key, int64_t end)
{
	struct command *c = lane_command(m, run_lane_may_empty, key);

	c->lane.emptied_end = end;
	loop_post(m->loop, &c->post);
}

void mirror_lane_trimmed(struct mirror *m, const struct lane_key *key, int64_t log_start)
{
	struct command *c = lane_command(m, run_lane_trimmed, key);

	c->lane.start_offset = log_start;
	loop_post(m->loop, &c->post);
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
			close_link(link);
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

	loop_timer_set(m->loop, &m->tick_timer, loop_now(m->loop) + TICK_MS * NS_PER_MS);
	snapshot_publish(m);
	loop_run(m->loop);
	loop_timer_clear(&m->publish_timer);
	loop_timer_clear(&m->opening_timer);
	cluster_unwatch(&m->watch);
	cluster_destroy_wait(m->destination);
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
	copy_cluster_opts(&m->opts.destination, &opts->destination);
	m->loop = loop;
	m->data_pool = buf_pool_create(opts->buffer_memory - opts->buffer_memory / REWRITE_DIVISOR);
	m->small_pool = buf_pool_create(SMALL_POOL);
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
	seeder_fini(m);
	rewriting_fini(m);
	buf_pool_destroy(m->data_pool);
	buf_pool_destroy(m->small_pool);
	free_cluster_opts(&m->opts.destination);
	pthread_mutex_destroy(&m->snapshot_lock);
	loop_destroy(m->loop);
	xfree(m);
}

const char *mirror_engine_name(const struct mirror *m)
{
	return loop_engine_name(m->loop);
}

const char *mirror_engine_why(const struct mirror *m)
{
	return loop_engine_why(m->loop);
}
