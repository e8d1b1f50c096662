/* SPDX-License-Identifier: Apache-2.0 */
#include "workers.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define LINK "sim"

void workers_init(struct workers *workers, struct world *world)
{
	*workers = (struct workers){ .world = world, .owner = -1 };
	for (int p = 0; p < PARTITIONS; p++)
		workers->records[p] = (struct record){ -1, -1, 0, { -1, -1 }, -1, -1, -1 };
}

void workers_fini(struct workers *workers)
{
	for (int i = 0; i < workers->n; i++) {
		struct worker *w = &workers->all[i];

		net_cut_off(w->fiber);
		fiber_freeze(i, false);
		mirror_destroy(w->mirror, 0);
	}
}

static struct cluster_opts cluster_at(const char *side, const struct net_broker *broker, const struct endpoint *at)
{
	struct cluster_opts o;

	cluster_opts_default(&o);
	o.side = side;
	o.cluster_id = sandbox_cluster_id(broker->sandbox);
	o.bootstrap = at;
	o.n_bootstrap = 1;
	o.metadata_max_age_ms = 5000;
	return o;
}

static void open_lane(struct workers *workers, struct mirror *m, int32_t p)
{
	const struct record *r = &workers->records[p];

	mirror_lane_open(m, &(struct lane_spec){
		.key = { LINK, TOPIC, p }, .source_topic = TOPIC, .source_topic_id = workers->world->source_topic,
		.destination_topic_id = workers->world->destination_topic, .adopted_end = -1,
		.rotation = r->rotation, .stored_offset = r->stored_offset, .stored_epoch = r->stored_epoch,
		.seed_from = r->seed_from, .seed_to = r->seed_to, .emptied_end = r->emptied_end,
		.compacted = workers->world->compacted, .txn_filler_ids = { r->txn_fillers[0], r->txn_fillers[1] },
	});
}

void workers_resume(struct workers *workers, int32_t partition)
{
	workers->truncated[partition] = false;
	if (workers->owner >= 0)   /* else its heir opens it */
		open_lane(workers, workers->all[workers->owner].mirror, partition);
}

void workers_reopen(struct workers *workers, int32_t partition, bool at_once)
{
	struct mirror *m = workers->all[workers->owner].mirror;

	if (!at_once)
		mirror_lane_close(m, &(struct lane_key){ LINK, TOPIC, partition });
	open_lane(workers, m, partition);
}

void workers_start(struct workers *workers)
{
	char host[] = "10.0.0.1";
	struct world *world = workers->world;
	struct endpoint source = { host, world->source->port }, destination = { host, world->destination->port };
	struct worker *w = &workers->all[workers->n];
	struct mirror_opts opts = {
		.destination = cluster_at("destination", world->destination, &destination),
		.buffer_memory = (size_t)8 << 20, .max_request_size = (size_t)1 << 20,
	};
	struct link_spec link = {
		.name = LINK, .source_cluster_id = sandbox_cluster_id(world->source->sandbox),
		.source = cluster_at("source", world->source, &source),
		.fetch_max_bytes = 1 << 20, .fetch_response_max_bytes = 1 << 20, .fetch_min_bytes = 1,
		.fetch_wait_max_ms = 500, .fetch_backoff_ms = 1000, .n_fetchers = 1,
		.fill_limit = world->fill_limit >= 0 ? world->fill_limit : 10000000,
		.fill_tombstones = world->fill_limit >= 0,
		.availability_check_ms = 5000,
	};
	struct err err;

	CHECK(workers->n < WORKERS_MAX);
	fiber_process(workers->n);
	w->mirror = mirror_create(&opts, &err);
	CHECK(w->mirror != NULL);
	w->fiber = list_entry(fiber_all()->prev, struct fiber, node);
	workers->owner = workers->n++;
	mirror_set_claim(w->mirror, workers->claim = ++workers->claims);
	workers_tick(workers);
	mirror_link_open(w->mirror, &link);
	/* A failure stands in the control log: heirs do not open such a partition either. */
	for (int32_t p = 0; p < PARTITIONS; p++)
		if (!workers->truncated[p])
			open_lane(workers, w->mirror, p);
}

void workers_kill(struct workers *workers)
{
	struct worker *w = &workers->all[workers->owner];

	net_cut_off(w->fiber);
	fiber_freeze(workers->owner, true);
	workers->owner = -1;
}

void workers_stop(struct workers *workers, bool stop)
{
	if (workers->owner >= 0)
		fiber_freeze(workers->owner, stop);
}

void workers_lose(struct workers *workers)
{
	workers_stop(workers, true);
	workers->owner = -1;
}

void workers_wake_lost(struct workers *workers, struct rng *rng)
{
	int i = (int)rng_in(rng, 0, workers->n - 1);
	struct fiber *f = workers->all[i].fiber;

	if (i != workers->owner && !f->cut_off)
		fiber_freeze(i, !f->frozen);
}

