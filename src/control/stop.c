/* SPDX-License-Identifier: Apache-2.0 */
/* Acting on promotions and failovers. What was done is in the control log; an attempt looks there and goes on.
 *
 * A promotion: PENDING_STOPPED is recorded; two readings 2 s apart show source and destination level and the source
 * standing still; `closing` is recorded with the ends; the lanes are closed; a third reading shows that nothing has moved;
 * `sealed` is recorded; the door is closed, and how; the topic gets its own settings and ACLs; STOPPED.
 *
 * A failover: the same from `closing` on, without a look at the source; `sealed` is recorded with the ends.
 *
 * Failure modes:
 *  - lag: wait;
 *  - the source moves, or a transaction is open: the wish is withdrawn, the mirror is ACTIVE again;
 *  - killed after any record: the next attempt begins behind it. Between `closing` and `sealed` the reading is taken
 *    again; from `sealed` on the source is not needed any more, and there is no way back, because a marker of the door
 *    is an offset that the source does not have;
 *  - some of many cannot get on: they are left out of the next steps, and tried again. */
#include "control/stop_priv.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/verbs.h"

enum { SOON_MS = 3000 };

/* --- what the files share ------------------------------------------------------------------------------------- */

bool stop_goes_on(const struct stopping *s)
{
	return s->item->outcome == OUTCOME_DONE && s->item->at == STOP_WAITING && !s->waits;
}

struct stopping **stop_some(const struct stop_run *run, bool (*wanted)(const struct stopping *s), int *n)
{
	struct stopping **some = xcalloc((size_t)run->n + 1, sizeof(struct stopping *));

	*n = 0;
	for (int i = 0; i < run->n; i++)
		if (stop_goes_on(&run->all[i]) && wanted(&run->all[i]))
			some[(*n)++] = &run->all[i];
	return some;
}

void stop_failed(struct stopping *s, enum outcome outcome, const struct err *err)
{
	s->item->outcome = outcome;
	s->item->err = *err;
}

void stop_all_failed(struct stopping *const *some, int n, enum outcome outcome, const struct err *err)
{
	for (int i = 0; i < n; i++)
		if (stop_goes_on(some[i]))
			stop_failed(some[i], outcome, err);
}

int64_t stop_soon(const struct session *session)
{
	return MIN(session->deadline_ns, clock_mono_ns() + SOON_MS * NS_PER_MS);
}

static void forget(struct stopping *s)
{
	mirror_wish_fini(&s->wish);
	mirror_state_fini(&s->state);
}

void stop_load(struct stopping *s)
{
	struct err err = { 0 };

	forget(s);
	if (control_log_mirror(s->session->log, s->link, s->topic, &s->wish, &err) != RC_OK ||
	    control_log_mirror_state(s->session->log, s->link, s->topic, &s->state, &err) != RC_OK) {
		stop_failed(s, OUTCOME_FAILED, &err);
		return;
	}
	s->item->kind = s->wish.wish;
	if (mirror_is_stopped(&s->state)) {
		s->item->at = STOP_DONE;
		promote_reading_drop(s->session, s->link, s->topic);
	} else if (s->wish.wish == WISH_MIRROR) {
		s->item->at = STOP_WITHDRAWN;
		err_set(&s->item->err, RC_REFUSED, "%s: %s", s->topic,
			s->state.refused != NULL ? s->state.refused : "it is not wished");
	}
}

/* What another has written meanwhile ends the attempt: the next one looks at it. */
static void take_record(struct stopping *s)
{
	if (s->record.outcome != OUTCOME_DONE)
		stop_failed(s, s->record.outcome, &s->record.err);
	else if (s->record.gone)
		s->waits = true;
	if (stop_goes_on(s))
		stop_load(s);
}

void stop_step(const struct stop_run *run, struct stopping *const *some, int n, enum stop_step step)
{
	struct stop_record **records = xcalloc((size_t)n + 1, sizeof(struct stop_record *));
	struct err err = { 0 };
	enum outcome outcome;
	int m = 0;

	for (int i = 0; i < n; i++) {
		struct stopping *s = some[i];

		if (!stop_goes_on(s))
			continue;
		s->record = (struct stop_record){
			.step = step, .link = s->link, .topic = s->topic, .kind = s->wish.wish, .ends = s->ends,
			.latest_settings = s->latest_settings, .text = s->record.text, .n_partitions = s->n_partitions,
		};
		records[m++] = &s->record;
	}
	outcome = stop_record(run->session, records, m, &err);
	for (int i = 0; i < n; i++)
		if (stop_goes_on(some[i]) && outcome == OUTCOME_DONE)
			take_record(some[i]);
	if (outcome != OUTCOME_DONE)
		stop_all_failed(some, n, outcome, &err);
	xfree(records);
}

/* --- the steps ------------------------------------------------------------------------------------------------ */

static bool drains(const struct stopping *s)
{
	return s->wish.wish == WISH_PROMOTE && !s->state.closing;
}

static bool to_be_closed(const struct stopping *s)
{
	return !s->state.closing;
}

static bool to_be_sealed(const struct stopping *s)
{
	return s->state.closing && !s->state.sealed;
}

static bool fails_over(const struct stopping *s)
{
	return to_be_sealed(s) && s->wish.wish == WISH_FAILOVER;
}

