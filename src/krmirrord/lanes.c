/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/wait.h"

enum {
	/* A snapshot is at most a second old; a lane that was closed before it was ever seen is gone after this. */
	SNAPSHOT_AGE_MS = 2500
};

static struct mirror *mirror_of(struct worker *worker, const struct mirror_row *row, int32_t partition)
{
	return worker->mirrors[share_loop(worker->n_mirrors, row->link, row->topic, partition)];
}

static void close_lane(struct worker *worker, struct mirror_row *row, int32_t partition)
{
	struct lane_key key = { row->link, row->topic, partition };

	row->lanes[partition].held = HELD_CLOSING;
	row->lanes[partition].closed_ns = clock_mono_ns();
	mirror_lane_close(mirror_of(worker, row, partition), &key);
}

bool lanes_need_claim(const struct worker *worker)
{
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		const struct mirror_row *row = worker->model.mirrors[i];

		for (int32_t p = 0; p < row->n_lanes; p++)
			if (row->lanes[p].held == HELD_OPEN && row->lanes[p].claim_used == worker->member.claim_n)
				return true;
	}
	return false;
}

void lanes_set_lease(struct worker *worker, int64_t until_boot_ns)
{
	for (int i = 0; i < worker->n_mirrors; i++)
		mirror_set_lease(worker->mirrors[i], until_boot_ns);
}

/* ---- who owns what ---- */

static bool owns(const struct worker *worker, const struct share *share, const struct mirror_row *row,
		 int32_t partition)
{
	return share_owns(share, worker->conf->worker_id, row->link, row->topic, partition);
}

/* Between an assignment and its claim a lane is mine only when both shares give it. */
void lanes_assign(struct worker *worker)
{
	const struct member *member = &worker->member;

	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		for (int32_t p = 0; p < row->n_lanes; p++) {
			struct lane_row *lane = &row->lanes[p];
			bool mine = owns(worker, &member->share, row, p) &&
				    (member->applied || owns(worker, &member->next, row, p));

			if (mine && !lane->mine)
				lane->gained_ns = member->share_ns;
			lane->mine = mine;
		}
	}
}

void lanes_lose(struct worker *worker, const struct share *share)
{
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		for (int32_t p = 0; p < row->n_lanes; p++) {
			if (!row->lanes[p].mine || owns(worker, share, row, p))
				continue;
			row->lanes[p].mine = false;
			if (row->lanes[p].held == HELD_OPEN)
				close_lane(worker, row, p);
		}
	}
}

void lanes_reopen(struct worker *worker, const struct link_row *link)
{
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		for (int32_t p = 0; row->link_row == link && p < row->n_lanes; p++)
			if (row->lanes[p].held == HELD_OPEN)
				close_lane(worker, row, p);
	}
}

bool lanes_losing(const struct worker *worker)
{
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		const struct mirror_row *row = worker->model.mirrors[i];

		for (int32_t p = 0; p < row->n_lanes; p++)
			if (!row->lanes[p].mine && row->lanes[p].held != HELD_NOT)
				return true;
	}
	return false;
}

/* ---- opening ---- */

/* Of what a wish says of each partition; `none` where it says nothing. */
static int64_t number_of(const json_t *object, int32_t partition, int64_t none)
{
	char name[16];
	const json_t *value;

	snprintf(name, sizeof(name), "%d", partition);
	value = object != NULL ? json_object_get(object, name) : NULL;
	return json_is_integer(value) ? json_integer_value(value) : none;
}

/* Where the mirror begins, when that was chosen at its creation. */
int64_t lane_start_offset(const struct mirror_row *row, int32_t partition)
{
	return number_of(row->wish.start_offsets, partition, 0);
}

