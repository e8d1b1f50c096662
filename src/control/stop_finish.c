/* SPDX-License-Identifier: Apache-2.0 */
/* The end of promotions and failovers: the door, what is durable, seeds that were cut short, groups, settings and ACLs, and
 * STOPPED. Each step is one request for all mirrors (to each broker), and may be done again.
 *
 * Failure modes:
 *  - a mirror that cannot get on is left out of the steps that follow; the next attempt takes it up again;
 *  - two that act at once, or one that was paused and goes on when the other is done: what a seeding
 *    left is deleted up to the end that the first of them recorded, so never what a client has written since, and the log
 *    is looked at again before settings and ACLs, which may have been changed since. What it had sent before is the same
 *    as the other's;
 *  - the destination's topic is gone, or another has its name: a failover has nothing to close, and says so. */
#include "control/stop_priv.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/group_sync.h"
#include "control/guard.h"
#include "control/verbs.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

#include <string.h>

enum { DURABLE_PAUSE_MS = 50, GONE_MS = 3000, GONE_PAUSE_MS = 500 };

/* --- what the topics are -------------------------------------------------------------------------------------- */

static bool another(const struct uuid *recorded, const struct uuid *found)
{
	return !uuid_is_zero(recorded) && !uuid_is_zero(found) && !uuid_eq(recorded, found);
}

static void take_topic(struct stopping *s, const struct admin_topic *topic)
{
	struct err err = { 0 };

	s->n_partitions = topic->n_partitions;
	s->gone = topic->error == KERR_UNKNOWN_TOPIC_OR_PARTITION ||
		  (topic->error == 0 && another(&s->wish.destination_topic_id, &topic->id));
	if (s->gone && s->wish.wish == WISH_FAILOVER) {
		notes_add(&s->session->notes, "%s: the topic %s: nothing of it was changed", s->topic,
			  topic->error == 0 ? "is another one than when the mirror was created" : "does not exist any more");
		return;
	}
	if (topic->error == KERR_UNKNOWN_TOPIC_OR_PARTITION)
		err_set(&err, RC_NOT_FOUND, "destination: topic %s does not exist", s->topic);
	else if (topic->error != 0)
		err_set(&err, topic->error == KERR_TOPIC_AUTHORIZATION_FAILED ? RC_AUTH : RC_TIMEOUT,
			"destination: cannot describe topic %s: %s", s->topic, kerr_name(topic->error));
	if (topic->error == KERR_TOPIC_AUTHORIZATION_FAILED)
		err_hint(&err, "grant DESCRIBE on Topic %s to krmirror's principal on the destination cluster", s->topic);
	if (topic->error != 0)
		stop_failed(s, outcome_of(&err, SIDE_DESTINATION), &err);
}

static bool any_unknown(const struct admin_topic *topics, int n)
{
	for (int i = 0; i < n; i++)
		if (topics[i].error == KERR_UNKNOWN_TOPIC_OR_PARTITION)
			return true;
	return false;
}

/* A broker that has just started may not know a topic yet, so that is asked for a while. */
void stop_describe(const struct stop_run *run, struct stopping *const *some, int n)
{
	const char **names = xcalloc((size_t)n + 1, sizeof(const char *));
	int64_t until = MIN(clock_mono_ns() + GONE_MS * NS_PER_MS, run->session->deadline_ns);
	struct admin_topic *topics = NULL;
	struct arena arena;
	struct err err;
	int rc = RC_OK;

	arena_init(&arena, 0);
	for (int i = 0; i < n; i++)
		names[i] = some[i]->topic;
	while (n > 0) {
		rc = admin_topics(run->session->destination, names, n, run->session->deadline_ns, &arena, &topics, &err);
		if (rc != RC_OK || !any_unknown(topics, n) || clock_mono_ns() >= until)
			break;
		loop_wait_until(run->session->loop, clock_mono_ns() + GONE_PAUSE_MS * NS_PER_MS);
	}
	for (int i = 0; i < n && rc == RC_OK; i++)
		if (stop_goes_on(some[i]))
			take_topic(some[i], &topics[i]);
	if (rc != RC_OK)
		stop_all_failed(some, n, outcome_of(&err, SIDE_DESTINATION), &err);
	arena_fini(&arena);
	xfree(names);
}

