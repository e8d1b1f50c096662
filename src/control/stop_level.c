/* SPDX-License-Identifier: Apache-2.0 */
/* A promotion's part: source and destination level, the source standing still, and who keeps it from that. */
#include "control/stop_priv.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/config_plan.h"
#include "control/verbs.h"

#include <string.h>

enum { APART_MS = 2000 };

static void withdraw(struct stopping *s, const char *why)
{
	struct stop_record record = { .step = STEP_WITHDRAW, .link = s->link, .topic = s->topic, .kind = WISH_PROMOTE,
				      .text = why };
	struct err err = { 0 };
	enum outcome outcome = stop_record_one(s->session, &record, &err);

	promote_reading_drop(s->session, s->link, s->topic);
	if (outcome != OUTCOME_DONE) {
		stop_failed(s, outcome, &err);
		return;
	}
	s->item->at = STOP_WITHDRAWN;
	err_set(&s->item->err, RC_REFUSED, "%s: %s", s->topic, why);
	err_hint(&s->item->err, "stop what writes to the source topic, then promote again; the mirror is ACTIVE");
}

void stop_take_back(struct stopping *s)
{
	char why[sizeof(s->item->err.text) + sizeof(STOP_DIVERGED)];
	struct stop_record record = { .step = STEP_WITHDRAW, .link = s->link, .topic = s->topic, .kind = WISH_PROMOTE,
				      .text = why };
	struct err err;

	snprintf(why, sizeof(why), STOP_DIVERGED "%s", s->item->err.text);
	promote_reading_drop(s->session, s->link, s->topic);
	if (stop_record_one(s->session, &record, &err) != OUTCOME_DONE)
		notes_add(&s->session->notes, "%s: the wish could not be taken back: %s", s->topic, err.text);
}

/* --- level and still ----------------------------------------------------------------------------------------- */

enum { TROUBLE_MAX = PRODUCER_TEXT_MAX + 320 };

/* True: the source says that a transaction is open there. */
static bool describe_trouble(const struct stopping *s, const char *what, int32_t partition, char text[TROUBLE_MAX])
{
	struct cluster *source;
	struct err unused;
	char who[PRODUCER_TEXT_MAX] = "";
	bool open = session_source(s->session, s->link, s->session->deadline_ns, &source, &unused) == OUTCOME_DONE &&
		    reading_name_producer(source, s->wish.source_topic, partition, s->session->deadline_ns, who);

	snprintf(text, TROUBLE_MAX, "%s %s-%d of the source%s%s", what, s->wish.source_topic, partition,
		 who[0] != '\0' ? ": " : "", who);
	return open;
}

/* An open transaction, as far as the source can tell; else the stable offset is just behind for a moment. */
static void not_stable(struct stopping *s, const struct reading *reading, int32_t partition)
{
	char text[TROUBLE_MAX];

	if (describe_trouble(s, "an open transaction on", partition, text)) {
		withdraw(s, text);
		return;
	}
	err_set(&s->item->err, RC_TIMEOUT, "%s: %s-%d is not stable at the source (%lld of %lld)", s->topic,
		s->wish.source_topic, partition, (long long)reading->source_stable[partition],
		(long long)reading->source_high[partition]);
	s->waits = true;
}

/* A mirror that has more than its source may have markers of the door: another who acts has sealed it meanwhile. A marker
 * is written only when that is recorded, so whoever reads the log behind the ends sees it. True: so it is, or it cannot be
 * seen; the next attempt looks again. */
static bool sealed_meanwhile(struct stopping *s)
{
	struct control_log *log = s->session->log;
	struct mirror_state state = { 0 };
	struct err err = { 0 };
	bool sealed = control_log_poll(log, 0, s->session->deadline_ns, NULL, &err) != OUTCOME_DONE ||
		      control_log_mirror_state(log, s->link, s->topic, &state, &err) != RC_OK || state.sealed;

	mirror_state_fini(&state);
	if (!sealed)
		return false;
	err_set(&s->item->err, RC_TIMEOUT, "%s: another is closing its door", s->topic);
	s->waits = true;
	return true;
}

