/* SPDX-License-Identifier: Apache-2.0 */
/* Acting on a promotion. What was done is in the control log; an attempt looks there and goes on.
 *
 * Happy path: PENDING_STOPPED is recorded; two readings 2 s apart show source and destination level and the source
 * standing still; `closing` is recorded with the ends; the lanes are closed; a third reading shows that nothing has
 * moved; `sealed` is recorded; the door is closed, and how; the topic gets its own settings and ACLs; STOPPED.
 *
 * Failure modes:
 *  - lag: wait;
 *  - the source moves, or a transaction is open: the wish is withdrawn, the mirror is ACTIVE again;
 *  - killed after any record: the next attempt begins behind it. Between `closing` and `sealed` the reading is taken
 *    again; from `sealed` on the source is not needed any more, and there is no way back, because a marker of the door
 *    is an offset that the source does not have. */
#include "control/stop.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/guard.h"
#include "control/stop_door.h"
#include "control/stop_state.h"
#include "control/settings.h"
#include "control/verbs.h"
#include "wire/msg/kerr_codes.h"

#include <string.h>

enum { APART_MS = 2000 };

struct promotion {
	struct session *session;
	const char *link, *topic;
	struct stop_actor *actor;
	struct mirror_wish wish;
	struct mirror_state state;
	enum stop_at *at;
};

/* What the log says now. */
static enum outcome load(struct promotion *p, struct err *err)
{
	mirror_wish_fini(&p->wish);
	mirror_state_fini(&p->state);
	if (control_log_mirror(p->session->log, p->link, p->topic, &p->wish, err) != RC_OK ||
	    control_log_mirror_state(p->session->log, p->link, p->topic, &p->state, err) != RC_OK)
		return OUTCOME_FAILED;
	return OUTCOME_DONE;
}

static enum outcome withdrawn(struct promotion *p, const char *why, struct err *err)
{
	*p->at = STOP_WITHDRAWN;
	promote_reading_drop(p->session, p->link, p->topic);
	err_set(err, RC_REFUSED, "%s: %s", p->topic, why);
	err_hint(err, "stop what writes to the source topic, then promote again; the mirror is ACTIVE");
	return OUTCOME_DONE;
}

static enum outcome withdraw(struct promotion *p, const char *why, struct err *err)
{
	enum outcome outcome = promote_withdraw(p->session, p->link, p->topic, why, err);

	return outcome == OUTCOME_DONE ? withdrawn(p, why, err) : outcome;
}

static enum outcome waiting(struct promotion *p)
{
	*p->at = STOP_WAITING;
	return OUTCOME_DONE;
}

/* --- level and still ----------------------------------------------------------------------------------------- */

static void describe_trouble(struct promotion *p, const char *what, int32_t partition, char *text, size_t size)
{
	struct cluster *source;
	struct err unused;
	char who[200] = "";

	if (session_source(p->session, p->link, p->session->deadline_ns, &source, &unused) == OUTCOME_DONE)
		reading_name_producer(source, p->wish.source_topic, partition, p->session->deadline_ns, who,
				      sizeof(who));
	snprintf(text, size, "%s %s-%d of the source%s%s", what, p->wish.source_topic, partition,
		 who[0] != '\0' ? ": " : "", who);
}

/* An open transaction, as far as the source can tell; else the stable offset is just behind for a moment. */
static enum outcome not_stable(struct promotion *p, const struct reading *reading, int32_t partition, struct err *err)
{
	char text[400];

	describe_trouble(p, "an open transaction on", partition, text, sizeof(text));
	if (strstr(text, "transaction open since") != NULL)
		return withdraw(p, text, err);
	err_set(err, RC_TIMEOUT, "%s: %s-%d is not stable at the source (%lld of %lld)", p->topic, p->wish.source_topic,
		partition, (long long)reading->source_stable[partition], (long long)reading->source_high[partition]);
	return waiting(p);
}

static enum outcome ahead(struct promotion *p, const struct reading *reading, int32_t partition, struct err *err)
{
	err_set(err, RC_DIVERGED, "%s-%d has %lld offsets, its source %lld: somebody else wrote to it, or the source lost "
		"records", p->topic, partition, (long long)reading->destination[partition],
		(long long)reading->source_high[partition]);
	return OUTCOME_DIVERGED;
}