static void open_lane(struct worker *worker, struct mirror_row *row, int32_t partition)
{
	const struct partition_state *entry = mirror_state_find(&row->mirror_state, partition);
	struct lane_row *lane = &row->lanes[partition];
	struct lane_spec spec = {
		.key = { row->link, row->topic, partition }, .source_topic = row->wish.source_topic,
		.source_topic_id = row->wish.source_topic_id, .destination_topic_id = row->wish.destination_topic_id,
		.producer_epoch = (int16_t)MIN(number_of(row->wish.producer_epochs, partition, 0), INT16_MAX),
		.adopted_end = number_of(row->wish.adopted_end, partition, -1), .stored_offset = -1, .stored_epoch = -1,
		.start_offset = lane_start_offset(row, partition), .compacted = mirror_row_policy(row, "compact"),
		.seed_from = -1, .seed_to = -1, .emptied_end = -1,
		.txn_filler_ids = { -1, -1 },
	};

	if (entry != NULL) {
		spec.stored_offset = entry->offset;
		spec.stored_epoch = entry->epoch;
		spec.rotation = entry->rotation;
		spec.seed_from = entry->seed_from;
		spec.seed_to = entry->seed_to;
		spec.emptied_end = entry->emptied_end;
		spec.txn_filler_ids[0] = entry->txn_filler_id;
		spec.txn_filler_ids[1] = entry->txn_filler_before;
	}
	lane->held = HELD_OPEN;
	lane->tombstones_before = entry != NULL ? entry->tombstones : 0;
	lane->tombstones = 0;
	lane->seen = lane->present = false;
	lane->held_ns = 0;
	lane->txn_filler = spec.txn_filler_ids[0];
	lane->txn_filler_wanted = -1;
	lane->rotation = spec.rotation;
	lane->source_start = lane->local_start = lane->seed_from = lane->seed_to = lane->emptying = -1;
	lane->seed_lost = lane->seeded = lane->seed_told = false;
	lane->rotation_wanted = 0;
	lane->claim_used = -1;
	lane->resumes_at = row->wish.resumes;
	lane->state = LANE_UNBOUND;
	lane->reason = REASON_NONE;
	lane->offset = -1;
	xfree(lane->error);
	lane->error = NULL;
	mirror_lane_open(mirror_of(worker, row, partition), &spec);
}

static enum plan_other held_by(const struct worker *worker, const struct mirror_row *row, int32_t partition)
{
	struct lane_key key = { row->link, row->topic, partition };
	struct plan_me me = { worker->conf->worker_id, worker->member.claim_n };

	return plan_other(worker->model.claims, worker->model.n_claims, &me, &key);
}

void lanes_doubt(struct worker *worker)
{
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		for (int32_t p = 0; p < row->n_lanes; p++) {
			if (row->lanes[p].held != HELD_OPEN || held_by(worker, row, p) == OTHER_NONE)
				continue;
			row->lanes[p].gained_ns = clock_mono_ns();
			close_lane(worker, row, p);
		}
	}
}

static enum plan_action decide(struct worker *worker, const struct mirror_row *row, int32_t p, int64_t *again_ns)
{
	const struct lane_row *lane = &row->lanes[p];
	const struct partition_state *entry = mirror_state_find(&row->mirror_state, p);
	struct plan_times times = {
		.now_ns = clock_mono_ns(),
		.takeover_ns = worker_lease_ms(worker) * NS_PER_MS,
	};
	struct plan_lane plan = {
		.want = row->want, .mine = lane->mine, .held = lane->held, .gained_ns = lane->gained_ns,
		.failed = lane->reason != REASON_NONE && !lane_reason_retries(lane->reason),
		.reported_failed = entry != NULL && entry_stands(row, entry) &&
				   lane_state_parse(entry->state) == LANE_FAILED,
		.resumes = row->wish.resumes,
	};

	if (links_source_short(row, p))
		plan.mine = false;
	plan.resumes_at = lane->held == HELD_OPEN || entry == NULL ? lane->resumes_at : entry_resumes(entry);
	if (plan.mine && lane->held == HELD_NOT && row->want == WANT_COPY)
		plan.other = held_by(worker, row, p);
	return plan_lane(&plan, &times, again_ns);
}