/* A lane stops for what the source has lost; whether it was right is looked at in the end. */
static bool failed(struct workers *workers, const struct lane_status *s)
{
	if (s->reason == REASON_UNEXPECTED_TRUNCATION && workers->world->ledgers[s->partition].n_lost > 0) {
		workers->truncated[s->partition] = true;
		return true;
	}
	snprintf(workers->fault, sizeof(workers->fault), "partition %d FAILED: %s %s", s->partition,
		 lane_reason_name(s->reason), s->error);
	return false;
}

/* A seeding is recorded before it begins, and is over when the lane copies. */
static void record_seed(struct record *r, struct mirror *m, const struct lane_key *key, const struct lane_status *s)
{
	if (s->seed_to >= 0) {
		r->seed_from = s->seed_from;
		r->seed_to = s->seed_to;
		mirror_lane_seed(m, key, s->seed_from, s->seed_to);
	} else if (r->seed_to >= 0 && s->state == LANE_COPYING) {
		r->emptied_end = MAX(r->emptied_end, r->seed_to);
		r->seed_from = r->seed_to = -1;
	}
}

/* Where the copy's log is to start; -1: as it does. */
static int64_t trim_to(const struct lane_status *s)
{
	int64_t to = -1;

	if (s->seed_to >= 0)
		to = s->seeded ? s->seed_to : -1;
	else if (s->state == LANE_COPYING || s->state == LANE_FILLING)
		to = s->source_log_start_offset;
	return to > s->local_log_start_offset && to <= s->local_log_end_offset ? to : -1;
}

/* The log start follows the source's; before the log may be left without a batch, its end is recorded. */
static void trim(struct workers *workers, struct mirror *m, const struct lane_key *key, const struct lane_status *s)
{
	struct record *r = &workers->records[key->partition];
	int64_t to = trim_to(s);

	if (to < 0 || rng_one_in(workers->world->rng, 3))
		return;
	if (to == s->local_log_end_offset && s->seed_to < 0 && r->emptied_end != to) {
		r->emptied_end = to;
		mirror_lane_may_empty(m, key, to);
		return;
	}
	to = world_trim_copy(workers->world, key->partition, to);
	if (!rng_one_in(workers->world->rng, 4))   /* the answer may be lost */
		mirror_lane_trimmed(m, key, to);
}

static void store(struct workers *workers, struct mirror *m, const struct lane_status *s)
{
	struct record *r = &workers->records[s->partition];
	struct lane_key key = { LINK, TOPIC, s->partition };

	if (s->rotation_wanted > r->rotation) {
		r->rotation = s->rotation_wanted;
		mirror_lane_rotate(m, &key, s->rotation_wanted);
	}
	if (s->txn_filler_wanted >= 0 && s->txn_filler_wanted != r->txn_fillers[0]) {
		r->txn_fillers[1] = r->txn_fillers[0];
		r->txn_fillers[0] = s->txn_filler_wanted;
		mirror_lane_txn_filler(m, &key, s->txn_filler_wanted);
	}
	if (s->claim_used == workers->claim)
		mirror_set_claim(m, workers->claim = ++workers->claims);
	record_seed(r, m, &key, s);
	trim(workers, m, &key, s);
	if (s->state == LANE_COPYING && s->local_log_end_offset >= 0 && s->batch_epoch >= 0) {
		r->stored_offset = s->local_log_end_offset;
		r->stored_epoch = s->batch_epoch;
	}
}

bool workers_tick(struct workers *workers)
{
	struct worker *w = workers->owner < 0 ? NULL : &workers->all[workers->owner];
	struct mirror_snapshot *snap;
	bool good = true;

	if (w == NULL || w->fiber->frozen)
		return true;
	workers->lease_until_ns = net_now_ns() + LEASE_MS * NS_PER_MS;
	mirror_set_lease(w->mirror, workers->lease_until_ns);
	snap = mirror_snapshot(w->mirror);
	for (int i = 0; i < snap->n_lanes; i++) {
		store(workers, w->mirror, &snap->lanes[i]);
		if (snap->lanes[i].state == LANE_FAILED)
			good = failed(workers, &snap->lanes[i]);
	}
	mirror_snapshot_free(snap);
	return good;
}

const char *workers_lane(const struct workers *workers, int32_t partition)
{
	struct mirror_snapshot *snap;
	const char *state = "no owner";

	if (workers->owner < 0)
		return state;
	if (workers->all[workers->owner].fiber->frozen)
		return "its worker is stopped";
	snap = mirror_snapshot(workers->all[workers->owner].mirror);
	for (int i = 0; i < snap->n_lanes; i++)
		if (snap->lanes[i].partition == partition)
			state = lane_state_name(snap->lanes[i].state);
	mirror_snapshot_free(snap);
	return state;
}
