/* SPDX-License-Identifier: Apache-2.0 */
#include "control/promote_read.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/verbs.h"

#include <string.h>

struct promote_reading {
	struct promote_reading *next;
	char *link, *topic;
	struct reading reading;      /* n 0: none */
	int64_t lease_from_ns;       /* 0: not begun */
};

/* --- taking -------------------------------------------------------------------------------------------------- */

void reading_fini(struct reading *reading)
{
	xfree(reading->source_stable);
	xfree(reading->source_high);
	xfree(reading->destination);
	*reading = (struct reading){ 0 };
}

static enum outcome changed(const char *what, const char *topic, const char *word, struct err *err)
{
	err_set(err, RC_DIVERGED, "%s: topic %s is another one than when the mirror was created (%s)", what, topic, word);
	return OUTCOME_DIVERGED;
}

static bool another(const struct uuid *recorded, const struct uuid *found)
{
	return !uuid_is_zero(recorded) && !uuid_is_zero(found) && !uuid_eq(recorded, found);
}

/* The topics must still be those that the mirror was created with. */
static enum outcome judge_topics(const struct mirror_wish *wish, const struct admin_topic *s,
				 const struct admin_topic *d, struct err *err)
{
	if (another(&wish->source_topic_id, &s->id))
		return changed("source", wish->source_topic, "SOURCE_TOPIC_ID_CHANGED", err);
	if (another(&wish->destination_topic_id, &d->id))
		return changed("destination", wish->topic, "DESTINATION_TOPIC_ID_CHANGED", err);
	if (s->n_partitions < d->n_partitions)
		return changed("source", wish->source_topic, "SOURCE_PARTITIONS_DECREASED", err);
	return OUTCOME_DONE;
}

static enum outcome describe(struct session *session, struct cluster *source, const struct mirror_wish *wish,
			     struct reading *reading, int32_t *n_destination, struct err *err)
{
	struct admin_topic s = { 0 }, d = { 0 };
	enum outcome outcome = OUTCOME_DONE;
	struct arena arena;

	arena_init(&arena, 0);
	if (admin_topic(source, wish->source_topic, session->deadline_ns, &arena, &s, err) != RC_OK) {
		outcome = outcome_of(err, SIDE_SOURCE);
		if (err->rc == RC_NOT_FOUND)
			err_hint(err, "promote compares with it, so it cannot be done any more; `krmirror failover %s --link %s` "
				 "makes the mirror topic writable as it is", wish->topic, wish->link);
	} else if (admin_topic(session->destination, wish->topic, session->deadline_ns, &arena, &d, err) != RC_OK) {
		outcome = outcome_of(err, SIDE_DESTINATION);
		if (err->rc == RC_NOT_FOUND)
			err_hint(err, "somebody has deleted the mirror topic: there is nothing to promote; "
				 "`krmirror failover %s --link %s` ends the mirror", wish->topic, wish->link);
	} else {
		outcome = judge_topics(wish, &s, &d, err);
	}
	/* Partitions that the source got and the destination has not: lag that is not copied yet. */
	reading->n = MAX(s.n_partitions, d.n_partitions);
	*n_destination = d.n_partitions;
	arena_fini(&arena);
	return outcome;
}

/* The destination first, the stable offset next, the high watermark last: what moves meanwhile shows as lag. */
static enum outcome ask_ends(struct session *session, struct cluster *source, const struct mirror_wish *wish,
			     struct reading *reading, int32_t n_destination, struct err *err)
{
	struct ends_of end = { wish->topic, n_destination, ADMIN_LATEST, ADMIN_LOG_END, 0 };
	struct ends_of stable = { wish->source_topic, reading->n, ADMIN_LATEST, ADMIN_CONSUMER, 1 }, high = stable;
	size_t n = (size_t)reading->n;