/* What fills are written with may be used once it stands in the log. */
static void tell_fillers(struct worker *worker, struct mirror_row *row, int32_t partition)
{
	const struct partition_state *entry = mirror_state_find(&row->mirror_state, partition);
	struct lane_key key = { row->link, row->topic, partition };
	struct lane_row *lane = &row->lanes[partition];

	if (lane->held != HELD_OPEN || entry == NULL)
		return;
	if (entry->rotation > lane->rotation)
		mirror_lane_rotate(mirror_of(worker, row, partition), &key, entry->rotation);
	lane->rotation = MAX(lane->rotation, entry->rotation);
	if (entry->txn_filler_id != lane->txn_filler)
		mirror_lane_txn_filler(mirror_of(worker, row, partition), &key, entry->txn_filler_id);
	lane->txn_filler = entry->txn_filler_id;
}

/* A seeding may begin once it stands in the log. */
static void tell_seed(struct worker *worker, struct mirror_row *row, int32_t partition)
{
	const struct partition_state *entry = mirror_state_find(&row->mirror_state, partition);
	struct lane_key key = { row->link, row->topic, partition };
	struct lane_row *lane = &row->lanes[partition];

	if (lane->held != HELD_OPEN || lane->seed_told || lane->seed_to < 0 || entry == NULL ||
	    entry->seed_from != lane->seed_from || entry->seed_to != lane->seed_to)
		return;
	lane->seed_told = true;
	mirror_lane_seed(mirror_of(worker, row, partition), &key, entry->seed_from, entry->seed_to);
}

void lane_may_empty(struct worker *worker, struct mirror_row *row, int32_t partition, int64_t end)
{
	struct lane_key key = { row->link, row->topic, partition };

	mirror_lane_may_empty(mirror_of(worker, row, partition), &key, end);
}

void lane_trimmed(struct worker *worker, struct mirror_row *row, int32_t partition, int64_t log_start)
{
	struct lane_key key = { row->link, row->topic, partition };

	row->lanes[partition].local_start = MAX(row->lanes[partition].local_start, log_start);
	mirror_lane_trimmed(mirror_of(worker, row, partition), &key, log_start);
}

static void apply_row(struct worker *worker, struct mirror_row *row)
{
	int64_t again_ns;

	for (int32_t p = 0; p < row->n_lanes; p++) {
		tell_fillers(worker, row, p);
		tell_seed(worker, row, p);
		switch (decide(worker, row, p, &again_ns)) {
		case DO_NOTHING:
			break;
		case DO_WAIT:
			worker->again_ns = MIN(worker->again_ns, again_ns);
			break;
		case DO_CLOSE:
			close_lane(worker, row, p);
			break;
		case DO_OPEN:
		case DO_REOPEN:
			if (row->link_row != NULL && row->link_row->opened)
				open_lane(worker, row, p);
			break;
		}
	}
}

void lanes_apply(struct worker *worker)
{
	worker->again_ns = INT64_MAX;
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		mirror_row_plan(worker->model.mirrors[i]);
		apply_row(worker, worker->model.mirrors[i]);
	}
	rates_apply(worker);
}

/* ---- looking ---- */

static void take_text(char **field, const char *text)
{
	if (*field != NULL && strcmp(*field, text) == 0)
		return;
	xfree(*field);
	*field = text[0] != '\0' ? xstrdup(text) : NULL;
}

static void take_status(struct lane_row *lane, const struct lane_status *status)
{
	lane->present = lane->seen = true;
	lane->state = status->state;
	lane->reason = status->reason;
	lane->since_ms = status->since_wall_ms;
	if (status->source_last_stable_offset >= 0) {
		lane->source_end = status->source_last_stable_offset;
		lane->source_end_ms = status->last_fetch_wall_ms;
	}
	lane->txn_filler_wanted = status->txn_filler_wanted;
	lane->fills_by_transactions = status->fills_by_transactions;
	lane->tombstones = (int64_t)status->tombstones;
	lane->rotation_wanted = status->rotation_wanted;
	lane->claim_used = status->claim_used;
	lane->seed_told = lane->seed_told && status->seed_from == lane->seed_from && status->seed_to == lane->seed_to;
	lane->seed_from = status->seed_from;
	lane->seed_to = status->seed_to;
	lane->seed_lost = status->seed_lost;
	lane->seeded = status->seeded;
	lane->source_start = status->source_log_start_offset;
	if (status->rate_held)
		lane->held_ns = clock_mono_ns();
	lane->local_start = status->local_log_start_offset;
	if (status->local_log_end_offset >= 0) {
		lane->offset = status->local_log_end_offset;
		lane->epoch = status->batch_epoch;
	}
	take_text(&lane->error, status->error);
}

