/* SPDX-License-Identifier: Apache-2.0 */
/* One marker on the data id with a higher epoch, and one on every filler id with the highest that there are: a batch or
 * marker that a paused worker sends later carries a lower epoch and gets INVALID_PRODUCER_EPOCH.
 *
 * Failure modes: an answer that is unclear is no matter, the same marker is written again (equal epochs are accepted);
 * a higher epoch than was read (47) is read again. */
#include "control/stop_door.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/promote_read.h"
#include "mirror/mirror.h"
#include "wire/msg/kerr_codes.h"

enum { FILLER_EPOCH = 32767, TRY_PAUSE_MS = 200 };

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

static int read_producer(struct session *session, const struct admin_marker *at, struct admin_producer *known,
			 bool *is_known, struct err *err)
{
	struct admin_producers producers;
	const struct admin_producer *found;
	struct arena arena;
	int rc;

	arena_init(&arena, 0);
	rc = admin_describe_producers(session->destination, at->topic, at->partition, session->deadline_ns, &arena,
				      &producers, err);
	found = rc == RC_OK ? admin_producer_find(&producers, at->producer_id) : NULL;
	*is_known = found != NULL;
	if (found != NULL)
		*known = *found;
	arena_fini(&arena);
	return rc;
}

/* Until it is written; RC_AUTH at once. */
static int write_one(struct session *session, struct admin_marker *marker, bool data, struct err *err)
{
	int16_t code;
	int rc;

	for (;;) {
		struct admin_producer known;
		bool is_known = false;

		rc = data ? read_producer(session, marker, &known, &is_known, err) : RC_OK;
		if (rc != RC_OK)
			return rc;
		if (data)
			door_data_marker(is_known ? &known : NULL, marker);
		else
			door_filler_marker(marker);
		rc = admin_write_marker(session->destination, marker, session->deadline_ns, &code, err);
		if (rc == RC_OK || rc == RC_AUTH || rc == RC_UNSUPPORTED || rc == RC_CANCELLED)
			return rc;
		if (clock_mono_ns() + TRY_PAUSE_MS * NS_PER_MS >= session->deadline_ns)
			return rc;
		loop_wait_until(session->loop, clock_mono_ns() + TRY_PAUSE_MS * NS_PER_MS);
		cluster_refresh(session->destination);
	}
}

static int close_partition(struct session *session, const struct door *door, int32_t partition, struct err *err)
{
	const struct mirror_wish *wish = door->wish;
	const struct partition_state *p = mirror_state_find(door->state, partition);
	struct admin_marker marker = {
		.topic = wish->topic, .partition = partition,
		.producer_id = mirror_data_id(wish->link, wish->topic, partition),
	};
	int rc = write_one(session, &marker, true, err);

	for (int32_t rotation = 0; rc == RC_OK && rotation <= (p == NULL ? 0 : p->rotation); rotation++) {
		marker.producer_id = mirror_filler_id(wish->link, wish->topic, partition, rotation);
		rc = write_one(session, &marker, false, err);
	}
	return rc;
}

/* Counted from the first attempt that found the right missing; an attempt that has less time goes on from there. */
static enum outcome wait_lease(struct session *session, const struct door *door, const struct err *why,
			       const char **how, struct err *err)
{
	const struct mirror_wish *wish = door->wish;
	int64_t until = promote_lease_from(session, wish->link, wish->topic) + door->lease_ms * NS_PER_MS;

	loop_wait_until(session->loop, MIN(until, session->deadline_ns));
	if (clock_mono_ns() < until) {
		err_set(err, RC_TIMEOUT, "%s: waiting out the lease of the workers (%d ms)", wish->topic, door->lease_ms);
		return OUTCOME_TIMED_OUT;
	}
	notes_add(&session->notes, "%s: %s; the lease was waited out instead", wish->topic, why->text);
	*how = "lease";
	return OUTCOME_DONE;
}

enum outcome door_close(struct session *session, const struct door *door, const char **how, struct err *err)
{
	const char *topic = door->wish->topic;
	int rc = RC_OK;

	/* Tracked, so that leaders are known once for all calls. */
	cluster_track(session->destination, topic);
	for (int32_t p = 0; p < door->n_partitions && rc == RC_OK; p++)
		rc = close_partition(session, door, p, err);
	cluster_untrack(session->destination, topic);
	if (rc == RC_OK) {
		*how = "marker";
		return OUTCOME_DONE;
	}
	if (rc == RC_AUTH && err->kafka == KERR_CLUSTER_AUTHORIZATION_FAILED) {
		struct err why = *err;

		return wait_lease(session, door, &why, how, err);
	}
	return outcome_of(err, SIDE_DESTINATION);
}
