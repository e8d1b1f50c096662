/* SPDX-License-Identifier: Apache-2.0 */
/* mirror create --adopt: an existing log is taken over where it is a proven prefix of the source's.
 *
 * Happy path: the destination's log ends stand still and are durable, no transaction is open there; each is at or below
 * the source's last stable offset; what stands between the later log start and the end is equal, record by record; then
 * the guard is set, and two seconds after the first look nothing has been written.
 *
 * What is provable: the range that both sides still have. What the destination has lost to its own retention is not
 * filled again, and a note says so. What only the destination has, below the source's log start, is deleted like in any
 * mirror, whose log start follows the source's: that must be allowed (--yes). Nothing in common: refused.
 *
 * Two mirrors of each other would both wait for ever: where the source topic is itself a mirror of this topic, by the
 * source's own control log, it is refused; one that is stopped there is what failback begins with.
 *
 * Failure modes: whatever is written meanwhile shows in the ends; run again after any step begins anew. */
#include "control/mirror_adopt.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/guard.h"
#include "control/promote_read.h"
#include "control/source_log.h"
#include "control/verbs.h"
#include "mirror/mirror.h"
#include "wire/msg/kerr_codes.h"

#include <stdlib.h>
#include <string.h>

enum { APART_MS = 2000, LOOK_AGAIN_MS = 200, QUIET_MS = 5000, SOURCE_TOPIC = 1 };

/* One partition as it was looked at; ends: log end, high watermark, last stable offset. */
struct adopt_part {
	int64_t start, end, high, stable;
	int64_t source_start, source_high, source_stable;
	int16_t epoch;               /* of the data id; 0: not known, or no door was closed */
};

static enum outcome refuse(struct err *err, const char *hint)
{
	err_hint(err, "%s", hint);
	return OUTCOME_REFUSED;
}

/* --- looking ------------------------------------------------------------------------------------------------- */

struct look {
	int64_t timestamp;
	int32_t replica_id;
	int8_t isolation;
	size_t into;                 /* where in struct adopt_part */
};

static enum outcome ask(struct adoption *a, enum side side, const struct look *look, struct err *err)
{
	struct cluster *cluster = side == SIDE_SOURCE ? a->source : a->session->destination;
	const char *topic = side == SIDE_SOURCE ? a->source_topic : a->topic;
	struct ends_of what = { topic, a->n_source, look->timestamp, look->replica_id, look->isolation };
	int64_t *offsets = arena_new(a->arena, int64_t, a->n_source);

	if (topic_ends(cluster, &what, a->session->deadline_ns, offsets, err) != RC_OK)
		return outcome_of(err, side);
	for (int32_t i = 0; i < a->n_source; i++)
		memcpy((char *)&a->parts_[i] + look->into, &offsets[i], sizeof(offsets[i]));
	return OUTCOME_DONE;
}

/* The log end last: an append between the questions shows as an end above the others. */
static enum outcome look_destination(struct adoption *a, struct err *err)
{
	static const struct look looks[] = {
		{ ADMIN_EARLIEST, ADMIN_CONSUMER, 0, offsetof(struct adopt_part, start) },
		{ ADMIN_LATEST, ADMIN_CONSUMER, 1, offsetof(struct adopt_part, stable) },
		{ ADMIN_LATEST, ADMIN_CONSUMER, 0, offsetof(struct adopt_part, high) },
		{ ADMIN_LATEST, ADMIN_LOG_END, 0, offsetof(struct adopt_part, end) },
	};
	enum outcome outcome = OUTCOME_DONE;

	for (size_t i = 0; i < ARRAY_LEN(looks) && outcome == OUTCOME_DONE; i++)
		outcome = ask(a, SIDE_DESTINATION, &looks[i], err);
	return outcome;
}

static enum outcome look_source(struct adoption *a, struct err *err)
{
	static const struct look looks[] = {
		{ ADMIN_EARLIEST, ADMIN_CONSUMER, 0, offsetof(struct adopt_part, source_start) },
		{ ADMIN_LATEST, ADMIN_CONSUMER, 1, offsetof(struct adopt_part, source_stable) },
		{ ADMIN_LATEST, ADMIN_CONSUMER, 0, offsetof(struct adopt_part, source_high) },
	};
	enum outcome outcome = OUTCOME_DONE;

