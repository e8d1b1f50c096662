/* SPDX-License-Identifier: Apache-2.0 */
/* What one worker does for all, the group's leader: it carries out promotions and failovers, many at once, adds the
 * partitions that a source topic got, and releases the claims of workers that are gone for longer than their lease. Each is
 * sequential and may be cut short at any point: the next leader goes on from what the log and the clusters say. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/stop.h"
#include "krmirrord/claims.h"

enum {
	STEP_DEADLINE_MS = 20000, /* of one attempt at promotions and failovers */
	CLOSE_MS = 3000,          /* of it for closing lanes, */
	OTHERS_MS = 1500,         /* and for those of others before a failover, whose door shuts them out */
	WAITING_MS = 500,         /* until the next look at a lag */
	FAILED_MS = 5000,         /* until the next attempt after a failure */
	GROW_DEADLINE_MS = 10000, GROW_AGAIN_MS = 30000,
	TELL_MS = 10000,
	GRACE_MS = 1000
};

static bool others_live(const struct worker *worker)
{
	for (int i = 0; i < worker->model.n_claims; i++) {
		const struct plan_claim *claim = &worker->model.claims[i];

		if (!claim->released && claim->n_shares > 0 && strcmp(claim->worker, worker->conf->worker_id) != 0)
			return true;
	}
	return false;
}

/* ---- promotion and failover ---- */

/* An entry of another worker that does not say STOPPED may belong to a lane that still runs. */
static bool others_closed(const struct worker *worker, const struct stop_item *item)
{
	struct mirror_state state;
	struct err err;
	bool closed = true;

	if (control_log_mirror_state(worker->session.log, item->link, item->topic, &state, &err) == RC_OK)
		for (int i = 0; i < state.n_partitions; i++) {
			const struct partition_state *p = &state.partitions[i];

			if (p->worker == NULL || strcmp(p->worker, worker->conf->worker_id) == 0)
				continue;
			closed = closed && p->state != NULL && lane_state_parse(p->state) == LANE_STOPPED;
		}
	mirror_state_fini(&state);
	return closed;
}

/* A worker that lives closes its lanes within a look at the log and says so; one that does not has no lease after a
 * session timeout, and a promotion must know that nothing more comes. A failover need not: the door's marker shuts out
 * whoever is late, or the lease is waited out there. */
static void wait_for_others(struct worker *worker, struct stop_item *const *items, int n)
{
	int64_t began = clock_mono_ns(), soon = began + OTHERS_MS * NS_PER_MS;
	int64_t late = began + worker_lease_ms(worker) * NS_PER_MS;
	bool wait = others_live(worker);
	struct err err;

	while (wait) {
		int64_t now = clock_mono_ns();

		wait = false;
		for (int i = 0; i < n; i++)
			wait = wait || (items[i]->outcome == OUTCOME_DONE && !others_closed(worker, items[i]) &&
					now < (items[i]->kind == WISH_FAILOVER ? soon : late));
		if (wait && control_log_poll(worker->session.log, 100, worker_deadline(GRACE_MS * 5), NULL, &err) !=
		    OUTCOME_DONE)
			break;
	}
	for (int i = 0; i < n && wait; i++) {
		if (items[i]->outcome != OUTCOME_DONE)
			continue;
		items[i]->outcome = outcome_of(&err, SIDE_DESTINATION);
		items[i]->err = err;
	}
}

/* All are asked first, then waited for together. */
static void close_lanes(struct stop_actor *actor, struct stop_item *const *items, int n)
{
	struct worker *worker = actor->owner;
	int64_t deadline = MIN(worker->session.deadline_ns, worker_deadline(CLOSE_MS));

	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < n; i++) {
			struct mirror_row *row = model_mirror(&worker->model, items[i]->link, items[i]->topic);

			if (row == NULL || lanes_close(worker, row, pass == 0 ? 0 : deadline) || pass == 0)
				continue;
			items[i]->outcome = OUTCOME_TIMED_OUT;
			err_set(&items[i]->err, RC_TIMEOUT, "the lanes of %s are not closed yet: an append is still unanswered",
				row->topic);
		}
	wait_for_others(worker, items, n);
}