	high.isolation = 0;
	reading->source_stable = xcalloc(n, sizeof(int64_t));
	reading->source_high = xcalloc(n, sizeof(int64_t));
	reading->destination = xcalloc(n, sizeof(int64_t));
	if (topic_ends(session->destination, &end, session->deadline_ns, reading->destination, err) != RC_OK)
		return outcome_of(err, SIDE_DESTINATION);
	if (topic_ends(source, &stable, session->deadline_ns, reading->source_stable, err) != RC_OK ||
	    topic_ends(source, &high, session->deadline_ns, reading->source_high, err) != RC_OK)
		return outcome_of(err, SIDE_SOURCE);
	reading->at_ns = clock_mono_ns();
	return OUTCOME_DONE;
}

enum outcome reading_take(struct session *session, const struct mirror_wish *wish, struct reading *reading,
			  struct err *err)
{
	struct cluster *source;
	int32_t n_destination;
	enum outcome outcome = session_source(session, wish->link, session->deadline_ns, &source, err);

	*reading = (struct reading){ 0 };
	if (outcome != OUTCOME_DONE)
		return outcome;
	/* Tracked, so that what is described is known for the questions that follow. */
	cluster_track(source, wish->source_topic);
	cluster_track(session->destination, wish->topic);
	outcome = describe(session, source, wish, reading, &n_destination, err);
	if (outcome == OUTCOME_DONE)
		outcome = ask_ends(session, source, wish, reading, n_destination, err);
	cluster_untrack(source, wish->source_topic);
	cluster_untrack(session->destination, wish->topic);
	if (outcome != OUTCOME_DONE)
		reading_fini(reading);
	return outcome;
}

/* --- judging ------------------------------------------------------------------------------------------------- */

enum reading_verdict reading_judge(const struct reading *reading, int32_t *partition, int64_t *lag)
{
	int32_t open = -1, behind = -1, ahead = -1;

	*lag = 0;
	for (int32_t i = 0; i < reading->n; i++) {
		int64_t d = reading->source_stable[i] - reading->destination[i];

		if (reading->source_stable[i] < reading->source_high[i] && open < 0)
			open = i;
		if (d > 0 && behind < 0)
			behind = i;
		if (d < 0 && reading->source_high[i] < reading->destination[i] && ahead < 0)
			ahead = i;
		*lag += MAX(d, 0);
	}
	*partition = ahead >= 0 ? ahead : open >= 0 ? open : behind;
	return ahead >= 0 ? READING_AHEAD : open >= 0 ? READING_OPEN : behind >= 0 ? READING_LAG : READING_LEVEL;
}

int32_t reading_moved(const struct reading *before, const struct reading *after)
{
	if (before->n != after->n)
		return MIN(before->n, after->n);
	for (int32_t i = 0; i < after->n; i++)
		if (before->source_high[i] != after->source_high[i])
			return i;
	return -1;
}

/* --- between attempts ---------------------------------------------------------------------------------------- */

static struct promote_reading **slot(const struct session *session, const char *link, const char *topic)
{
	struct promote_reading **at = (struct promote_reading **)(uintptr_t)&session->readings_;

	while (*at != NULL && (strcmp((*at)->link, link) != 0 || strcmp((*at)->topic, topic) != 0))
		at = &(*at)->next;
	return at;
}

const struct reading *promote_reading(const struct session *session, const char *link, const char *topic)
{
	const struct promote_reading *r = *slot(session, link, topic);

	return r == NULL || r->reading.n == 0 ? NULL : &r->reading;
}

void promote_reading_drop(struct session *session, const char *link, const char *topic)
{
	struct promote_reading **at = slot(session, link, topic), *r = *at;

	if (r == NULL)
		return;
	*at = r->next;
	reading_fini(&r->reading);
	xfree(r->link);
	xfree(r->topic);
	xfree(r);
}

static struct promote_reading *have(struct session *session, const char *link, const char *topic)
{
	struct promote_reading *r = *slot(session, link, topic);