/* --- ends ----------------------------------------------------------------------------------------------------- */

/* One question for all partitions of all; what is not answered is -1. */
static void ask_offsets(struct session *session, struct stopping *const *some, int n, bool highs, struct err *err)
{
	struct admin_offsets all = { .timestamp = ADMIN_LATEST, .replica_id = highs ? ADMIN_CONSUMER : ADMIN_LOG_END };
	int at = 0;

	for (int i = 0; i < n; i++)
		all.n += some[i]->n_partitions;
	all.items = xcalloc((size_t)all.n + 1, sizeof(*all.items));
	for (int i = 0; i < n; i++)
		for (int32_t p = 0; p < some[i]->n_partitions; p++, at++) {
			all.items[at].topic = some[i]->topic;
			all.items[at].partition = p;
		}
	if (all.n > 0)
		(void)!admin_list_offsets(session->destination, &all, stop_soon(session), err);
	at = 0;
	for (int i = 0; i < n; i++) {
		int64_t **field = highs ? &some[i]->highs : &some[i]->ends;

		xfree(*field);
		*field = xcalloc((size_t)some[i]->n_partitions + 1, sizeof(int64_t));
		for (int32_t p = 0; p < some[i]->n_partitions; p++, at++)
			(*field)[p] = all.items[at].error == 0 ? all.items[at].offset : -1;
	}
	xfree(all.items);
}

static bool all_known(const int64_t *offsets, int32_t n)
{
	for (int32_t p = 0; p < n; p++)
		if (offsets[p] < 0)
			return false;
	return true;
}

/* Those that are gone have no partitions to be asked for. */
static int without_gone(struct stopping *const *some, int n, struct stopping **kept)
{
	int m = 0;

	for (int i = 0; i < n; i++)
		if (stop_goes_on(some[i]) && !some[i]->gone)
			kept[m++] = some[i];
	return m;
}

void stop_ask_ends(struct session *session, struct stopping *const *some, int n, bool highs)
{
	struct stopping **kept = xcalloc((size_t)n + 1, sizeof(struct stopping *));
	int m = without_gone(some, n, kept);
	struct err err = { 0 };

	err_set(&err, RC_TIMEOUT, "destination: the log ends could not be read in time");
	ask_offsets(session, kept, m, false, &err);
	if (highs)
		ask_offsets(session, kept, m, true, &err);
	for (int i = 0; i < m; i++)
		if (!all_known(kept[i]->ends, kept[i]->n_partitions) ||
		    (highs && !all_known(kept[i]->highs, kept[i]->n_partitions)))
			stop_failed(kept[i], outcome_of(&err, SIDE_DESTINATION), &err);
	xfree(kept);
}

static bool durable(const struct stopping *s)
{
	return s->ends != NULL && s->highs != NULL &&
	       memcmp(s->ends, s->highs, (size_t)s->n_partitions * sizeof(*s->ends)) == 0;
}

/* What is reported as writable is durable: end and high watermark are the same. */
static void wait_durable(struct session *session, struct stopping *const *some, int n)
{
	struct stopping **open = xcalloc((size_t)n + 1, sizeof(struct stopping *));
	int64_t until = stop_soon(session);
	int m = without_gone(some, n, open);

	for (;;) {
		int left = 0;

		stop_ask_ends(session, open, m, true);
		for (int i = 0; i < m; i++)
			if (stop_goes_on(open[i]) && !durable(open[i]))
				open[left++] = open[i];
		m = left;
		if (m == 0 || clock_mono_ns() >= until)
			break;
		loop_wait_until(session->loop, clock_mono_ns() + DURABLE_PAUSE_MS * NS_PER_MS);
	}
	for (int i = 0; i < m; i++) {
		struct err err = { 0 };

		err_set(&err, RC_TIMEOUT, "%s: the replicas of the destination have not caught up yet", open[i]->topic);
		stop_failed(open[i], OUTCOME_TIMED_OUT, &err);
	}
	xfree(open);
}