static void count_stop(struct tally *tally, const struct stop_item *item)
{
	tally->promoted += item->outcome == OUTCOME_DONE && item->at == STOP_DONE && item->kind == WISH_PROMOTE;
	tally->failed_over += item->outcome == OUTCOME_DONE && item->at == STOP_DONE && item->kind == WISH_FAILOVER;
	/* what only waits is none */
	tally->transition_errors += item->outcome == OUTCOME_DONE ? item->at == STOP_WITHDRAWN
								  : item->outcome != OUTCOME_TIMED_OUT;
}

static void tell_stop(struct mirror_row *row, const struct stop_item *item)
{
	int64_t now = clock_mono_ns();
	const char *what = item->kind == WISH_FAILOVER ? "failover" : "promotion";

	row->act_ns = now + (item->at == STOP_WAITING ? WAITING_MS : 0) * NS_PER_MS;
	if (item->outcome != OUTCOME_DONE) {
		log_warn("mirror", item->outcome == OUTCOME_DIVERGED ? "the promotion was taken back"
								     : "it did not get on; trying again",
			 "wish=%s link=%s topic=%s outcome=%s error=" LOG_Q, what, row->link, row->topic,
			 outcome_word(item->outcome, &item->err), item->err.text);
		row->act_ns = worker_deadline(item->outcome == OUTCOME_TIMED_OUT ? WAITING_MS : FAILED_MS);
	} else if (item->at == STOP_DONE) {
		log_info("mirror", item->kind == WISH_FAILOVER ? "failed over" : "promoted", "link=%s topic=%s", row->link,
			 row->topic);
	} else if (item->at == STOP_WITHDRAWN) {
		log_warn("mirror", "the promotion is withdrawn; it is mirrored on", "link=%s topic=%s why=" LOG_Q, row->link,
			 row->topic, item->err.text);
	} else if (now >= row->told_ns) {
		log_info("mirror", "waits to be stopped", "wish=%s link=%s topic=%s for=" LOG_Q, what, row->link, row->topic,
			 item->err.text);
		row->told_ns = now + TELL_MS * NS_PER_MS;
	}
}

static bool may_act(const struct mirror_row *row)
{
	return row->present && row->readable && plan_stops(&row->plan) && clock_mono_ns() >= row->act_ns;
}

/* Failovers first, and alone: they wait neither for a source nor for the workers that a promotion waits for. */
static int gather(const struct worker *worker, struct mirror_row **rows)
{
	static const enum mirror_wish_kind kinds[] = { WISH_FAILOVER, WISH_PROMOTE };
	int32_t partitions = 0;
	int n = 0;

	for (size_t k = 0; k < ARRAY_LEN(kinds) && n == 0; k++)
		for (int i = 0; i < worker->model.n_mirrors && n < STOP_ITEMS_MAX && partitions < STOP_PARTITIONS_MAX; i++) {
			struct mirror_row *row = worker->model.mirrors[i];

			if (row->plan.wish != kinds[k] || !may_act(row))
				continue;
			rows[n++] = row;
			partitions += row->n_lanes;
		}
	return n;
}

static void stop_mirrors(struct worker *worker)
{
	struct stop_actor actor = {
		.close_lanes = close_lanes, .owner = worker,
		.lease_ms = others_live(worker) ? worker_lease_ms(worker) : 0,
	};
	struct mirror_row **rows = xcalloc((size_t)worker->model.n_mirrors + 1, sizeof(struct mirror_row *));
	int n = gather(worker, rows);
	struct stop_item *items = xcalloc((size_t)n + 1, sizeof(*items));

	for (int i = 0; i < n; i++)
		items[i] = (struct stop_item){ .link = rows[i]->link, .topic = rows[i]->topic };
	worker->session.deadline_ns = worker_deadline(STEP_DEADLINE_MS);
	if (n > 0)
		stop_act(&worker->session, items, n, &actor);
	for (int i = 0; i < n; i++) {
		count_stop(ledger_link(worker->ledger, rows[i]->link), &items[i]);
		tell_stop(rows[i], &items[i]);
	}
	for (int i = 0; i < worker->session.notes.n; i++)
		log_info("mirror", "note", "text=" LOG_Q, worker->session.notes.lines[i]);
	notes_fini(&worker->session.notes);
	if (n > 0) {
		worker->plan_wanted = true;
		model_update(&worker->model, worker->session.log);
	}
	xfree(items);
	xfree(rows);
}