	for (size_t i = 0; i < ARRAY_LEN(looks) && outcome == OUTCOME_DONE; i++)
		outcome = ask(a, SIDE_SOURCE, &looks[i], err);
	return outcome;
}

/* An open transaction, or replicas that are behind. The latter passes. */
static int32_t unsettled(const struct adoption *a)
{
	for (int32_t i = 0; i < a->n_source; i++)
		if (a->parts_[i].stable != a->parts_[i].end || a->parts_[i].high != a->parts_[i].end)
			return i;
	return -1;
}

static enum outcome look_settled(struct adoption *a, struct err *err)
{
	int64_t until = MIN(clock_mono_ns() + QUIET_MS * NS_PER_MS, a->session->deadline_ns);
	enum outcome outcome = look_destination(a, err);
	const struct adopt_part *p;
	char who[PRODUCER_TEXT_MAX];
	bool open;
	int32_t i;

	while (outcome == OUTCOME_DONE && (i = unsettled(a)) >= 0) {
		p = &a->parts_[i];
		if (clock_mono_ns() < until) {
			loop_wait_until(a->session->loop, clock_mono_ns() + LOOK_AGAIN_MS * NS_PER_MS);
			outcome = look_destination(a, err);
			continue;
		}
		open = reading_name_producer(a->session->destination, a->topic, i, a->session->deadline_ns, who);
		err_set(err, RC_REFUSED, "%s-%d: %s (log end %lld, high watermark %lld, last stable offset %lld)%s%s", a->topic,
			i, open ? "a transaction is open" : "somebody writes to it", (long long)p->end,
			(long long)p->high, (long long)p->stable, who[0] != '\0' ? ": " : "", who);
		return refuse(err, "stop what writes to the topic and end its transactions, then run it again");
	}
	return outcome;
}

/* Where a door was closed for a mirror of this name, its epoch is the one to go on with (DESIGN 3). */
static enum outcome look_producers(struct adoption *a, struct err *err)
{
	for (int32_t i = 0; i < a->n_source; i++) {
		int64_t id = mirror_data_id(a->link, a->topic, i);
		const struct admin_producer *own;
		struct admin_producers producers;

		if (admin_describe_producers(a->session->destination, a->topic, i, a->session->deadline_ns, a->arena,
					     &producers, err) != RC_OK)
			return outcome_of(err, SIDE_DESTINATION);
		own = admin_producer_find(&producers, id);
		a->parts_[i].epoch = own != NULL && own->epoch > 0 ? (int16_t)MIN(own->epoch, INT16_MAX) : 0;
	}
	return OUTCOME_DONE;
}

/* --- judging ------------------------------------------------------------------------------------------------- */

static enum outcome nothing_common(const struct adoption *a, int32_t i, struct err *err)
{
	const struct adopt_part *p = &a->parts_[i];

	err_set(err, RC_REFUSED, "%s-%d ends at offset %lld, and the source begins at %lld: nothing can be compared",
		a->topic, i, (long long)p->end, (long long)p->source_start);
	return refuse(err, "delete the topic if nobody needs it, and `krmirror mirror create` without --adopt fills it anew");
}

/* Records that only the destination has, and that following the source's log start will delete. */
static enum outcome older(const struct adoption *a, int32_t i, struct err *err)
{
	const struct adopt_part *p = &a->parts_[i];

	if (a->opts->yes) {
		notes_add(&a->session->notes, "%s-%d: offsets %lld to %lld cannot be compared, the source has them no "
			  "more; they are deleted when the mirror follows the source's log start", a->topic, i,
			  (long long)p->start, (long long)p->source_start - 1);
		return OUTCOME_DONE;
	}
	err_set(err, RC_REFUSED, "%s-%d begins at offset %lld, the source at %lld: what is below cannot be compared, and a "
		"mirror's log start follows the source's", a->topic, i, (long long)p->start, (long long)p->source_start);
	return refuse(err, "--yes lets these records be deleted; kafka-console-consumer can save them before");
}