/* --- the door ------------------------------------------------------------------------------------------------- */

static bool without_door(const struct stopping *s)
{
	return s->state.sealed && s->state.door == NULL && !s->gone;
}

static bool being_seeded(const struct stopping *s)
{
	for (int i = 0; i < s->state.n_partitions; i++)
		if (s->state.partitions[i].seed_to >= 0)
			return true;
	return false;
}

static void ask_seed_ends(struct session *session, struct stopping *const *some, int n)
{
	struct stopping **seeded = xcalloc((size_t)n + 1, sizeof(struct stopping *));
	int m = 0;

	for (int i = 0; i < n; i++)
		if (stop_goes_on(some[i]) && being_seeded(some[i]))
			seeded[m++] = some[i];
	stop_ask_ends(session, seeded, m, false);
	xfree(seeded);
}

static void close_doors(const struct stop_run *run)
{
	int n;
	struct stopping **some = stop_some(run, without_door, &n);
	struct door *doors = xcalloc((size_t)n + 1, sizeof(*doors));

	for (int i = 0; i < n; i++)
		doors[i] = (struct door){ .wish = &some[i]->wish, .state = &some[i]->state,
					  .n_partitions = some[i]->n_partitions };
	if (n > 0)
		doors_close(run->session, doors, n, run->actor->lease_ms);
	for (int i = 0; i < n; i++) {
		if (doors[i].outcome != OUTCOME_DONE)
			stop_failed(some[i], doors[i].outcome, &doors[i].err);
		else
			some[i]->record.text = doors[i].how;
	}
	ask_seed_ends(run->session, some, n);
	stop_step(run, some, n, STEP_DOOR);
	xfree(doors);
	xfree(some);
}

/* --- seeds ---------------------------------------------------------------------------------------------------- */

/* Where the log ended behind the door: what stands above it is a client's. Without a record of it (a version before wrote
 * the door), where it ended when it was sealed, which is not above. */
static int64_t seed_end(const struct stopping *s, int32_t partition)
{
	const json_t *ends = s->state.seed_ends != NULL ? s->state.seed_ends : s->state.ends;
	char key[16];

	snprintf(key, sizeof(key), "%d", partition);
	return json_integer_value(json_object_get(ends, key));
}

/* A seeding that was cut short: below its end stand records without content, which nobody is to read. The log begins
 * behind them; what a mirror has above them is kept. */
static int add_seeds(struct stopping *s, struct admin_deletion *items)
{
	int n = 0;

	for (int i = 0; i < s->state.n_partitions; i++) {
		const struct partition_state *p = &s->state.partitions[i];
		int64_t end = seed_end(s, p->partition);

		if (p->seed_to < 0 || p->partition >= s->n_partitions)
			continue;
		items[n++] = (struct admin_deletion){ .topic = s->topic, .partition = p->partition,
						      .offset = MIN(end, p->seed_to) };
		if (end < p->seed_to)
			notes_add(&s->session->notes, "%s-%d was being seeded up to offset %lld: it has no record of the source, "
				  "and begins and ends at offset %lld", s->topic, p->partition, (long long)p->seed_to,
				  (long long)end);
	}
	return n;
}

/* Brokers refuse it where cleanup.policy has no delete: it gets that, until the settings are restored. */
static int delete_seeds(struct stopping *s, struct admin_deletion *items, int n, struct err *err)
{
	static const struct admin_setting open = { "cleanup.policy", "compact,delete" };
	struct session *session = s->session;
	int64_t until = stop_soon(session);
	bool opened = false;

	for (;;) {
		bool refused = false, failed = false;
		int rc = admin_delete_records(session->destination, items, n, until, err);

		for (int i = 0; i < n; i++) {
			refused = refused || items[i].error == KERR_POLICY_VIOLATION;
			failed = failed || items[i].error != 0;
		}
		if (rc == RC_OK && !failed)
			return RC_OK;
		if (rc == RC_OK)
			rc = err_set(err, RC_TIMEOUT, "%s: what its seeding left could not be deleted", s->topic);
		if (refused && !opened && admin_alter_configs(session->destination, s->topic, &open, 1, until, err) != RC_OK)
			return err->rc;
		opened = opened || refused;
		if (clock_mono_ns() >= until)
			return rc;
		loop_wait_until(session->loop, clock_mono_ns() + 2 * DURABLE_PAUSE_MS * NS_PER_MS);
	}
}

