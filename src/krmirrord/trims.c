/* SPDX-License-Identifier: Apache-2.0 */
/* The mirror's log starts where the source's does: what lies below is deleted, seeds first (DESIGN 4), later what the
 * source has deleted, within seconds, with one request for each broker.
 *
 * Recorded before it is done, so that a crash at any point is mended by whoever looks next:
 *  - a log end, before a DeleteRecords that may leave no batch: an empty log tells nothing of who wrote it (states.c);
 *  - that cleanup.policy is opened: brokers refuse DeleteRecords (44) where it has compact and no delete. It gets delete
 *    too, which deletes nothing while retention is off, and is set back when nothing is refused any more. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/admin.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

enum {
	LOOK_MS = 3000,
	SOON_MS = 250,            /* while seeds wait */
	DEADLINE_MS = 10000,
	POLICY_MS = 5000,         /* it stays open for so long after it was needed last */
	DELETIONS_MAX = 1000,
};

struct trim {
	struct mirror_row *row;
	int32_t partition;
};

struct trims {
	struct worker *worker;
	struct admin_deletion *deletions;
	struct trim *trims;
	int n;
	bool soon;                /* something is under way that should not wait */
};

/* Where the log is to start; -1: not known, or nothing is to be done. */
static int64_t target(const struct mirror_row *row, int32_t partition)
{
	const struct lane_row *lane = &row->lanes[partition];
	int64_t to;

	if (lane->seed_to >= 0)
		to = lane->seeded ? lane->seed_to : -1;
	else if (lane->state == LANE_COPYING || lane->state == LANE_FILLING)
		to = lane->source_start < 0 ? -1 : MAX(lane->source_start, lane_start_offset(row, partition));
	else
		to = -1;
	return to > lane->local_start && to <= lane->offset ? to : -1;
}

/* Whether the log may be left without a batch. A seeding that is recorded says as much. */
static bool allowed_to_empty(struct worker *worker, struct mirror_row *row, int32_t partition, int64_t to)
{
	const struct partition_state *entry = mirror_state_find(&row->mirror_state, partition);
	struct lane_row *lane = &row->lanes[partition];

	if (to < lane->offset || lane->seed_to >= 0)
		return true;
	lane->emptying = to;
	if (entry == NULL || entry->emptied_end != to)
		return false;
	lane_may_empty(worker, row, partition, to);
	return true;
}

static void gather_row(struct trims *t, struct mirror_row *row)
{
	for (int32_t p = 0; p < row->n_lanes && t->n < DELETIONS_MAX; p++) {
		const struct lane_row *lane = &row->lanes[p];
		int64_t to;

		if (!lane->mine || lane->held != HELD_OPEN || !lane->present)
			continue;
		to = target(row, p);
		t->soon |= to >= 0 || lane->seed_to >= 0;
		if (to < 0 || !allowed_to_empty(t->worker, row, p, to))
			continue;
		t->deletions = xrealloc(t->deletions, (size_t)t->n + 1, sizeof(*t->deletions));
		t->trims = xrealloc(t->trims, (size_t)t->n + 1, sizeof(*t->trims));
		t->deletions[t->n] = (struct admin_deletion){ .topic = row->topic, .partition = p, .offset = to };
		t->trims[t->n++] = (struct trim){ row, p };
	}
}

static void tell_trouble(struct worker *worker, const struct admin_deletion *d, const char *why)
{
	if (worker->trims_trouble)
		return;
	worker->trims_trouble = true;
	log_warn("mirror", "records could not be deleted; trying again",
		 "topic=%s partition=%d below=%lld error=" LOG_Q, d->topic, d->partition, (long long)d->offset, why);
}

static void take(struct trims *t, const struct err *err)
{
	bool trouble = false;

	for (int i = 0; i < t->n; i++) {
		const struct admin_deletion *d = &t->deletions[i];
		struct mirror_row *row = t->trims[i].row;

		if (d->error == 0) {
			lane_trimmed(t->worker, row, d->partition, d->log_start);
			log_debug("mirror", "records deleted", "topic=%s partition=%d log_start=%lld", d->topic,
				  d->partition, (long long)d->log_start);
		} else if (d->error == KERR_POLICY_VIOLATION) {
			row->policy_refused = true;
		} else {
			trouble = true;
			tell_trouble(t->worker, d, d->error != INT16_MAX ? kerr_name(d->error) :
				     err->rc != RC_OK ? err->text : "no leader is known");
		}
	}
	t->worker->trims_trouble &= trouble;
}