static void take_links(struct worker *worker, const struct mirror_snapshot *snapshot)
{
	for (int i = 0; i < snapshot->n_links; i++) {
		const struct link_status *status = &snapshot->links[i];
		struct link_row *row = model_link(&worker->model, status->name);

		if (row == NULL || !row->usable)
			continue;
		row->contact_wall_ms = MAX(row->contact_wall_ms, status->last_contact_wall_ms);
		if (status->failed == REASON_NONE)
			continue;
		err_set(&row->data_error, RC_REFUSED, "%s", status->error);
		snprintf(row->error_word, sizeof(row->error_word), "%s", lane_reason_name(status->failed));
	}
}

static void take_lanes(struct worker *worker, const struct mirror_snapshot *snapshot)
{
	struct mirror_row *row = NULL;

	for (int i = 0; i < snapshot->n_lanes; i++) {
		const struct lane_status *status = &snapshot->lanes[i];

		if (row == NULL || strcmp(row->topic, status->topic) != 0 || strcmp(row->link, status->link) != 0)
			row = model_mirror(&worker->model, status->link, status->topic);
		if (row != NULL && status->partition < row->n_lanes)
			take_status(&row->lanes[status->partition], status);
	}
}

/* A lane that was being closed and is in no snapshot any more is gone. */
static void settle_closed(struct worker *worker)
{
	int64_t unseen_ns = clock_mono_ns() - SNAPSHOT_AGE_MS * NS_PER_MS;

	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		for (int32_t p = 0; p < row->n_lanes; p++) {
			struct lane_row *lane = &row->lanes[p];

			if (lane->held != HELD_CLOSING || lane->present || (!lane->seen && lane->closed_ns > unseen_ns))
				continue;
			lane->held = HELD_NOT;
			worker->plan_wanted = true;
		}
	}
}

void lanes_look(struct worker *worker)
{
	worker->lanes_changed = false;
	worker->snapshot_ns = clock_mono_ns();
	for (int i = 0; i < worker->model.n_links; i++)
		worker->model.links[i]->data_error.rc = RC_OK;
	for (int i = 0; i < worker->model.n_mirrors; i++)
		for (int32_t p = 0; p < worker->model.mirrors[i]->n_lanes; p++)
			worker->model.mirrors[i]->lanes[p].present = false;
	for (int i = 0; i < worker->n_mirrors; i++) {
		struct mirror_snapshot *snapshot = mirror_snapshot(worker->mirrors[i]);

		take_lanes(worker, snapshot);
		take_links(worker, snapshot);
		mirror_snapshot_free(snapshot);
	}
	settle_closed(worker);
}

/* ---- closing and waiting ---- */

static bool close_and_count(struct worker *worker, const struct mirror_row *only, bool ask)
{
	bool none = true;

	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		if (only != NULL && row != only)
			continue;
		for (int32_t p = 0; p < row->n_lanes; p++) {
			if (ask && row->lanes[p].held == HELD_OPEN)
				close_lane(worker, row, p);
			none = none && row->lanes[p].held == HELD_NOT;
		}
	}
	return none;
}

bool lanes_close(struct worker *worker, struct mirror_row *row, int64_t deadline_ns)
{
	bool none = close_and_count(worker, row, true);

	while (!none && clock_mono_ns() < deadline_ns) {
		loop_wait_until(worker->loop, MIN(deadline_ns, worker_deadline(10)));
		lanes_look(worker);
		none = close_and_count(worker, row, false);
	}
	return none;
}