static void end_seeds(struct stopping *const *some, int n)
{
	for (int i = 0; i < n; i++) {
		struct stopping *s = some[i];
		struct admin_deletion *items = xcalloc((size_t)s->state.n_partitions + 1, sizeof(*items));
		int m = stop_goes_on(s) && !s->gone ? add_seeds(s, items) : 0;
		struct err err = { 0 };

		if (m > 0 && delete_seeds(s, items, m, &err) != RC_OK)
			stop_failed(s, outcome_of(&err, SIDE_DESTINATION), &err);
		xfree(items);
	}
}

/* --- groups --------------------------------------------------------------------------------------------------- */

static const char **topics_of(struct stopping *const *some, int n, const char *link, enum mirror_wish_kind kind, int *m)
{
	const char **topics = xcalloc((size_t)n + 1, sizeof(const char *));

	*m = 0;
	for (int i = 0; i < n; i++)
		if (stop_goes_on(some[i]) && !some[i]->gone && some[i]->wish.wish == kind && strcmp(some[i]->link, link) == 0)
			topics[(*m)++] = some[i]->topic;
	return topics;
}

static bool link_is_first(struct stopping *const *some, int i)
{
	for (int k = 0; k < i; k++)
		if (strcmp(some[k]->link, some[i]->link) == 0)
			return false;
	return true;
}

/* Link by link. What groups keep from being in step keeps no topic from its producers: it is noted. */
void stop_groups(const struct stop_run *run, struct stopping *const *some, int n, enum mirror_wish_kind kind)
{
	for (int i = 0; i < n; i++) {
		const char **topics;
		struct err err = { 0 };
		enum outcome outcome = OUTCOME_DONE;
		int m;

		if (!link_is_first(some, i))
			continue;
		topics = topics_of(some, n, some[i]->link, kind, &m);
		if (m > 0 && kind == WISH_FAILOVER)
			outcome = group_clamp(run->session, some[i]->link, topics, m, &err);
		else if (m > 0)
			outcome = group_sync_final(run->session, some[i]->link, topics, m, &err);
		if (outcome != OUTCOME_DONE)
			notes_add(&run->session->notes, "link %s: consumer groups: %s", some[i]->link, err.text);
		xfree(topics);
	}
}

/* --- settings ------------------------------------------------------------------------------------------------- */

/* What the topic gets: as recorded at its creation, but for what follows the source. */
static const char *restored(const struct stopping *s, const char *key, const json_t *recorded)
{
	const json_t *latest = json_object_get(s->state.latest_settings, key);

	if (latest == NULL || json_object_get(s->wish.given_settings, key) != NULL)
		return json_string_value(recorded);
	return json_string_value(latest);
}

static struct admin_setting *settings_of(struct stopping *s, struct arena *arena, int *n)
{
	size_t most = json_object_size(s->wish.settings) + json_object_size(s->state.latest_settings);
	struct admin_setting *list = arena_new(arena, struct admin_setting, (int)most + 1);
	const char *key;
	json_t *value;

	*n = 0;
	json_object_foreach(s->wish.settings, key, value)
		list[(*n)++] = (struct admin_setting){ key, restored(s, key, value) };
	/* And what was as the source had it all along: its last change. */
	json_object_foreach(s->state.latest_settings, key, value)
		if (json_object_get(s->wish.settings, key) == NULL && json_object_get(s->wish.given_settings, key) == NULL)
			list[(*n)++] = (struct admin_setting){ key, json_string_value(value) };
	return list;
}