	if (r != NULL)
		return r;
	r = xcalloc(1, sizeof(*r));
	r->link = xstrdup(link);
	r->topic = xstrdup(topic);
	r->next = session->readings_;
	session->readings_ = r;
	return r;
}

void promote_reading_keep(struct session *session, const char *link, const char *topic, struct reading *reading)
{
	struct promote_reading *r = have(session, link, topic);

	reading_fini(&r->reading);
	r->reading = *reading;
	*reading = (struct reading){ 0 };
}

int64_t promote_lease_from(struct session *session, const char *link, const char *topic)
{
	struct promote_reading *r = have(session, link, topic);

	if (r->lease_from_ns == 0)
		r->lease_from_ns = clock_mono_ns();
	return r->lease_from_ns;
}

void promote_readings_free(struct session *session)
{
	while (session->readings_ != NULL)
		promote_reading_drop(session, session->readings_->link, session->readings_->topic);
}

/* --- names --------------------------------------------------------------------------------------------------- */

/* A partition of the source. */
struct reading_where {
	const char *topic;
	int32_t partition;
	int64_t deadline_ns;
};

/* The one with an open transaction, else the one that wrote last. */
static const struct admin_producer *suspect(const struct admin_producers *producers)
{
	const struct admin_producer *found = NULL;

	for (int i = 0; i < producers->n; i++) {
		const struct admin_producer *p = &producers->items[i];

		if (found == NULL || (p->transaction_start >= 0 && found->transaction_start < 0) ||
		    ((p->transaction_start >= 0) == (found->transaction_start >= 0) &&
		     p->last_timestamp > found->last_timestamp))
			found = p;
	}
	return found;
}

/* With the line of Kafka's own tool that ends it. */
static void name_transaction(struct cluster *source, const struct reading_where *at, const struct admin_producer *p,
			     char text[PRODUCER_TEXT_MAX])
{
	const struct cluster_opts *opts = cluster_options(source);
	char id[128], named[160] = "", server[300] = "HOST:PORT";

	admin_transactional_id(source, p->producer_id, at->deadline_ns, id, sizeof(id));
	if (id[0] != '\0')
		snprintf(named, sizeof(named), ", transactional id %s", id);
	if (opts->n_bootstrap > 0)
		snprintf(server, sizeof(server), "%s:%u", opts->bootstrap[0].host, opts->bootstrap[0].port);
	snprintf(text, PRODUCER_TEXT_MAX, "producer id %lld (epoch %d)%s, transaction open since offset %lld, "
		 "last record %lld s ago; it ends by itself, or by: kafka-transactions.sh "
		 "--bootstrap-server %s abort --topic %s --partition %d --start-offset %lld", (long long)p->producer_id,
		 p->epoch, named, (long long)p->transaction_start,
		 (long long)MAX(clock_wall_ms() - p->last_timestamp, 0) / 1000,
		 server, at->topic, at->partition,
		 (long long)p->transaction_start);
}

bool reading_name_producer(struct cluster *source, const char *topic, int32_t partition, int64_t deadline_ns,
			   char text[PRODUCER_TEXT_MAX])
{
	struct reading_where at = { topic, partition, deadline_ns };
	struct admin_producers producers;
	const struct admin_producer *p;
	struct arena arena;
	bool open = false;
	struct err err;

	text[0] = '\0';
	arena_init(&arena, 0);
	if (admin_describe_producers(source, topic, partition, deadline_ns, &arena, &producers, &err) == RC_OK) {
		p = suspect(&producers);
		open = p != NULL && p->transaction_start >= 0;
		if (open)
			name_transaction(source, &at, p, text);
		else if (p != NULL)
			snprintf(text, PRODUCER_TEXT_MAX, "producer id %lld (epoch %d), last record %lld s ago",
				 (long long)p->producer_id, p->epoch,
				 (long long)MAX(clock_wall_ms() - p->last_timestamp, 0) / 1000);
	}
	arena_fini(&arena);
	return open;
}