static void ahead(struct stopping *s, const struct reading *reading, int32_t partition)
{
	struct err err = { 0 };

	if (sealed_meanwhile(s))
		return;
	err_set(&err, RC_DIVERGED, "%s-%d has %lld offsets, its source %lld: somebody else wrote to it, or the source lost "
		"records", s->topic, partition, (long long)reading->destination[partition],
		(long long)reading->source_high[partition]);
	stop_failed(s, OUTCOME_DIVERGED, &err);
}

static bool judge(struct stopping *s, const struct reading *reading)
{
	int32_t partition;
	int64_t lag;

	switch (reading_judge(reading, &partition, &lag)) {
	case READING_LEVEL:
		return true;
	case READING_OPEN:
		not_stable(s, reading, partition);
		return false;
	case READING_LAG:
		err_set(&s->item->err, RC_TIMEOUT, "%s: %lld offsets behind the source", s->topic, (long long)lag);
		s->waits = true;
		return false;
	case READING_AHEAD:
		break;
	}
	ahead(s, reading, partition);
	return false;
}

static bool was_level(const struct reading *before)
{
	int32_t partition;
	int64_t lag;

	return before != NULL && reading_judge(before, &partition, &lag) == READING_LEVEL;
}

/* Keeps the first of two level readings until one comes that is 2 s younger. True: it has come. */
static bool compare(struct stopping *s, struct reading *now)
{
	const struct reading *before = promote_reading(s->session, s->link, s->topic);
	int32_t moved = before == NULL ? -1 : reading_moved(before, now);
	char text[TROUBLE_MAX];
	bool level;

	if (moved >= 0) {
		describe_trouble(s, "a producer still writes to", moved, text);
		withdraw(s, text);
		return false;
	}
	level = judge(s, now);
	if (s->item->outcome != OUTCOME_DONE || s->item->at == STOP_WITHDRAWN)
		return false;
	if (level && was_level(before)) {
		if (now->at_ns - before->at_ns >= APART_MS * NS_PER_MS)
			return true;
	} else {
		promote_reading_keep(s->session, s->link, s->topic, now);
	}
	if (level)
		err_set(&s->item->err, RC_TIMEOUT, "%s: level with the source; looking again", s->topic);
	s->waits = true;
	return false;
}

/* By topic.config.sync.include; the default list, where the link's settings cannot be read. */
static json_t *followed(const struct stopping *s, const struct admin_configs *source)
{
	struct link_conf conf;
	struct err unused;
	const char *include = NULL;
	json_t *latest;

	if (session_link_conf(s->session, s->link, &conf, &unused) == RC_OK)
		include = props_get(&conf.props, "topic.config.sync.include");
	latest = config_latest(&s->wish, source, include);
	link_conf_fini(&conf);
	return latest;
}

/* What the source has now of what follows it. NULL: it does not tell; what was recorded stands. */
static json_t *latest_settings(struct stopping *s)
{
	struct admin_configs configs;
	struct cluster *source;
	struct err err = { 0 };
	struct arena arena;
	json_t *latest = NULL;

	arena_init(&arena, 0);
	if (session_source(s->session, s->link, s->session->deadline_ns, &source, &err) == OUTCOME_DONE &&
	    admin_describe_configs(source, s->wish.source_topic, s->session->deadline_ns, &arena, &configs, &err) == RC_OK)
		latest = followed(s, &configs);
	else
		notes_add(&s->session->notes, "%s: it gets the source's settings as they were last seen: %s", s->topic,
			  err.text);
	arena_fini(&arena);
	return latest;
}

void stop_drain(struct stopping *s)
{
	struct err err = { 0 };
	struct reading now;
	enum outcome outcome = reading_take(s->session, &s->wish, &now, &err);

	if (outcome != OUTCOME_DONE) {
		stop_failed(s, outcome, &err);
		return;
	}
	if (compare(s, &now)) {
		s->n_partitions = now.n;
		s->ends = now.source_stable;
		now.source_stable = NULL;
		s->latest_settings = latest_settings(s);
	}
	reading_fini(&now);
}

