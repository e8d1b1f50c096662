/* SPDX-License-Identifier: Apache-2.0 */
/* What one worker does for all, the group's leader: it carries out promotions, adds the partitions that a source topic
 * got, and releases the claims of workers that are gone for longer than their lease. Each is sequential and may be cut
 * short at any point: the next leader goes on from what the log and the clusters say. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/admin.h"
#include "control/stop.h"
#include "krmirrord/claims.h"

enum {
	STEP_DEADLINE_MS = 10000, /* of one attempt at a promotion */
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

/* ---- promotion ---- */

/* An entry of another worker that does not say STOPPED may belong to a lane that still runs. */
static bool others_closed(struct worker *worker, const char *link, const char *topic)
{
	struct mirror_state state;
	struct err err;
	bool closed = true;

	if (control_log_mirror_state(worker->session.log, link, topic, &state, &err) == RC_OK)
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
 * session timeout. A lane must not open anew behind the door's marker, so both are waited for. */
static enum outcome wait_for_others(struct worker *worker, const char *link, const char *topic, struct err *err)
{
	int64_t deadline = worker_deadline(worker->conf->session_timeout_ms + GRACE_MS);
	enum outcome outcome;

	if (!others_live(worker))
		return OUTCOME_DONE;
	while (clock_mono_ns() < deadline && !others_closed(worker, link, topic)) {
		outcome = control_log_poll(worker->session.log, 100, worker_deadline(GRACE_MS * 5), NULL, err);
		if (outcome != OUTCOME_DONE)
			return outcome;
	}
	return OUTCOME_DONE;
}

static enum outcome close_lanes(struct stop_actor *actor, const char *link, const char *topic, struct err *err)
{
	struct worker *worker = actor->owner;
	struct mirror_row *row = model_mirror(&worker->model, link, topic);

	if (row != NULL && !lanes_close(worker, row, worker->session.deadline_ns)) {
		err_set(err, RC_TIMEOUT, "the lanes of %s are not closed yet: an append is still unanswered", topic);
		return OUTCOME_TIMED_OUT;
	}
	return wait_for_others(worker, link, topic, err);
}

static void tell_promotion(struct mirror_row *row, enum stop_at at, const struct err *err)
{
	int64_t now = clock_mono_ns();

	row->act_ns = now + (at == STOP_WAITING ? WAITING_MS : 0) * NS_PER_MS;
	if (at == STOP_DONE) {
		log_info("mirror", "promoted", "link=%s topic=%s", row->link, row->topic);
	} else if (at == STOP_WITHDRAWN) {
		log_warn("mirror", "the promotion is withdrawn; it is mirrored on", "link=%s topic=%s why=" LOG_Q,
			 row->link, row->topic, err->text);
	} else if (now >= row->told_ns) {
		log_info("mirror", "the promotion waits", "link=%s topic=%s for=" LOG_Q, row->link, row->topic,
			 err->text);
		row->told_ns = now + TELL_MS * NS_PER_MS;
	}
}

static void promote(struct worker *worker, struct mirror_row *row)
{
	struct stop_actor actor = {
		.close_lanes = close_lanes, .owner = worker,
		.lease_ms = others_live(worker) ? worker->conf->session_timeout_ms + GRACE_MS : 0,
	};
	struct err err = { 0 };
	enum stop_at at = STOP_WAITING;
	enum outcome outcome;

	worker->session.deadline_ns = worker_deadline(STEP_DEADLINE_MS);
	outcome = stop_act(&worker->session, row->link, row->topic, &actor, &at, &err);
	if (outcome == OUTCOME_DONE) {
		tell_promotion(row, at, &err);
	} else {
		log_warn("mirror", outcome == OUTCOME_DIVERGED ? "the promotion was taken back"
							       : "the promotion did not get on; trying again",
			 "link=%s topic=%s outcome=%s error=" LOG_Q, row->link, row->topic,
			 outcome_word(outcome, &err), err.text);
		row->act_ns = worker_deadline(FAILED_MS);
	}
	for (int i = 0; i < worker->session.notes.n; i++)
		log_info("mirror", "note", "text=" LOG_Q, worker->session.notes.lines[i]);
	notes_fini(&worker->session.notes);
	worker->plan_wanted = true;
	model_update(&worker->model, worker->session.log);
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
	int64_t over_ns = member->share_ns + (worker->conf->session_timeout_ms + GRACE_MS) * NS_PER_MS;
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
	if (!worker->member.leader || !worker->member.applied || worker->member.lapsed)
		return;
	release_dead(worker);
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		if (!row->present || !row->readable)
			continue;
		if (plan_promotes(&row->plan) && clock_mono_ns() >= row->act_ns)
			promote(worker, row);
		else
			follow_growth(worker, row);
		if (worker_asked_to_stop(worker) || worker->member.fenced || !worker->member.leader)
			return;
	}
}