static enum outcome judge(struct promotion *p, const struct reading *reading, bool *level, struct err *err)
{
	int32_t partition;
	int64_t lag;

	*level = false;
	switch (reading_judge(reading, &partition, &lag)) {
	case READING_LEVEL:
		*level = true;
		return OUTCOME_DONE;
	case READING_OPEN:
		return not_stable(p, reading, partition, err);
	case READING_LAG:
		err_set(err, RC_TIMEOUT, "%s: %lld offsets behind the source", p->topic, (long long)lag);
		return waiting(p);
	case READING_AHEAD:
		break;
	}
	return ahead(p, reading, partition, err);
}

/* Keeps the first of two level readings until one comes that is 2 s younger. */
static enum outcome compare(struct promotion *p, struct reading *now, bool *still, struct err *err)
{
	const struct reading *before = promote_reading(p->session, p->link, p->topic);
	int32_t moved = before == NULL ? -1 : reading_moved(before, now);
	enum outcome outcome = OUTCOME_DONE;
	char text[400];
	int32_t partition;
	int64_t lag;
	bool level = false;

	*still = false;
	if (moved >= 0) {
		describe_trouble(p, "a producer still writes to", moved, text, sizeof(text));
		return withdraw(p, text, err);
	}
	outcome = judge(p, now, &level, err);
	if (outcome != OUTCOME_DONE || *p->at == STOP_WITHDRAWN)
		return outcome;
	if (before == NULL) {
		promote_reading_keep(p->session, p->link, p->topic, now);
	} else if (level && reading_judge(before, &partition, &lag) == READING_LEVEL) {
		*still = now->at_ns - before->at_ns >= APART_MS * NS_PER_MS;
	} else {
		promote_reading_keep(p->session, p->link, p->topic, now);
	}
	if (level && !*still) {
		err_set(err, RC_TIMEOUT, "%s: level with the source; looking again", p->topic);
		return waiting(p);
	}
	return OUTCOME_DONE;
}

/* The source's limit may have been raised since the creation, and the destination's with it. NULL: it does not tell; what
 * was recorded stands. */
static json_t *latest_settings(struct promotion *p)
{
	struct admin_configs configs;
	struct cluster *source;
	struct err err = { 0 };
	struct arena arena;
	json_t *latest = NULL;

	arena_init(&arena, 0);
	if (session_source(p->session, p->link, p->session->deadline_ns, &source, &err) == OUTCOME_DONE &&
	    admin_describe_configs(source, p->wish.source_topic, p->session->deadline_ns, &arena, &configs, &err) == RC_OK)
		latest = settings_latest(&configs);
	else
		notes_add(&p->session->notes, "%s: it gets the source's settings as they were when it was made: %s", p->topic,
			  err.text);
	arena_fini(&arena);
	return latest;
}

static enum outcome drain(struct promotion *p, bool *still, struct err *err)
{
	struct stop_record pending = { .step = STEP_PENDING, .link = p->link, .topic = p->topic };
	struct stop_record closing = { .step = STEP_CLOSING, .link = p->link, .topic = p->topic };
	struct reading now;
	enum outcome outcome = stop_record(p->session, &pending, NULL, err);

	*still = false;
	if (outcome == OUTCOME_DONE)
		outcome = reading_take(p->session, &p->wish, &now, err);
	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = compare(p, &now, still, err);
	if (outcome == OUTCOME_DONE && *still) {
		closing.reading = &now;
		closing.latest_settings = latest_settings(p);
		outcome = stop_record(p->session, &closing, NULL, err);
		json_decref(closing.latest_settings);
	}
	reading_fini(&now);
	return outcome;
}

/* --- sealing ------------------------------------------------------------------------------------------------- */

/* After the lanes were closed: nothing may have moved since the ends were recorded. */
static enum outcome still_level(struct promotion *p, bool *level, struct err *err)
{
	struct reading now;
	enum outcome outcome = reading_take(p->session, &p->wish, &now, err);
	char text[400];

