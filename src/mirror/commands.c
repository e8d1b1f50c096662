/* SPDX-License-Identifier: Apache-2.0 */
/* What the control side asks of a data loop: heap copies that are posted to it. Links and lanes are made here. */
#include "mirror/commands.h"

#include "base/log.h"

enum { ROTATIONS_MAX = 100000 };

/* ---- links ---- */

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
	cluster_opts_fini(&link->spec.source);
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

void link_settle(struct mirror_link *link)
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
		cluster_opts_fini(&c->spec.source);
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

void command_run(struct command *c)
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

void link_close(struct mirror_link *link)
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
		link_close(link);
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
	rate_set(&link->rate, link->spec.rate_limit, loop_now(m->loop));
	list_init(&link->fetchers);
	list_push_back(&m->links, &link->node);
	link->spec.source.counts = &totals_link(&m->counts->totals, link->name)->client;
	link->source = cluster_create(m->loop, m->small_pool, &link->spec.source);
	link->watch.changed = source_metadata;
	cluster_watch(link->source, &link->watch);
	snapshot_soon(m);
	return false;
}

static bool run_link_rate(struct mirror *m, struct command *c)
{
	struct mirror_link *link = find_link(m, c->link);

	if (link != NULL)
		rate_set(&link->rate, c->spec.rate_limit, loop_now(m->loop));
	return false;
}

/* The lane of a mirror partition, also one that is being closed. */
static struct mirror_lane *find_lane(struct mirror *m, const char *topic, int32_t partition)
{
	struct uuid none = { { 0 } };

	return lane_topic_at(lane_table_find(&m->table, str_of(topic), &none), partition);
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

/* The claim that an earlier lane of this partition left in doubt, of the id in use or of the one before. */
static void recall_claim(struct mirror_lane *ml)
{
	struct fence_marker *unproven = &ml->fill.fence.unproven;

	for (int32_t r = ml->spec.rotation; r >= 0 && r >= ml->spec.rotation - 1 && unproven->id == 0; r--)
		*unproven = claims_of(&ml->mirror->claims_left, ml->fill.ids[r]);
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
	ml->before = totals_take(&m->counts->totals, link->name, ml->topic, ml->partition);
	ml->spec.rotation = MIN(MAX(c->lane.rotation, 0), ROTATIONS_MAX);
	ml->fill.txn_id_wanted = -1;
	set_filler_ids(ml);
	recall_claim(ml);
	snprintf(ml->subject, sizeof(ml->subject), "lane %.120s/%d", ml->topic, ml->partition);
	lane_init(&ml->lane, mirror_data_id(link->name, ml->topic, ml->partition));
	ml->lane.fill_limit = link->spec.fill_limit;
	ml->lane.fill_tombstones = link->spec.fill_tombstones && ml->spec.compacted;
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
	mirror_lane_start(create_lane(link, c));
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
	if (ml != NULL && ml->successor != NULL)   /* it was asked for before this was recorded */
		ml->successor->lane.emptied_end = c->lane.emptied_end;
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
	cluster_opts_copy(&c->spec.source, &spec->source);
	if (c->spec.source.cluster_id == NULL && spec->source_cluster_id != NULL)
		c->spec.source.cluster_id = xstrdup(spec->source_cluster_id);
	c->spec.source_cluster_id = NULL;  /* stands in the options */
	loop_post(m->loop, &c->post);
}

void mirror_link_close(struct mirror *m, const char *link)
{
	loop_post(m->loop, &command(m, run_link_close, link)->post);
}

void mirror_link_rate(struct mirror *m, const char *link, int64_t bytes_per_s)
{
	struct command *c = command(m, run_link_rate, link);

	c->spec.rate_limit = bytes_per_s;
	loop_post(m->loop, &c->post);
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
