/* SPDX-License-Identifier: Apache-2.0 */
/* One marker on the data id with a higher epoch, and one on every filler id with the highest that there are: a batch or
 * marker that a paused worker sends later carries a lower epoch and gets INVALID_PRODUCER_EPOCH.
 *
 * Failure modes: an answer that is unclear is no matter, the same marker is written again (equal epochs are accepted);
 * a higher epoch than was read (47) is read again. */
#include "control/stop_door.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/stop_priv.h"
#include "mirror/mirror.h"
#include "wire/msg/kerr_codes.h"

enum { FILLER_EPOCH = 32767, TRY_PAUSE_MS = 200, ANSWERS_MS = 10000 };

void door_data_marker(const struct admin_producer *known, struct admin_marker *marker)
{
	int32_t epoch = known == NULL ? 0 : known->epoch;

	marker->producer_epoch = (int16_t)MIN(MAX(epoch + 1, 1), INT16_MAX);
	marker->coordinator_epoch = known == NULL ? 0 : MAX(known->coordinator_epoch, 0);
}

void door_filler_marker(struct admin_marker *marker)
{
	marker->producer_epoch = FILLER_EPOCH;
	marker->coordinator_epoch = INT32_MAX;
}

/* One marker, of one of the doors. */
struct door_mark {
	struct door *door;
	bool data;
	bool done;
	int16_t tried;               /* the epoch that was sent and not answered; -1 */
};

struct marks {
	struct session *session;
	struct admin_mark *items;
	struct door_mark *of;
	int n;
	bool forbidden;              /* the right is missing */
	struct err why;
};

static void add(struct marks *m, struct door *door, int32_t partition, int64_t id, bool data)
{
	m->items = xrealloc(m->items, (size_t)m->n + 1, sizeof(*m->items));
	m->of = xrealloc(m->of, (size_t)m->n + 1, sizeof(*m->of));
	m->of[m->n] = (struct door_mark){ .door = door, .data = data, .tried = -1 };
	m->items[m->n] = (struct admin_mark){
		.marker = { .topic = door->wish->topic, .partition = partition, .producer_id = id },
	};
	if (!data)
		door_filler_marker(&m->items[m->n].marker);
	m->n++;
}

static void add_door(struct marks *m, struct door *door)
{
	const struct mirror_wish *wish = door->wish;

	for (int32_t p = 0; p < door->n_partitions; p++) {
		const struct partition_state *entry = mirror_state_find(door->state, p);

		add(m, door, p, mirror_data_id(wish->link, wish->topic, p), true);
		for (int32_t rotation = 0; rotation <= (entry == NULL ? 0 : entry->rotation); rotation++)
			add(m, door, p, mirror_filler_id(wish->link, wish->topic, p, rotation), false);
	}
}

/* --- one round ------------------------------------------------------------------------------------------------ */

/* Many markers take a busy broker a while. */
static int64_t answers_until(const struct session *session)
{
	return MIN(session->deadline_ns, clock_mono_ns() + ANSWERS_MS * NS_PER_MS);
}

/* What the brokers know of the data ids that are open. What was tried and stands is done. */
static void read_producers(struct marks *m, struct err *err)
{
	struct admin_known_producer *items = xcalloc((size_t)m->n + 1, sizeof(*items));
	int *at = xcalloc((size_t)m->n + 1, sizeof(*at)), n = 0;

	for (int i = 0; i < m->n; i++) {
		const struct admin_marker *marker = &m->items[i].marker;

		if (m->of[i].done || !m->of[i].data)
			continue;
		at[n] = i;
		items[n++] = (struct admin_known_producer){
			.topic = marker->topic, .partition = marker->partition, .producer_id = marker->producer_id,
		};
	}
	if (n > 0)
		(void)!admin_find_producers(m->session->destination, items, n, answers_until(m->session), err);
	for (int i = 0; i < n; i++) {
		struct door_mark *of = &m->of[at[i]];
		struct admin_marker *marker = &m->items[at[i]].marker;

		marker->producer_epoch = -1;
		if (items[i].error != 0)
			continue;
		door_data_marker(items[i].known ? &items[i].producer : NULL, marker);
		of->done = of->tried >= 0 && items[i].known && items[i].producer.epoch >= of->tried;
	}
	xfree(at);
	xfree(items);
}

