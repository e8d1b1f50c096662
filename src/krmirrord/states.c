/* SPDX-License-Identifier: Apache-2.0 */
/* state/LINK and state/LINK/TOPIC: what is. Every worker writes the entries of its own lanes, the group's leader also the
 * status of mirrors and links; several records go in one compare-and-append, only what changed, on transitions and once
 * a minute while offsets move. The decision is taken anew from the log's view whenever another writer was first. */
#include "krmirrord/tasks.h"

#include "base/clock.h"
#include "base/log.h"

enum {
	SPACING_MS = 300,            /* between two writes: transitions come in swarms */
	RETRY_MS = 2000,
	DEADLINE_MS = 10000,
	/* Of one batch: an entry is some 300 bytes, and the log takes 4 MiB. */
	ENTRIES_MAX = 5000
};

/* ---- one mirror ---- */

static bool status_due(const struct worker *worker, const struct mirror_row *row)
{
	if (!worker->member.leader || !row->readable || !row->wish.created ||
	    row->mirror_state.status == MIRROR_STOPPED)
		return false;
	return row->mirror_state.seen != row->wish_offset || row->state_offset < 0 ||
	       row->mirror_state.status != mirror_row_status(row);
}

static int entries_due(const struct mirror_row *row)
{
	int n = 0;

	for (int32_t p = 0; p < row->n_lanes; p++)
		n += entry_due(row, p);
	return n;
}

static bool mirror_due(const struct worker *worker, const struct mirror_row *row)
{
	return row->present && row->readable && (status_due(worker, row) || entries_due(row) > 0);
}

static void status_write(const struct mirror_row *row, struct mirror_state *state)
{
	enum mirror_status status = mirror_row_status(row);

	if (state->status == MIRROR_STOPPED)
		return;
	if (state->status != status || state->since_ms <= 0)
		state->since_ms = clock_wall_ms();
	state->status = status;
	state->seen = row->wish_offset;
}

/* From the newest record of the view, which may be newer than the row. */
static void put_mirror(struct worker *worker, struct control_log *log, struct control_batch *batch,
		       const struct mirror_row *row)
{
	struct mirror_state state;
	struct err err;

	if (control_log_mirror_offset(log, row->link, row->topic) != row->wish_offset)
		return;   /* the wish changed: model_update first */
	if (control_log_mirror_state(log, row->link, row->topic, &state, &err) == RC_OK) {
		for (int32_t p = 0; p < row->n_lanes; p++)
			entry_update(worker, row, p, &state);
		if (worker->member.leader)
			status_write(row, &state);
		control_batch_mirror_state(batch, &state);
	}
	mirror_state_fini(&state);
}

/* ---- links ---- */

static bool tasks_differ(struct link_row *row, const struct link_state *state)
{
	json_t *tasks = tasks_json(row, state->tasks);
	bool differ = state->tasks == NULL || !json_equal(tasks, state->tasks);

	json_decref(tasks);
	return differ;
}

static bool link_due(const struct worker *worker, struct link_row *row, const struct link_state *state)
{
	const struct err *why;
	const char *error = links_error(row, &why);

	return worker->member.leader && row->present &&
	       (state->state != plan_link_state(&row->plan) || state->seen != row->offset ||
		!text_eq(state->error, error) || tasks_differ(row, state) ||
		(state->last_contact_ms <= 0 && row->contact_wall_ms > 0) ||
		(why == &row->source_error && row->written_rc != row->source_error.rc));
}

static void link_write(struct link_row *row, struct link_state *state)
{
	enum link_state_kind kind = plan_link_state(&row->plan);
	json_t *tasks = tasks_json(row, state->tasks);
	const struct err *why;

	json_decref(state->tasks);
	state->tasks = tasks;
	if (state->state != kind || state->since_ms <= 0)
		state->since_ms = clock_wall_ms();
	state->state = kind;
	state->seen = row->offset;
	state->last_contact_ms = row->contact_wall_ms > 0 ? row->contact_wall_ms : -1;
	record_set(&state->error, links_error(row, &why));
	record_set(&state->error_message, why != NULL ? why->text : NULL);
	row->writing_rc = row->source_error.rc;
}

static bool link_writes(struct worker *worker, struct control_log *log, struct control_batch *batch,
			struct link_row *row)
{
	struct link_state state;
	struct err err;
	bool due = false;

	if (control_log_link_offset(log, row->name) == row->offset &&
	    control_log_link_state(log, row->name, &state, &err) == RC_OK) {
		due = link_due(worker, row, &state);
		if (due && batch != NULL) {
			link_write(row, &state);
			control_batch_link_state(batch, &state);
		}
		link_state_fini(&state);
	}
	return due;
}

/* ---- all ---- */

static bool anything_due(struct worker *worker)
{
	for (int i = 0; i < worker->model.n_mirrors; i++)
		if (mirror_due(worker, worker->model.mirrors[i]))
			return true;
	for (int i = 0; worker->member.leader && i < worker->model.n_links; i++)
		if (link_writes(worker, worker->session.log, NULL, worker->model.links[i]))
			return true;
	return false;
}

static enum outcome decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct worker *worker = arg;
	int32_t entries = 0;

	(void)err;
	for (int i = 0; worker->member.leader && i < worker->model.n_links; i++)
		link_writes(worker, log, batch, worker->model.links[i]);
	for (int i = 0; i < worker->model.n_mirrors && entries < ENTRIES_MAX; i++) {
		if (!mirror_due(worker, worker->model.mirrors[i]))
			continue;
		put_mirror(worker, log, batch, worker->model.mirrors[i]);
		entries += worker->model.mirrors[i]->n_lanes;
	}
	return OUTCOME_DONE;
}

static void note_written(struct worker *worker, int64_t began_ns)
{
	for (int i = 0; i < worker->model.n_links; i++)
		worker->model.links[i]->written_rc = worker->model.links[i]->writing_rc;
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];
		const struct partition_state *entry;

		for (int32_t p = 0; p < row->n_lanes; p++) {
			entry = mirror_state_find(&row->mirror_state, p);
			if (entry != NULL && entry->offset >= 0 && entry->offset == row->lanes[p].offset)
				row->lanes[p].written_ns = began_ns;
		}
	}
}

void states_write(struct worker *worker)
{
	int64_t now = clock_mono_ns();
	struct err err;

	if (now < worker->states_ns + SPACING_MS * NS_PER_MS || now < worker->states_retry_ns ||
	    !worker->member.applied || worker->member.lapsed || !anything_due(worker))
		return;
	worker->states_ns = now;
	if (control_log_update(worker->session.log, decide, worker, worker_deadline(DEADLINE_MS), NULL, &err) !=
	    OUTCOME_DONE) {
		worker->states_retry_ns = worker_deadline(RETRY_MS);
		worker_log_trouble(worker, "states could not be written", &err);
		return;
	}
	worker_log_trouble(worker, NULL, NULL);
	worker->plan_wanted |= model_update(&worker->model, worker->session.log);
	note_written(worker, now);
}