/* Those of a promotion that are level and still, and all of a failover. */
static void begin_closing(const struct stop_run *run)
{
	int n;
	struct stopping **some = stop_some(run, drains, &n);

	stop_step(run, some, n, STEP_PENDING);
	for (int i = 0; i < n; i++)
		if (stop_goes_on(some[i]))
			stop_drain(some[i]);
	xfree(some);
	some = stop_some(run, to_be_closed, &n);
	stop_step(run, some, n, STEP_CLOSING);
	xfree(some);
}

static void close_lanes(const struct stop_run *run)
{
	int n;
	struct stopping **some = stop_some(run, to_be_sealed, &n);
	struct stop_item **items = xcalloc((size_t)n + 1, sizeof(struct stop_item *));

	for (int i = 0; i < n; i++)
		items[i] = some[i]->item;
	if (n > 0 && run->actor->close_lanes != NULL)
		run->actor->close_lanes(run->actor, items, n);
	xfree(items);
	xfree(some);
}

static void seal(const struct stop_run *run)
{
	int n;
	struct stopping **some;

	close_lanes(run);
	some = stop_some(run, to_be_sealed, &n);
	for (int i = 0; i < n; i++)
		if (some[i]->wish.wish == WISH_PROMOTE)
			stop_still_level(some[i]);
	stop_groups(run, some, n, WISH_PROMOTE);
	xfree(some);
	some = stop_some(run, fails_over, &n);
	stop_describe(run, some, n);
	stop_ask_ends(run->session, some, n, false);
	xfree(some);
	some = stop_some(run, to_be_sealed, &n);
	stop_step(run, some, n, STEP_SEALED);
	xfree(some);
}

/* --- all ------------------------------------------------------------------------------------------------------ */

static void begin(struct stopping *s, struct session *session, struct stop_item *item)
{
	*s = (struct stopping){ .session = session, .item = item, .link = item->link, .topic = item->topic };
	item->at = STOP_WAITING;
	item->outcome = OUTCOME_DONE;
	item->err = (struct err){ 0 };
	stop_load(s);
}

static void end(struct stopping *s)
{
	if (s->item->outcome == OUTCOME_DIVERGED && s->wish.wish == WISH_PROMOTE && !s->state.sealed)
		stop_take_back(s);
	forget(s);
	reading_fini(&s->reading);
	json_decref(s->latest_settings);
	xfree(s->ends);
	xfree(s->highs);
}

/* --- the wish -------------------------------------------------------------------------------------------------- */

/* Those that may be wished: not STOPPED, not wished already. */
static bool may_be_wished(struct stopping *s, enum mirror_wish_kind kind)
{
	bool open = s->item->outcome == OUTCOME_DONE && s->item->at != STOP_DONE;

	if (open)
		s->item->at = STOP_WAITING;   /* nothing is withdrawn that is not wished yet */
	if (open && kind == WISH_PROMOTE && s->wish.wish != WISH_PROMOTE)
		stop_check_promotion(s);
	return stop_goes_on(s);
}

static void record_wishes(struct session *session, struct stopping *all, int n, enum mirror_wish_kind kind)
{
	struct stop_record **records = xcalloc((size_t)n + 1, sizeof(struct stop_record *));
	struct err err = { 0 };
	enum outcome outcome;
	int m = 0;

	for (int i = 0; i < n; i++) {
		if (!stop_goes_on(&all[i]))
			continue;
		all[i].record = (struct stop_record){ .step = STEP_WISH, .link = all[i].link, .topic = all[i].topic,
						      .kind = kind };
		records[m++] = &all[i].record;
	}
	outcome = stop_record(session, records, m, &err);
	for (int i = 0; i < n; i++) {
		if (!stop_goes_on(&all[i]))
			continue;
		if (outcome != OUTCOME_DONE)
			stop_failed(&all[i], outcome, &err);
		else if (all[i].record.outcome != OUTCOME_DONE)
			stop_failed(&all[i], all[i].record.outcome, &all[i].record.err);
	}
	xfree(records);
}

void stop_wish(struct session *session, struct stop_item *items, int n, enum mirror_wish_kind kind, bool dry_run)
{
	struct stopping *all = xcalloc((size_t)n + 1, sizeof(*all));

	for (int i = 0; i < n; i++) {
		begin(&all[i], session, &items[i]);
		if (!may_be_wished(&all[i], kind))
			all[i].waits = true;
	}
	if (!dry_run)
		record_wishes(session, all, n, kind);
	for (int i = 0; i < n; i++)
		forget(&all[i]);
	xfree(all);
}

/* --- acting --------------------------------------------------------------------------------------------------- */

void stop_act(struct session *session, struct stop_item *items, int n, struct stop_actor *actor)
{
	struct stop_run run = { .session = session, .n = n, .actor = actor };

	run.all = xcalloc((size_t)n + 1, sizeof(*run.all));
	arena_init(&run.arena, 0);
	for (int i = 0; i < n; i++)
		begin(&run.all[i], session, &items[i]);
	begin_closing(&run);
	seal(&run);
	stop_finish(&run);
	for (int i = 0; i < n; i++)
		end(&run.all[i]);
	arena_fini(&run.arena);
	xfree(run.all);
}