/* ---- partitions that the source got ---- */

struct growth {
	const char *link, *topic;
	int32_t from, to;
};

static enum outcome decide_growth(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct growth *growth = arg;
	struct mirror_state state;

	if (control_log_mirror_offset(log, growth->link, growth->topic) < 0)
		return OUTCOME_DONE;
	if (control_log_mirror_state(log, growth->link, growth->topic, &state, err) != RC_OK) {
		mirror_state_fini(&state);
		return OUTCOME_FAILED;
	}
	for (int32_t p = growth->from; p < growth->to; p++)
		mirror_state_partition(&state, p);
	control_batch_mirror_state(batch, &state);
	mirror_state_fini(&state);
	return OUTCOME_DONE;
}

/* First the destination's partitions, then the record: whoever reads the record may open lanes. */
static int grow(struct worker *worker, struct mirror_row *row, int32_t n, struct err *err)
{
	struct growth growth = { row->link, row->topic, row->n_lanes, n };
	int64_t deadline = worker_deadline(GROW_DEADLINE_MS);
	int rc = admin_create_partitions(worker->session.destination, row->topic, n, deadline, err);

	if (rc != RC_OK && rc != RC_EXISTS)
		return rc;
	if (control_log_update(worker->session.log, decide_growth, &growth, deadline, NULL, err) != OUTCOME_DONE)
		return err->rc != RC_OK ? err->rc : RC_TIMEOUT;
	return RC_OK;
}

static void follow_growth(struct worker *worker, struct mirror_row *row)
{
	const struct topic_meta *meta = links_source_topic(row);
	struct err err = { 0 };
	int32_t n;

	if (meta == NULL || row->want != WANT_COPY || row->n_lanes == 0 || meta->n_partitions <= row->n_lanes ||
	    clock_mono_ns() < row->grow_ns)
		return;
	n = meta->n_partitions;
	if (grow(worker, row, n, &err) == RC_OK) {
		log_info("mirror", "the source topic got partitions", "link=%s topic=%s from=%d to=%d", row->link,
			 row->topic, row->n_lanes, n);
	} else {
		log_warn("mirror", "partitions could not be added; trying again", "link=%s topic=%s to=%d error=" LOG_Q,
			 row->link, row->topic, n, err.text);
		row->grow_ns = worker_deadline(GROW_AGAIN_MS);
	}
	worker->plan_wanted |= model_update(&worker->model, worker->session.log);
}

/* ---- claims of the dead ---- */

/* A worker that is not in the assignment has no lease a session timeout after it; what it claimed is free, also for a
 * worker that is started later and would otherwise wait again. */
static void release_dead(struct worker *worker)
{
	const struct member *member = &worker->member;
	int64_t over_ns = member->share_ns + worker_lease_ms(worker) * NS_PER_MS;
	struct err err;

	if (!member->applied || clock_mono_ns() < over_ns)
		return;
	for (int i = 0; i < worker->model.n_claims; i++) {
		const struct plan_claim *claim = &worker->model.claims[i];

		if (claim->released || claim->n_shares == 0 || share_has(&member->share, claim->worker))
			continue;
		log_info("worker", "releases the claim of a worker that is gone", "worker=%s claim=%lld", claim->worker,
			 (long long)claim->n);
		if (claims_release(worker->session.log, claim->worker, claim->n, worker_deadline(GROW_DEADLINE_MS),
				   &err) != OUTCOME_DONE)
			worker_log_trouble(worker, "a claim could not be released", &err);
		worker->plan_wanted |= model_update(&worker->model, worker->session.log);
		return;   /* the claims were read anew */
	}
}

/* ---- all ---- */

void leader_work(struct worker *worker)
{
	if (!member_leads(worker))
		return;
	release_dead(worker);
	stop_mirrors(worker);
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		if (row->present && row->readable && !plan_stops(&row->plan))
			follow_growth(worker, row);
		if (worker_asked_to_stop(worker) || worker->member.fenced || !worker->member.leader)
			return;
	}
}