static enum outcome judge_part(struct adoption *a, int32_t i, struct err *err)
{
	const struct adopt_part *p = &a->parts_[i];

	if (p->end < p->source_start)
		return nothing_common(a, i, err);
	if (p->end > p->source_stable && p->end <= p->source_high) {
		err_set(err, RC_REFUSED, "%s-%d ends at offset %lld; at the source a transaction is open since %lld", a->topic,
			i, (long long)p->end, (long long)p->source_stable);
		return refuse(err, "end it or wait for its timeout, then run it again");
	}
	if (p->start > p->source_start)
		notes_add(&a->session->notes, "%s-%d begins at offset %lld, the source at %lld: what is between is not "
			  "filled again", a->topic, i, (long long)p->start, (long long)p->source_start);
	return p->start < p->source_start ? older(a, i, err) : OUTCOME_DONE;
}

static enum outcome diverged(const struct adoption *a, struct err *err)
{
	err_hint(err, "`krmirror topic diff %s --link %s --export FILE` saves what only one side has; then delete the topic and "
		 "run `krmirror mirror create` without --adopt: it is made and filled anew", a->topic, a->link);
	return OUTCOME_DIVERGED;
}

/* What is equal up to the source's end, but longer. */
static enum outcome judge_ends(const struct adoption *a, struct err *err)
{
	for (int32_t i = 0; i < a->n_source; i++) {
		const struct adopt_part *p = &a->parts_[i];

		if (p->end <= p->source_high)
			continue;
		err_set(err, RC_DIVERGED, "%s-%d goes on to offset %lld, the source ends at offset %lld: %lld offsets were never "
			"the source's", a->topic, i, (long long)p->end, (long long)p->source_high,
			(long long)(p->end - p->source_high));
		return diverged(a, err);
	}
	return OUTCOME_DONE;
}

/* --- both topics --------------------------------------------------------------------------------------------- */

static enum outcome judge_topic(struct adoption *a, const struct admin_topic *topic, struct err *err)
{
	if (topic->internal || strcmp(a->topic, a->session->conf->control_topic) == 0) {
		err_set(err, RC_REFUSED, "destination: %s is no topic to mirror into", a->topic);
		return OUTCOME_REFUSED;
	}
	if (topic->n_partitions == a->n_source)
		return OUTCOME_DONE;
	err_set(err, RC_REFUSED, "destination: %s has %d partitions, its source %d", a->topic, topic->n_partitions,
		a->n_source);
	if (topic->n_partitions > a->n_source)
		return refuse(err, "it cannot be a copy: delete it, or mirror into a topic of another name");
	err_hint(err, "kafka-topics --bootstrap-server ... --alter --topic %s --partitions %d gives it as many", a->topic,
		 a->n_source);
	return OUTCOME_REFUSED;
}

static enum outcome look_topic(struct adoption *a, struct err *err)
{
	struct admin_topic topic;
	int rc = admin_topic(a->session->destination, a->topic, a->session->deadline_ns, a->arena, &topic, err);

	if (rc == RC_NOT_FOUND) {
		err_set(err, RC_REFUSED, "destination: there is no topic %s to adopt", a->topic);
		return refuse(err, "without --adopt krmirror makes it");
	}
	if (rc != RC_OK)
		return outcome_of(err, SIDE_DESTINATION);
	if (!uuid_is_zero(&a->destination_id) && !uuid_eq(&a->destination_id, &topic.id)) {
		err_set(err, RC_REFUSED, "destination: topic %s was deleted and made again meanwhile", a->topic);
		return OUTCOME_REFUSED;
	}
	a->destination_id = topic.id;
	return judge_topic(a, &topic, err);
}

/* Read behind both topics, as for auto-create: whoever makes a mirror records it first. */
static enum outcome look_for_loop(const struct adoption *a, struct err *err)
{
	json_t *mirrors, *mirror;
	enum outcome outcome = source_log_mirrors(a->session, a->source, a->session->deadline_ns, &mirrors, err);