	*level = false;
	if (outcome != OUTCOME_DONE)
		return outcome;
	*level = (size_t)now.n == json_object_size(p->state.ends);
	for (int32_t i = 0; i < now.n && outcome == OUTCOME_DONE && *level; i++) {
		char key[16];
		int64_t end;

		snprintf(key, sizeof(key), "%d", i);
		end = json_integer_value(json_object_get(p->state.ends, key));
		if (now.destination[i] > end) {
			err_set(err, RC_DIVERGED, "%s-%d has %lld offsets instead of %lld: somebody else wrote to it",
				p->topic, i, (long long)now.destination[i], (long long)end);
			outcome = OUTCOME_DIVERGED;
		} else if (now.source_high[i] != end || now.source_stable[i] != end || now.destination[i] != end) {
			describe_trouble(p, "a producer still writes to", i, text, sizeof(text));
			*level = false;
		}
	}
	reading_fini(&now);
	if (outcome == OUTCOME_DONE && !*level)
		return withdraw(p, text, err);
	return outcome;
}

static enum outcome seal(struct promotion *p, struct err *err)
{
	struct stop_record sealed = { .step = STEP_SEALED, .link = p->link, .topic = p->topic };
	enum outcome outcome = OUTCOME_DONE;
	bool level;

	if (p->actor->close_lanes != NULL)
		outcome = p->actor->close_lanes(p->actor, p->link, p->topic, err);
	if (outcome == OUTCOME_DONE)
		outcome = still_level(p, &level, err);
	if (outcome == OUTCOME_DONE && *p->at != STOP_WITHDRAWN)
		outcome = stop_record(p->session, &sealed, NULL, err);
	return outcome;
}

/* --- the end ------------------------------------------------------------------------------------------------- */

static enum outcome close_door(struct promotion *p, int32_t n, struct err *err)
{
	struct stop_record record = { .step = STEP_DOOR, .link = p->link, .topic = p->topic };
	struct door door = { &p->wish, &p->state, n, p->actor->lease_ms };
	enum outcome outcome = door_close(p->session, &door, &record.text, err);

	return outcome == OUTCOME_DONE ? stop_record(p->session, &record, NULL, err) : outcome;
}

