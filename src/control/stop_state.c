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

static json_t *ends_json(const struct reading *reading)
{
	json_t *ends = json_object();
	char key[16];

	for (int32_t i = 0; i < reading->n; i++) {
		snprintf(key, sizeof(key), "%d", i);
		CHECK(json_object_set_new(ends, key, json_integer(reading->source_stable[i])) == 0);
	}
	return ends;
}

static enum outcome wish_step(struct control_batch *batch, struct mirror_wish *wish, const struct mirror_state *state,
			      struct err *err)
{
	if (mirror_is_stopped(state) || wish->wish == WISH_PROMOTE)
		return OUTCOME_DONE;
	if (wish->wish == WISH_FAILOVER) {
		err_set(err, RC_REFUSED, "mirror %s is being failed over", wish->topic);
		return OUTCOME_REFUSED;
	}
	if (!wish->created) {
		err_set(err, RC_REFUSED, "mirror %s was not made completely", wish->topic);
		err_hint(err, "run `krmirror mirror create %s --link %s` again first", wish->topic, wish->link);
		return OUTCOME_REFUSED;
	}
	wish->wish = WISH_PROMOTE;
	wish->wish_ms = clock_wall_ms();
	control_batch_mirror(batch, wish);
	return OUTCOME_DONE;
}

static void withdraw_step(const struct stop_record *record, const struct control_log *log,
			  struct control_batch *batch, struct mirror_wish *wish, struct mirror_state *state)
{
	if (state->sealed)
		return;   /* no way back: a marker may stand in the log */
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
		state->ends = ends_json(record->reading);
		json_decref(state->latest_settings);
		state->latest_settings = json_incref(record->latest_settings);
		break;
	case STEP_SEALED:
		if (state->sealed || !state->closing)
			return false;
		state->sealed = true;
		break;
	case STEP_DOOR:
		record_set(&state->door, record->text);
		break;
	case STEP_STOPPED:
		stop_partitions(state, record->n_partitions);
		record_set(&state->stopped_how, "promoted");
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
		return wish_step(batch, wish, state, err);
	record->gone = wish->wish != WISH_PROMOTE || mirror_is_stopped(state);
	if (record->gone)
		return OUTCOME_DONE;
	if (record->step == STEP_WITHDRAW)
		withdraw_step(record, log, batch, wish, state);
	else if (state_step(record, log, state))
		control_batch_mirror_state(batch, state);
	return OUTCOME_DONE;
}

static enum outcome decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct stop_record *record = arg;
	struct mirror_wish wish = { 0 };
	struct mirror_state state = { 0 };
	enum outcome outcome = OUTCOME_FAILED;

	record->gone = false;
	if (control_log_mirror(log, record->link, record->topic, &wish, err) == RC_OK &&
	    control_log_mirror_state(log, record->link, record->topic, &state, err) == RC_OK)
		outcome = step(record, log, batch, &wish, &state, err);
	mirror_wish_fini(&wish);
	mirror_state_fini(&state);
	return outcome;
}

enum outcome stop_record(struct session *session, struct stop_record *record, bool *changed, struct err *err)
{
	return control_log_update(session->log, decide, record, session->deadline_ns, changed, err);
}