	if (outcome == OUTCOME_AUTH && err->kafka != 0) {
		notes_add(&a->session->notes, "whether %s is a mirror of this cluster is not known: the source's control log may "
			  "not be read; " SOURCE_LOG_RIGHT, a->source_topic);
		return OUTCOME_DONE;
	}
	if (outcome != OUTCOME_DONE)
		return outcome;
	mirror = json_object_get(mirrors, a->source_topic);
	if (mirror != NULL && !json_is_true(json_object_get(mirror, "stopped")) &&
	    text_eq(json_string_value(json_object_get(mirror, "source_cluster")), cluster_id(a->session->destination)) &&
	    text_eq(json_string_value(json_object_get(mirror, "source_topic")), a->topic)) {
		err_set(err, RC_REFUSED, "source: %s is itself a mirror of %s of this cluster, by link %s there: each would wait "
			"for the other", a->source_topic, a->topic, json_string_value(json_object_get(mirror, "link")));
		outcome = refuse(err, "promote or fail over that one first: krmirror-failback(7)");
	}
	json_decref(mirrors);
	return outcome;
}

/* What the topic sets itself of what it will get; compaction on either side. */
static enum outcome look_settings(struct adoption *a, const json_t *settings, struct adopt_question *q, struct err *err)
{
	struct admin_configs own, source;
	const struct admin_config *c;
	const char *key;
	json_t *value;

	if (admin_describe_configs(a->session->destination, a->topic, a->session->deadline_ns, a->arena, &own, err) != RC_OK)
		return outcome_of(err, SIDE_DESTINATION);
	if (admin_describe_configs(a->source, a->source_topic, a->session->deadline_ns, a->arena, &source, err) != RC_OK)
		return outcome_of(err, SIDE_SOURCE);
	a->own_settings = json_object();
	json_object_foreach((json_t *)(uintptr_t)settings, key, value) {
		(void)value;
		c = admin_config_find(&own, key);
		CHECK(json_object_set_new(a->own_settings, key, c != NULL && c->source == SOURCE_TOPIC && c->value != NULL ?
					  json_string(c->value) : json_null()) == 0);
	}
	for (int side = 0; side < 2; side++) {
		c = admin_config_find(side == 0 ? &source : &own, "cleanup.policy");
		q->compacted = q->compacted || (c != NULL && c->value != NULL && strstr(c->value, "compact") != NULL);
	}
	c = admin_config_find(&source, "delete.retention.ms");
	q->expired_before_ms = clock_wall_ms() - (c != NULL && c->value != NULL ? strtoll(c->value, NULL, 10) : 0);
	return OUTCOME_DONE;
}

static enum outcome compare(struct adoption *a, struct adopt_question *q, struct err *err)
{
	enum outcome outcome;

	q->source = a->source;
	q->source_topic = a->source_topic;
	q->topic = a->topic;
	q->n = a->n_source;
	q->ranges = arena_new(a->arena, struct adopt_range, a->n_source);
	for (int32_t i = 0; i < a->n_source; i++) {
		const struct adopt_part *p = &a->parts_[i];

		q->ranges[i] = (struct adopt_range){
			.start = { p->source_start, p->start }, .end = { p->source_stable, p->end },
			.from = MAX(p->start, p->source_start), .to = MIN(p->end, p->source_stable),
		};
	}
	outcome = a->opts->prove(a->opts->owner, q, err);
	return outcome == OUTCOME_DIVERGED ? diverged(a, err) : outcome;
}

static void result(struct adoption *a)
{
	char name[16];

	a->adopted_end = json_object();
	for (int32_t i = 0; i < a->n_source; i++) {
		snprintf(name, sizeof(name), "%d", i);
		CHECK(json_object_set_new(a->adopted_end, name, json_integer(a->parts_[i].end)) == 0);
		if (a->parts_[i].epoch == 0)
			continue;
		if (a->producer_epochs == NULL)
			a->producer_epochs = json_object();
		CHECK(json_object_set_new(a->producer_epochs, name, json_integer(a->parts_[i].epoch)) == 0);
	}
}