static void delete_records(struct trims *t)
{
	struct err err = { 0 };

	if (t->n == 0)
		return;
	if (admin_delete_records(t->worker->session.destination, t->deletions, t->n, worker_deadline(DEADLINE_MS),
				 &err) != RC_OK)
		log_debug("mirror", "not all leaders answered", "error=" LOG_Q, err.text);
	take(t, &err);
}

/* ---- the policy ---- */

struct policy_record {
	const struct mirror_row *row;
	bool opened;
};

static enum outcome decide_policy(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct policy_record *record = arg;
	struct mirror_state state;

	if (control_log_mirror_state(log, record->row->link, record->row->topic, &state, err) != RC_OK) {
		mirror_state_fini(&state);
		return OUTCOME_FAILED;
	}
	if (state.policy_opened != record->opened) {
		state.policy_opened = record->opened;
		control_batch_mirror_state(batch, &state);
	}
	mirror_state_fini(&state);
	return OUTCOME_DONE;
}

static bool record_policy(struct worker *worker, const struct mirror_row *row, bool opened)
{
	struct policy_record record = { row, opened };
	struct err err;
	bool done = control_log_update(worker->session.log, decide_policy, &record, worker_deadline(DEADLINE_MS), NULL,
				       &err) == OUTCOME_DONE;

	if (!done)
		worker_log_trouble(worker, "the cleanup policy could not be recorded", &err);
	worker->plan_wanted |= model_update(&worker->model, worker->session.log);
	return done;
}

static bool set_policy(struct worker *worker, const struct mirror_row *row, const char *policy)
{
	const struct admin_setting setting = { "cleanup.policy", policy };
	struct err err;

	if (admin_alter_configs(worker->session.destination, row->topic, &setting, 1, worker_deadline(DEADLINE_MS),
				&err) == RC_OK) {
		log_info("mirror", "cleanup.policy set", "topic=%s value=%s", row->topic, policy);
		return true;
	}
	log_warn("mirror", "cleanup.policy could not be set; trying again", "topic=%s value=%s error=" LOG_Q, row->topic,
		 policy, err.text);
	return false;
}

/* Who slept meanwhile must leave the settings of a topic alone that was promoted or failed over. */
static bool still_mirrored(struct worker *worker, struct mirror_row *row)
{
	struct err err;

	if (control_log_read(worker->session.log, worker_deadline(DEADLINE_MS), &err) != OUTCOME_DONE)
		return false;
	worker->plan_wanted |= model_update(&worker->model, worker->session.log);
	mirror_row_plan(row);
	return row->want == WANT_COPY;
}

/* Brokers take a moment to follow: refused again, it is set again, which changes nothing. */
static void open_policy(struct worker *worker, struct mirror_row *row)
{
	row->policy_refused = false;
	if (!still_mirrored(worker, row))
		return;
	row->policy_ns = worker_deadline(POLICY_MS);
	if (row->mirror_state.policy_opened || record_policy(worker, row, true))
		set_policy(worker, row, "compact,delete");
}

/* The worker that opened it may be gone: its leader sees to it. A promotion sets the policy that it has recorded. */
static void close_policy(struct worker *worker, struct mirror_row *row)
{
	const json_t *policy = json_object_get(row->wish.create_settings, "cleanup.policy");

	if (row->policy_ns == 0)
		row->policy_ns = worker_deadline(POLICY_MS);
	if (clock_mono_ns() < row->policy_ns || !worker->member.leader)
		return;
	if (!json_is_string(policy) || row->mirror_state.closing || row->mirror_state.status == MIRROR_STOPPED ||
	    set_policy(worker, row, json_string_value(policy)))
		record_policy(worker, row, false);
	row->policy_ns = worker_deadline(POLICY_MS);
}

/* ---- all ---- */

static int64_t next_look(const struct trims *t)
{
	return worker_deadline(t->soon ? SOON_MS : LOOK_MS);
}

void trims_work(struct worker *worker)
{
	struct trims t = { .worker = worker };

	if (clock_mono_ns() < worker->trims_ns || !worker->member.applied || worker->member.lapsed)
		return;
	for (int i = 0; i < worker->model.n_mirrors; i++)
		if (worker->model.mirrors[i]->present && worker->model.mirrors[i]->readable)
			gather_row(&t, worker->model.mirrors[i]);
	delete_records(&t);
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		if (!row->present || !row->readable)
			continue;
		if (row->policy_refused)
			open_policy(worker, row);
		else if (row->mirror_state.policy_opened)
			close_policy(worker, row);
	}
	worker->trims_ns = next_look(&t);
	xfree(t.deletions);
	xfree(t.trims);
}
