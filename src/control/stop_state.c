/* SPDX-License-Identifier: Apache-2.0 */
#include "control/stop_state.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/verbs.h"

#include <string.h>

static void set_status(struct mirror_state *state, enum mirror_status status)
{
	if (state->status != status || state->since_ms < 0)
		state->since_ms = clock_wall_ms();
	state->status = status;
}

static json_t *ends_json(const int64_t *offsets, int32_t n)
{
	json_t *ends = json_object();
	char key[16];

	for (int32_t i = 0; i < n; i++) {
		if (offsets[i] < 0)
			continue;
		snprintf(key, sizeof(key), "%d", i);
		CHECK(json_object_set_new(ends, key, json_integer(offsets[i])) == 0);
	}
	return ends;
}

/* Of those that were being seeded: what the end of the seeding may delete. */
static void set_seed_ends(struct mirror_state *state, const struct stop_record *record)
{
	char key[16];

	for (int i = 0; i < state->n_partitions && record->ends != NULL; i++) {
		const struct partition_state *p = &state->partitions[i];

		if (p->seed_to < 0 || p->partition >= record->n_partitions || record->ends[p->partition] < 0)
			continue;
		if (state->seed_ends == NULL)
			state->seed_ends = json_object();
		snprintf(key, sizeof(key), "%d", p->partition);
		CHECK(json_object_set_new(state->seed_ends, key, json_integer(record->ends[p->partition])) == 0);
	}
}

static void set_ends(struct mirror_state *state, const struct stop_record *record)
{
	if (record->ends == NULL || state->ends != NULL)
		return;
	state->ends = ends_json(record->ends, record->n_partitions);
}

/* A failover takes a promotion over, wherever it stands. */
static enum outcome wish_step(struct stop_record *record, struct control_batch *batch, struct mirror_wish *wish,
			      const struct mirror_state *state, struct err *err)
{
	if (mirror_is_stopped(state) || wish->wish == record->kind)
		return OUTCOME_DONE;
	if (record->kind == WISH_PROMOTE && wish->wish == WISH_FAILOVER) {
		err_set(err, RC_REFUSED, "mirror %s is being failed over", wish->topic);
		return OUTCOME_REFUSED;
	}
	if (!wish->created) {
		err_set(err, RC_REFUSED, "mirror %s was not made completely", wish->topic);
		err_hint(err, "`krmirror mirror create %s --link %s` makes it; `krmirror mirror delete` forgets it", wish->topic,
			 wish->link);
		return OUTCOME_REFUSED;
	}
	wish->wish = record->kind;
	wish->wish_ms = clock_wall_ms();
	control_batch_mirror(batch, wish);
	record->changed = true;
	return OUTCOME_DONE;
}

static void withdraw_step(struct stop_record *record, const struct control_log *log, struct control_batch *batch,
			  struct mirror_wish *wish, struct mirror_state *state)
{
	if (state->sealed)
		return;   /* no way back: a marker may stand in the log */
	record->changed = true;
	wish->wish = WISH_MIRROR;
	wish->wish_ms = -1;
	state->refused_wish = control_log_mirror_offset(log, record->link, record->topic);
	record_set(&state->refused, record->text);
	state->closing = false;
	json_decref(state->ends);
	state->ends = NULL;
	json_decref(state->latest_settings);
	state->latest_settings = NULL;
	set_status(state, wish->paused ? MIRROR_PAUSED : MIRROR_ACTIVE);
	control_batch_mirror(batch, wish);
	control_batch_mirror_state(batch, state);
}

static void stop_partitions(struct mirror_state *state, int32_t n)
{
	int64_t now = clock_wall_ms();

	for (int32_t i = 0; i < n; i++) {
		struct partition_state *p = mirror_state_partition(state, i);

		if (strcmp(p->state, "STOPPED") == 0)
			continue;
		record_set(&p->state, "STOPPED");
		record_set(&p->reason, NULL);
		record_set(&p->error, NULL);
		p->since_ms = now;
	}
}

/* The steps that only the state tells of. False: it is so already. */
static bool state_step(const struct stop_record *record, const struct control_log *log, struct mirror_state *state)
{
	int64_t seen = control_log_mirror_offset(log, record->link, record->topic);

	switch (record->step) {
	case STEP_PENDING:
		if (state->status == MIRROR_PENDING_STOPPED && state->seen == seen)
			return false;
		break;
	case STEP_CLOSING:
		if (state->closing)
			return false;
		state->closing = true;
		set_ends(state, record);
		json_decref(state->latest_settings);
		state->latest_settings = json_incref(record->latest_settings);
		break;
	case STEP_SEALED:
		if (state->sealed || !state->closing)
			return false;
		state->sealed = true;
		set_ends(state, record);
		break;
	case STEP_DOOR:
		/* The first one's ends: clients may have written when a late one asks. */
		if (state->door != NULL)
			return false;
		record_set(&state->door, record->text);
		set_seed_ends(state, record);
		break;
	case STEP_STOPPED:
		stop_partitions(state, record->n_partitions);
		record_set(&state->stopped_how, record->kind == WISH_FAILOVER ? "failed_over" : "promoted");
		state->policy_opened = false;   /* the settings were restored */
		state->seen = seen;
		set_status(state, MIRROR_STOPPED);
		return true;
	case STEP_WISH:
	case STEP_WITHDRAW:
		return false;
	}
	state->seen = seen;
	set_status(state, MIRROR_PENDING_STOPPED);
	return true;
}

static enum outcome step(struct stop_record *record, const struct control_log *log, struct control_batch *batch,
			 struct mirror_wish *wish, struct mirror_state *state, struct err *err)
{
	if (record->step == STEP_WISH)
		return wish_step(record, batch, wish, state, err);
	record->gone = wish->wish != record->kind || mirror_is_stopped(state);
	if (record->gone)
		return OUTCOME_DONE;
	if (record->step == STEP_WITHDRAW) {
		withdraw_step(record, log, batch, wish, state);
	} else if (state_step(record, log, state)) {
		control_batch_mirror_state(batch, state);
		record->changed = true;
	}
	return OUTCOME_DONE;
}

static void decide_one(struct stop_record *record, const struct control_log *log, struct control_batch *batch)
{
	struct mirror_wish wish = { 0 };
	struct mirror_state state = { 0 };

	record->gone = record->changed = false;
	record->outcome = OUTCOME_FAILED;
	if (control_log_mirror(log, record->link, record->topic, &wish, &record->err) == RC_OK &&
	    control_log_mirror_state(log, record->link, record->topic, &state, &record->err) == RC_OK)
		record->outcome = step(record, log, batch, &wish, &state, &record->err);
	mirror_wish_fini(&wish);
	mirror_state_fini(&state);
}

struct all {
	struct stop_record *const *records;
	int n;
};

static enum outcome decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct all *all = arg;

	(void)err;
	for (int i = 0; i < all->n; i++)
		decide_one(all->records[i], log, batch);
	return OUTCOME_DONE;
}

enum outcome stop_record(struct session *session, struct stop_record *const *records, int n, struct err *err)
{
	struct all all = { records, n };

	if (n == 0)
		return OUTCOME_DONE;
	return control_log_update(session->log, decide, &all, session->deadline_ns, NULL, err);
}

enum outcome stop_record_one(struct session *session, struct stop_record *record, struct err *err)
{
	struct stop_record *const records[] = { record };
	enum outcome outcome = stop_record(session, records, 1, err);

	if (outcome == OUTCOME_DONE && record->outcome != OUTCOME_DONE)
		*err = record->err;
	return outcome == OUTCOME_DONE ? record->outcome : outcome;
}