enum outcome adopt_prove(struct adoption *a, const json_t *settings, struct err *err)
{
	struct adopt_question question = { 0 };
	enum outcome outcome = look_topic(a, err);

	a->parts_ = arena_new(a->arena, struct adopt_part, a->n_source);
	if (outcome == OUTCOME_DONE)
		outcome = look_for_loop(a, err);
	if (outcome == OUTCOME_DONE)
		outcome = look_settings(a, settings, &question, err);
	if (outcome == OUTCOME_DONE)
		outcome = look_settled(a, err);
	if (outcome == OUTCOME_DONE)
		outcome = look_source(a, err);
	a->looked_ns_ = clock_mono_ns();
	for (int32_t i = 0; i < a->n_source && outcome == OUTCOME_DONE; i++)
		outcome = judge_part(a, i, err);
	if (outcome == OUTCOME_DONE)
		outcome = compare(a, &question, err);
	if (outcome == OUTCOME_DONE)
		outcome = judge_ends(a, err);
	if (outcome == OUTCOME_DONE)
		outcome = look_producers(a, err);
	if (outcome == OUTCOME_DONE)
		result(a);
	return outcome;
}

enum outcome adopt_still(struct adoption *a, struct err *err)
{
	struct adopt_part *before = a->parts_;
	enum outcome outcome;
	char who[PRODUCER_TEXT_MAX];

	loop_wait_until(a->session->loop, MIN(a->looked_ns_ + APART_MS * NS_PER_MS, a->session->deadline_ns));
	outcome = look_topic(a, err);
	a->parts_ = arena_new(a->arena, struct adopt_part, a->n_source);
	if (outcome == OUTCOME_DONE)
		outcome = look_destination(a, err);
	for (int32_t i = 0; i < a->n_source && outcome == OUTCOME_DONE; i++) {
		const struct adopt_part *p = &a->parts_[i];

		if (p->end == before[i].end && p->high == p->end && p->stable == p->end)
			continue;
		reading_name_producer(a->session->destination, a->topic, i, a->session->deadline_ns, who);
		err_set(err, RC_REFUSED, "destination: somebody writes to %s-%d (from offset %lld to %lld)%s%s", a->topic, i,
			(long long)before[i].end, (long long)p->end, who[0] != '\0' ? ": " : "", who);
		outcome = refuse(err, "stop what writes to the topic on the destination, then run it again");
	}
	a->parts_ = before;
	return outcome;
}

/* --- settings ------------------------------------------------------------------------------------------------- */

static int alter(struct session *session, const char *topic, const json_t *settings, struct err *err)
{
	size_t n = json_object_size(settings), i = 0;
	struct admin_setting *list = xcalloc(n + 1, sizeof(*list));
	const char *key;
	json_t *value;
	int rc;

	json_object_foreach((json_t *)(uintptr_t)settings, key, value)
		list[i++] = (struct admin_setting){ key, json_string_value(value) };
	rc = admin_alter_configs(session->destination, topic, list, (int)n, session->deadline_ns, err);
	xfree(list);
	return rc;
}

enum outcome adopt_settings(struct adoption *a, const json_t *settings, struct err *err)
{
	return alter(a->session, a->topic, settings, err) == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

enum outcome adopt_undo(struct session *session, const struct mirror_wish *wish, struct err *err)
{
	int rc = wish->own_settings != NULL ? alter(session, wish->topic, wish->own_settings, err) : RC_OK;

	/* The topic is gone: there is nothing to give back. */
	if (rc == RC_NOT_FOUND || (rc == RC_KAFKA && err->kafka == KERR_UNKNOWN_TOPIC_OR_PARTITION))
		rc = RC_OK;
	return rc == RC_OK ? guard_lift(session, wish, err) : outcome_of(err, SIDE_DESTINATION);
}

void adopt_fini(struct adoption *a)
{
	json_decref(a->adopted_end);
	json_decref(a->producer_epochs);
	json_decref(a->own_settings);
	a->adopted_end = a->producer_epochs = a->own_settings = NULL;
}