/* What the destination does not take stays as it was, and is told. */
static int restore_each(struct promotion *p, const struct admin_setting *list, size_t n, struct err *err)
{
	struct session *session = p->session;

	for (size_t i = 0; i < n; i++) {
		int rc = admin_alter_configs(session->destination, p->topic, &list[i], 1, session->deadline_ns, err);

		if (rc == RC_KAFKA)
			notes_add(&session->notes, "%s: %s stays as it was while mirrored: %s", p->topic, list[i].name,
				  err->text);
		else if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

/* What the topic gets: as recorded at its creation, but for what follows the source. */
static const char *restored(const struct promotion *p, const char *key, const json_t *recorded)
{
	const json_t *latest = json_object_get(p->state.latest_settings, key);

	if (latest == NULL || json_object_get(p->wish.given_settings, key) != NULL)
		return json_string_value(recorded);
	return json_string_value(latest);
}

/* All at once; if the destination refuses one of them, one by one. */
static enum outcome restore_settings(struct promotion *p, struct err *err)
{
	struct session *session = p->session;
	size_t n = json_object_size(p->wish.settings), i = 0;
	struct admin_setting *list = xcalloc(n + 1, sizeof(*list));
	const char *key;
	json_t *value;
	int rc;

	json_object_foreach(p->wish.settings, key, value)
		list[i++] = (struct admin_setting){ key, restored(p, key, value) };
	rc = admin_alter_configs(session->destination, p->topic, list, (int)n, session->deadline_ns, err);
	if (rc == RC_KAFKA && (err->kafka == KERR_INVALID_CONFIG || err->kafka == KERR_POLICY_VIOLATION ||
			       err->kafka == KERR_INVALID_REQUEST))
		rc = restore_each(p, list, n, err);
	xfree(list);
	return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

/* What is reported as promoted is durable: end and high watermark are the same. */
static enum outcome wait_durable(struct promotion *p, int32_t n, struct err *err)
{
	struct ends_of end = { p->topic, n, ADMIN_LATEST, ADMIN_LOG_END, 0 }, high = end;
	int64_t *ends = xcalloc((size_t)n, sizeof(*ends)), *highs = xcalloc((size_t)n, sizeof(*highs));
	bool durable = false;
	int rc;

	high.replica_id = ADMIN_CONSUMER;
	do {
		rc = topic_ends(p->session->destination, &end, p->session->deadline_ns, ends, err);
		if (rc == RC_OK)
			rc = topic_ends(p->session->destination, &high, p->session->deadline_ns, highs, err);
		durable = rc == RC_OK && memcmp(ends, highs, (size_t)n * sizeof(*ends)) == 0;
		if (rc == RC_OK && !durable)
			loop_wait_until(p->session->loop, clock_mono_ns() + 100 * NS_PER_MS);
	} while (rc == RC_OK && !durable && clock_mono_ns() < p->session->deadline_ns);
	xfree(ends);
	xfree(highs);
	if (rc != RC_OK)
		return outcome_of(err, SIDE_DESTINATION);
	if (durable)
		return OUTCOME_DONE;
	err_set(err, RC_TIMEOUT, "%s: the replicas of the destination have not caught up yet", p->topic);
	return OUTCOME_TIMED_OUT;
}

static enum outcome finish(struct promotion *p, struct err *err)
{
	struct stop_record stopped = { .step = STEP_STOPPED, .link = p->link, .topic = p->topic };
	struct admin_topic topic = { 0 };
	enum outcome outcome = OUTCOME_DONE;
	struct arena arena;

	arena_init(&arena, 0);
	if (admin_topic(p->session->destination, p->topic, p->session->deadline_ns, &arena, &topic, err) != RC_OK)
		outcome = outcome_of(err, SIDE_DESTINATION);
	stopped.n_partitions = topic.n_partitions;
	arena_fini(&arena);
	if (outcome == OUTCOME_DONE && p->state.door == NULL)
		outcome = close_door(p, stopped.n_partitions, err);
	if (outcome == OUTCOME_DONE)
		outcome = wait_durable(p, stopped.n_partitions, err);
	if (outcome == OUTCOME_DONE)
		outcome = restore_settings(p, err);
	if (outcome == OUTCOME_DONE)
		outcome = guard_lift(p->session, &p->wish, err);
	if (outcome == OUTCOME_DONE)
		outcome = stop_record(p->session, &stopped, NULL, err);
	if (outcome == OUTCOME_DONE) {
		*p->at = STOP_DONE;
		promote_reading_drop(p->session, p->link, p->topic);
	}
	return outcome;
}

/* --- all ----------------------------------------------------------------------------------------------------- */

static enum outcome act(struct promotion *p, struct err *err)
{
	enum outcome outcome = load(p, err);
	bool still = true;

	if (outcome != OUTCOME_DONE)
		return outcome;
	if (mirror_is_stopped(&p->state)) {
		*p->at = STOP_DONE;
		return OUTCOME_DONE;
	}
	if (p->wish.wish != WISH_PROMOTE)
		return withdrawn(p, p->state.refused != NULL ? p->state.refused : "the promotion is not wished", err);
	if (!p->state.closing)
		outcome = drain(p, &still, err);
	if (outcome == OUTCOME_DONE && still)
		outcome = load(p, err);
	if (outcome == OUTCOME_DONE && still && p->state.closing && !p->state.sealed) {
		outcome = seal(p, err);
		if (outcome == OUTCOME_DONE)
			outcome = load(p, err);
	}
	if (outcome != OUTCOME_DONE || !still || !p->state.sealed)
		return outcome;
	return finish(p, err);
}

/* What has diverged will never be level: the wish would stand for ever. Whoever watches reads it from the reason. */
static void take_back(struct promotion *p, const struct err *diverged)
{
	char why[sizeof(diverged->text) + sizeof(PROMOTE_DIVERGED)];
	struct err err;

	snprintf(why, sizeof(why), PROMOTE_DIVERGED "%s", diverged->text);
	if (promote_withdraw(p->session, p->link, p->topic, why, &err) != OUTCOME_DONE)
		notes_add(&p->session->notes, "%s: the wish could not be taken back: %s", p->topic, err.text);
}

enum outcome stop_act(struct session *session, const char *link, const char *topic, struct stop_actor *actor,
			 enum stop_at *at, struct err *err)
{
	struct promotion p = { .session = session, .link = link, .topic = topic, .actor = actor, .at = at };
	enum outcome outcome;

	*at = STOP_WAITING;
	*err = (struct err){ 0 };
	outcome = act(&p, err);
	if (outcome == OUTCOME_DIVERGED && !p.state.sealed)
		take_back(&p, err);
	mirror_wish_fini(&p.wish);
	mirror_state_fini(&p.state);
	return outcome;
}

enum outcome promote_withdraw(struct session *session, const char *link, const char *topic, const char *why,
			      struct err *err)
{
	struct stop_record record = { .step = STEP_WITHDRAW, .link = link, .topic = topic, .text = why };

	promote_reading_drop(session, link, topic);
	return stop_record(session, &record, NULL, err);
}

/* --- the wish ------------------------------------------------------------------------------------------------ */

/* A partition that has stopped for good would never be level. */
static enum outcome check_partitions(const struct promotion *p, struct err *err)
{
	for (int i = 0; i < p->state.n_partitions; i++) {
		const struct partition_state *part = &p->state.partitions[i];
		enum lane_reason reason = part->reason != NULL ? lane_reason_parse(part->reason) : REASON_NONE;
		bool diverged = reason == REASON_DIVERGED || reason == REASON_UNEXPECTED_TRUNCATION;

		if (strcmp(part->state, lane_state_name(LANE_FAILED)) != 0 || lane_reason_retries(reason))
			continue;
		err_set(err, diverged ? RC_DIVERGED : RC_REFUSED, "%s-%d is FAILED: %s%s%s", p->topic, part->partition,
			part->reason != NULL ? part->reason : "", part->error != NULL ? ": " : "",
			part->error != NULL ? part->error : "");
		err_hint(err, "krmirror-mirror(1) says what it means; `krmirror mirror resume %s --link %s` opens it anew",
			 p->topic, p->link);
		return diverged ? OUTCOME_DIVERGED : OUTCOME_REFUSED;
	}
	return OUTCOME_DONE;
}

/* Before it is recorded: the source answers, and no transaction is open. */
static enum outcome check_source(struct promotion *p, struct err *err)
{
	struct reading now;
	enum outcome outcome = reading_take(p->session, &p->wish, &now, err);
	enum reading_verdict verdict;
	char text[400];
	int32_t partition;
	int64_t lag;

	if (outcome == OUTCOME_SOURCE_UNREACHABLE)
		err_hint(err, "promote needs the source: check that it runs, and bootstrap.servers of link %s", p->link);
	if (outcome != OUTCOME_DONE)
		return outcome;
	verdict = reading_judge(&now, &partition, &lag);
	if (verdict == READING_AHEAD)
		outcome = ahead(p, &now, partition, err);
	if (verdict == READING_OPEN) {
		describe_trouble(p, "an open transaction on", partition, text, sizeof(text));
		if (strstr(text, "transaction open since") != NULL) {
			err_set(err, RC_REFUSED, "%s: %s", p->topic, text);
			err_hint(err, "end it or wait for its timeout, then promote again");
			outcome = OUTCOME_REFUSED;
		}
	}
	reading_fini(&now);
	return outcome;
}

/* *again: it is wished, or finished, already. */
static enum outcome check(struct promotion *p, bool *again, struct err *err)
{
	enum outcome outcome = load(p, err);

	*again = outcome == OUTCOME_DONE && (mirror_is_stopped(&p->state) || p->wish.wish == WISH_PROMOTE);
	if (outcome != OUTCOME_DONE || *again || !p->wish.created)
		return outcome;
	outcome = check_partitions(p, err);
	return outcome == OUTCOME_DONE ? check_source(p, err) : outcome;
}

enum outcome promote_check(struct session *session, const char *link, const char *topic, struct err *err)
{
	struct promotion p = { .session = session, .link = link, .topic = topic };
	bool again;
	enum outcome outcome = check(&p, &again, err);

	mirror_wish_fini(&p.wish);
	mirror_state_fini(&p.state);
	return outcome;
}

enum outcome promote_wish(struct session *session, const char *link, const char *topic, bool *changed, struct err *err)
{
	struct promotion p = { .session = session, .link = link, .topic = topic };
	struct stop_record record = { .step = STEP_WISH, .link = link, .topic = topic };
	bool again;
	enum outcome outcome = check(&p, &again, err);

	*changed = false;
	if (outcome == OUTCOME_DONE && !again)
		outcome = stop_record(session, &record, changed, err);
	mirror_wish_fini(&p.wish);
	mirror_state_fini(&p.state);
	return outcome;
}