static void take_answer(struct marks *m, int i, const struct admin_mark *answered)
{
	struct door_mark *of = &m->of[i];
	struct err err = { 0 };

	of->done = answered->error == 0;
	if (of->data && !of->done)
		of->tried = answered->marker.producer_epoch;
	if (of->done || admin_mark_code(m->session->destination, answered, &err) == RC_OK)
		return;
	of->door->err = err;
	if (err.rc == RC_AUTH && err.kafka == KERR_CLUSTER_AUTHORIZATION_FAILED) {
		m->forbidden = true;
		m->why = err;
	}
}

static bool all_done(const struct marks *m)
{
	for (int i = 0; i < m->n; i++)
		if (!m->of[i].done)
			return false;
	return true;
}

/* True: all are done. */
static bool write_round(struct marks *m)
{
	struct admin_mark *open = xcalloc((size_t)m->n + 1, sizeof(*open));
	int *at = xcalloc((size_t)m->n + 1, sizeof(*at)), n = 0;
	struct err err = { 0 };

	read_producers(m, &err);
	for (int i = 0; i < m->n; i++) {
		if (m->of[i].done)
			continue;
		if (m->items[i].marker.producer_epoch < 0) {
			if (err.rc != RC_OK)
				m->of[i].door->err = err;
			continue;
		}
		at[n] = i;
		open[n++] = m->items[i];
	}
	if (n > 0)
		(void)!admin_write_markers(m->session->destination, open, n, answers_until(m->session), &err);
	for (int i = 0; i < n; i++)
		take_answer(m, at[i], &open[i]);
	xfree(at);
	xfree(open);
	return all_done(m);
}

/* --- all ------------------------------------------------------------------------------------------------------ */

/* Counted from the first attempt that found the right missing; an attempt that has less time goes on from there. */
static void wait_leases(struct session *session, struct door *doors, int n, int32_t lease_ms, const struct err *why)
{
	for (int i = 0; i < n; i++) {
		const struct mirror_wish *wish = doors[i].wish;
		int64_t until = promote_lease_from(session, wish->link, wish->topic) + lease_ms * NS_PER_MS;

		loop_wait_until(session->loop, MIN(until, session->deadline_ns));
		if (clock_mono_ns() < until) {
			doors[i].outcome = OUTCOME_TIMED_OUT;
			err_set(&doors[i].err, RC_TIMEOUT, "%s: waiting out the lease of the workers (%d ms)", wish->topic,
				lease_ms);
			continue;
		}
		notes_add(&session->notes, "%s: %s; the lease was waited out instead", wish->topic, why->text);
		doors[i].how = "lease";
	}
}

static void judge(struct marks *m)
{
	for (int i = 0; i < m->n; i++) {
		struct door *door = m->of[i].door;

		if (m->of[i].done || door->outcome != OUTCOME_DONE)
			continue;
		door->how = NULL;
		door->outcome = outcome_of(&door->err, SIDE_DESTINATION);
	}
}

void doors_close(struct session *session, struct door *doors, int n, int32_t lease_ms)
{
	struct marks m = { .session = session };
	int64_t until = stop_soon(session);

	for (int i = 0; i < n; i++) {
		doors[i].how = "marker";
		doors[i].outcome = OUTCOME_DONE;
		doors[i].err = (struct err){ 0 };
		err_set(&doors[i].err, RC_TIMEOUT, "%s: the door could not be closed in time", doors[i].wish->topic);
		add_door(&m, &doors[i]);
	}
	while (!write_round(&m) && !m.forbidden && clock_mono_ns() + TRY_PAUSE_MS * NS_PER_MS < until) {
		loop_wait_until(session->loop, clock_mono_ns() + TRY_PAUSE_MS * NS_PER_MS);
		cluster_refresh(session->destination);
	}
	if (m.forbidden)
		wait_leases(session, doors, n, lease_ms, &m.why);
	else
		judge(&m);
	xfree(m.items);
	xfree(m.of);
}