/* What the destination does not take stays as it was, and is told. */
static int restore_each(struct stopping *s, const struct admin_alteration *all, struct err *err)
{
	struct session *session = s->session;

	for (int i = 0; i < all->n; i++) {
		int rc = admin_alter_configs(session->destination, s->topic, &all->settings[i], 1, session->deadline_ns, err);

		if (rc == RC_KAFKA)
			notes_add(&session->notes, "%s: %s stays as it was while mirrored: %s", s->topic,
				  all->settings[i].name, err->text);
		else if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static void take_restored(struct stopping *s, struct admin_alteration *all)
{
	const struct err *err = &all->err;
	int rc = all->rc;

	if (rc == RC_KAFKA && (err->kafka == KERR_INVALID_CONFIG || err->kafka == KERR_POLICY_VIOLATION ||
			       err->kafka == KERR_INVALID_REQUEST))
		rc = restore_each(s, all, &all->err);
	if (rc != RC_OK)
		stop_failed(s, outcome_of(&all->err, SIDE_DESTINATION), &all->err);
}

/* All at once; where the destination refuses one of a topic's, one by one. */
static void restore_settings(const struct stop_run *run, struct stopping *const *some, int n)
{
	struct stopping **kept = xcalloc((size_t)n + 1, sizeof(struct stopping *));
	int m = without_gone(some, n, kept);
	struct admin_alteration *all = xcalloc((size_t)m + 1, sizeof(*all));
	struct arena arena;
	struct err err = { 0 };
	int rc;

	arena_init(&arena, 0);
	for (int i = 0; i < m; i++) {
		all[i].topic = kept[i]->topic;
		all[i].settings = settings_of(kept[i], &arena, &all[i].n);
	}
	rc = m > 0 ? admin_alter_topics(run->session->destination, all, m, run->session->deadline_ns, &err) : RC_OK;
	for (int i = 0; i < m && rc == RC_OK; i++)
		take_restored(kept[i], &all[i]);
	if (rc != RC_OK)
		stop_all_failed(kept, m, outcome_of(&err, SIDE_DESTINATION), &err);
	arena_fini(&arena);
	xfree(all);
	xfree(kept);
}

/* --- rights --------------------------------------------------------------------------------------------------- */

static void lift_guards(const struct stop_run *run, struct stopping *const *some, int n)
{
	const struct mirror_wish **wishes = xcalloc((size_t)n + 1, sizeof(const struct mirror_wish *));
	struct err err = { 0 };
	enum outcome outcome;
	int m = 0;

	for (int i = 0; i < n; i++)
		if (stop_goes_on(some[i]))
			wishes[m++] = &some[i]->wish;
	outcome = guard_lift_all(run->session, wishes, m, &err);
	if (outcome != OUTCOME_DONE)
		stop_all_failed(some, n, outcome, &err);
	xfree(wishes);
}

/* --- all ------------------------------------------------------------------------------------------------------ */

static bool sealed(const struct stopping *s)
{
	return s->state.sealed;
}

/* Another may have come to the end meanwhile, and settings may have been changed since. */
static void look_again(const struct stop_run *run, struct stopping *const *some, int n)
{
	struct err err = { 0 };
	enum outcome outcome = OUTCOME_DONE;

	if (n > 0)
		outcome = control_log_poll(run->session->log, 0, run->session->deadline_ns, NULL, &err);
	for (int i = 0; i < n; i++)
		if (stop_goes_on(some[i]) && outcome == OUTCOME_DONE)
			stop_load(some[i]);
	if (outcome != OUTCOME_DONE)
		stop_all_failed(some, n, outcome, &err);
}

void stop_finish(const struct stop_run *run)
{
	int n;
	struct stopping **some = stop_some(run, sealed, &n);

	stop_describe(run, some, n);
	close_doors(run);
	wait_durable(run->session, some, n);
	look_again(run, some, n);
	end_seeds(some, n);
	stop_groups(run, some, n, WISH_FAILOVER);
	look_again(run, some, n);
	restore_settings(run, some, n);
	lift_guards(run, some, n);
	stop_step(run, some, n, STEP_STOPPED);
	xfree(some);
}