void stop_still_level(struct stopping *s)
{
	struct err err = { 0 };
	struct reading now;
	enum outcome outcome = reading_take(s->session, &s->wish, &now, &err);
	char text[TROUBLE_MAX] = "the source topic has got partitions";
	bool level = outcome == OUTCOME_DONE && (size_t)now.n == json_object_size(s->state.ends);

	for (int32_t i = 0; outcome == OUTCOME_DONE && level && i < now.n; i++) {
		char key[16];
		int64_t end;

		snprintf(key, sizeof(key), "%d", i);
		end = json_integer_value(json_object_get(s->state.ends, key));
		if (now.destination[i] > end) {
			err_set(&err, RC_DIVERGED, "%s-%d has %lld offsets instead of %lld: somebody else wrote to it",
				s->topic, i, (long long)now.destination[i], (long long)end);
			outcome = OUTCOME_DIVERGED;
		} else if (now.source_high[i] != end || now.source_stable[i] != end || now.destination[i] != end) {
			describe_trouble(s, "a producer still writes to", i, text);
			level = false;
		}
	}
	reading_fini(&now);
	if (outcome == OUTCOME_DIVERGED && sealed_meanwhile(s))
		return;
	if (outcome != OUTCOME_DONE)
		stop_failed(s, outcome, &err);
	else if (!level)
		withdraw(s, text);
}

/* --- before the wish ----------------------------------------------------------------------------------------- */

/* A partition that has stopped for good would never be level. */
static void check_partitions(struct stopping *s)
{
	struct err err = { 0 };

	for (int i = 0; i < s->state.n_partitions && stop_goes_on(s); i++) {
		const struct partition_state *part = &s->state.partitions[i];
		enum lane_reason reason = part->reason != NULL ? lane_reason_parse(part->reason) : REASON_NONE;
		bool diverged = reason == REASON_DIVERGED || reason == REASON_UNEXPECTED_TRUNCATION;

		if (strcmp(part->state, lane_state_name(LANE_FAILED)) != 0 || lane_reason_retries(reason))
			continue;
		err_set(&err, diverged ? RC_DIVERGED : RC_REFUSED, "%s-%d is FAILED: %s%s%s", s->topic, part->partition,
			part->reason != NULL ? part->reason : "", part->error != NULL ? ": " : "",
			part->error != NULL ? part->error : "");
		err_hint(&err, "krmirror-mirror(1) says what it means; `krmirror mirror resume %s --link %s` opens it anew",
			 s->topic, s->link);
		stop_failed(s, diverged ? OUTCOME_DIVERGED : OUTCOME_REFUSED, &err);
	}
}

static void check_source(struct stopping *s)
{
	struct err err = { 0 };
	struct reading now;
	enum outcome outcome = reading_take(s->session, &s->wish, &now, &err);
	enum reading_verdict verdict;
	char text[TROUBLE_MAX];
	int32_t partition;
	int64_t lag;

	if (outcome == OUTCOME_SOURCE_UNREACHABLE)
		err_hint(&err, "promote needs the source: check that it runs, and bootstrap.servers of link %s; "
			 "`krmirror failover` does without it, and loses what is not copied", s->link);
	if (outcome != OUTCOME_DONE) {
		stop_failed(s, outcome, &err);
		return;
	}
	verdict = reading_judge(&now, &partition, &lag);
	if (verdict == READING_AHEAD)
		ahead(s, &now, partition);
	if (verdict == READING_OPEN && describe_trouble(s, "an open transaction on", partition, text)) {
		err_set(&err, RC_REFUSED, "%s: %s", s->topic, text);
		err_hint(&err, "end it or wait for its timeout, then promote again");
		stop_failed(s, OUTCOME_REFUSED, &err);
	}
	reading_fini(&now);
}

void stop_check_promotion(struct stopping *s)
{
	if (stop_goes_on(s) && s->wish.created)
		check_partitions(s);
	if (stop_goes_on(s) && s->wish.created)
		check_source(s);
}
