/* SPDX-License-Identifier: Apache-2.0 */
/* AutoCreateMirror: topics of the source that the link's filters name are mirrored by themselves.
 *
 * Happy path: the source's topics are listed; where a new one is among those that are named, the destination's topics
 * are listed and the source's own control log is read; what is nobody's is created as `mirror create` does it.
 *
 * The order keeps two links from mirroring each other's mirrors: whoever makes a mirror topic at the source records it
 * in the log there first. So what is listed as a topic, and is a mirror, stands in the log that is read afterwards.
 *
 * Failure modes:
 *  - many new topics: made many at a time for a second, and on in the next round, so that promotions and heartbeats
 *    get their turn;
 *  - one cannot be made: told, the others are, and it is tried again in the next pass;
 *  - killed in a creation: its intention is recorded; gone on with when nobody can be at it any more;
 *  - the source's log may not be read: only topics that are named literally;
 *  - it cannot be read for another reason: nothing is created. */
#include "krmirrord/sync.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/auto_plan.h"
#include "control/mirrors.h"
#include "control/source_log.h"
#include "wire/msg/kerr_codes.h"

enum { SLICE_MS = 1000, BATCH_DEADLINE_MS = 20000, CUT_SHORT_MS = 30000, TELL_EACH = 100 };

/* Of one request: the controller makes at most 10,000 records of it, one for each topic, setting and partition. As many
 * topics as take a second or two: the rounds of the worker wait meanwhile. Few at a time are hardly quicker. */
enum { BATCH_MIN = 25, BATCH_MAX = 200, BATCH_PARTITIONS = 5000 };

struct auto_create {
	char *cursor;                /* the last source topic that was tried in this pass; NULL: a new one begins */
	int made;                    /* in this pass */
	int batch;                   /* topics of the next request */
	int64_t pass_ns;             /* when it began */
};

void auto_create_forget(void *data)
{
	struct auto_create *kept = data;

	xfree(kept->cursor);
	xfree(kept);
}

/* ---- what is there ---- */

static void put(json_t *set, const char *name)
{
	json_object_set_new(set, name, json_true());
}

struct here {
	json_t *topics, *mirrors, *sources, *forgotten, *unfinished;
};

static void here_fini(struct here *here)
{
	json_decref(here->topics);
	json_decref(here->mirrors);
	json_decref(here->sources);
	json_decref(here->forgotten);
	json_decref(here->unfinished);
}

static void take_mirror(struct task_run *run, struct here *here, const struct control_record *r)
{
	struct mirror_wish wish = { 0 };
	struct err unused;

	json_object_set_new(here->mirrors, r->topic, json_string(r->name));
	if (strcmp(r->name, run->link->name) != 0)
		return;
	if (mirror_wish_decode(&wish, r->name, r->topic, r->value, &unused) == RC_OK) {
		if (!wish.created && wish.wish == WISH_MIRROR && clock_wall_ms() - wish.created_ms > CUT_SHORT_MS)
			put(here->unfinished, r->topic);
		else
			put(here->sources, wish.source_topic);
	}
	mirror_wish_fini(&wish);
}

static struct here look_here(struct task_run *run)
{
	const struct control_log *log = run->worker->session.log;
	const struct control_record *r = NULL;
	struct sync_record sync;
	struct err unused;
	struct here here = { json_object(), json_object(), json_object(), NULL, json_object() };

	while ((r = control_log_next(log, RECORD_MIRROR, r)) != NULL)
		take_mirror(run, &here, r);
	if (control_log_sync(log, run->link->name, &sync, &unused) == RC_OK)
		here.forgotten = json_incref(sync.forgotten);
	sync_record_fini(&sync);
	return here;
}

static int list_here(struct task_run *run, struct here *here, struct arena *arena, struct err *err)
{
	struct admin_topic *topics;
	int n, rc = admin_all_topics(run->worker->session.destination, run->deadline_ns, arena, &topics, &n, err);

	for (int i = 0; rc == RC_OK && i < n; i++)
		put(here->topics, topics[i].name);
	return rc;
}

/* *mirrors is NULL where a log may not be read. False: it is not known. */
static bool look_there(struct task_run *run, json_t **mirrors)
{
	struct err err = { 0 };
	enum outcome outcome = source_log_mirrors(&run->worker->session, run->source, run->deadline_ns, mirrors, &err);

	if (outcome == OUTCOME_DONE || (outcome == OUTCOME_AUTH && err.kafka != 0))
		return true;
	task_failed(run, &err);
	return false;
}

/* ---- making ---- */

static void add_failure(struct task_run *run, const struct mirror_new *new)
{
	const struct err *err = &new->err;
	int16_t kafka = err->rc == RC_KAFKA ? err->kafka : KERR_NONE;

	if (err->rc == RC_USAGE || kafka == KERR_INVALID_TOPIC_EXCEPTION)
		task_errors_add(run->errors, TASK_INVALID_TOPIC, "%s: %s", new->source_topic, err->text);
	else if (kafka == KERR_POLICY_VIOLATION)
		task_errors_add(run->errors, TASK_POLICY_VIOLATION_ERROR, "%s: %s", new->source_topic, err->text);
	else
		task_failed(run, err);
}

/* As many of the plan's, from `at` on, as a request may have. */
static int batch_size(const struct auto_plan *plan, int at, int most)
{
	int n = 0, partitions = 0;

	while (at + n < plan->n_create && n < most &&
	       (n == 0 || partitions + plan->create[at + n].n_partitions <= BATCH_PARTITIONS))
		partitions += plan->create[at + n++].n_partitions;
	return n;
}

static void make_batch(struct task_run *run, const struct auto_item *items, int n, struct auto_create *kept)
{
	struct session *session = &run->worker->session;
	int64_t took, began = clock_mono_ns();
	struct mirror_new *news = xcalloc((size_t)n, sizeof(*news));

	for (int i = 0; i < n; i++)
		news[i] = (struct mirror_new){ .topic = items[i].mirror, .source_topic = items[i].source };
	session->deadline_ns = worker_deadline(BATCH_DEADLINE_MS);
	mirror_create_all(session, run->link->name, news, n);
	session->deadline_ns = run->deadline_ns;
	took = clock_mono_ns() - began;
	if (took > 2 * SLICE_MS * NS_PER_MS)
		kept->batch = MAX(n / 2, (int)BATCH_MIN);
	else if (n == kept->batch && took < SLICE_MS * NS_PER_MS)
		kept->batch = MIN(n * 2, (int)BATCH_MAX);
	for (int i = 0; i < n; i++) {
		if (news[i].outcome != OUTCOME_DONE) {
			add_failure(run, &news[i]);
		} else if (news[i].changed) {
			kept->made++;
			ledger_link(run->worker->ledger, run->link->name)->mirrors_created++;
			log_info("mirror", "created by itself", "link=%s topic=%s source_topic=%s partitions=%d",
				 run->link->name, news[i].topic, news[i].source_topic, news[i].n_partitions);
		}
	}
	xfree(kept->cursor);
	kept->cursor = xstrdup(items[n - 1].source);
	xfree(news);
}

static bool stops(const struct task_run *run)
{
	return run->silent || !run->link->present || run->worker->member.fenced || !run->worker->member.leader ||
	       worker_asked_to_stop(run->worker);
}

static void make(struct task_run *run, const struct auto_plan *plan, struct auto_create *kept)
{
	int64_t until = worker_deadline(SLICE_MS);
	int at = 0, before = kept->made;

	while (kept->cursor != NULL && at < plan->n_create && strcmp(plan->create[at].source, kept->cursor) <= 0)
		at++;
	while (at < plan->n_create && clock_mono_ns() < until && !stops(run)) {
		int n = batch_size(plan, at, kept->batch);

		make_batch(run, plan->create + at, n, kept);
		at += n;
	}
	run->more = at < plan->n_create && !stops(run);
	if (kept->made / TELL_EACH > before / TELL_EACH || (!run->more && kept->made > TELL_EACH))
		log_info("task", "mirrors are created", "link=%s made=%d left=%d seconds=%lld", run->link->name, kept->made,
			 plan->n_create - at, (long long)((clock_mono_ns() - kept->pass_ns) / (1000 * NS_PER_MS)));
	if (run->more)
		return;
	xfree(kept->cursor);
	kept->cursor = NULL;
	kept->made = 0;
}

/* ---- all ---- */

static void tell_plan(struct task_run *run, const struct auto_plan *plan)
{
	for (int i = 0; i < plan->n_exists; i++)
		task_errors_add(run->errors, TASK_TOPIC_EXISTS_ERROR, plan->exists[i].other ?
				"source topic %s is not mirrored: %s is a mirror of another link or of another topic" :
				"source topic %s is not mirrored: topic %s exists at the destination and is no mirror",
				plan->exists[i].source, plan->exists[i].mirror);
	if (plan->narrowed)
		task_errors_add(run->errors, TASK_AUTHORIZATION_ERROR, "only topics that a filter names literally are mirrored: "
				"the source's control log may not be read, so which topics are mirrors there is not known; "
				SOURCE_LOG_RIGHT);
}

static void decide(struct task_run *run, const struct topic_rules *rules, struct arena *arena, struct err *err)
{
	struct auto_create *kept = *run->data;
	struct here here = look_here(run);
	struct auto_seen seen = {
		.topics_here = here.topics, .mirrors_here = here.mirrors, .sources = here.sources,
		.forgotten = here.forgotten, .unfinished = here.unfinished, .link = run->link->name,
	};
	struct admin_topic *topics;
	json_t *there = NULL;
	int rc = admin_all_topics(run->source, run->deadline_ns, arena, &topics, &seen.n, err);

	seen.topics = topics;
	if (rc == RC_OK && auto_plan_any(rules, &seen)) {
		rc = list_here(run, &here, arena, err);
		if (rc == RC_OK && look_there(run, &there)) {
			struct auto_plan plan;

			seen.mirrors_there = there;
			plan = auto_plan(rules, &seen, arena);
			tell_plan(run, &plan);
			make(run, &plan, kept);
		}
	}
	if (rc != RC_OK)
		task_failed(run, err);
	json_decref(there);
	here_fini(&here);
}

void auto_create_run(struct task_run *run)
{
	struct auto_create *kept = *run->data;
	struct topic_rules rules;
	struct err err = { 0 };
	struct arena arena;

	if (kept == NULL)
		*run->data = kept = xcalloc(1, sizeof(*kept));
	if (kept->batch == 0)
		kept->batch = BATCH_MIN;
	if (kept->cursor == NULL)
		kept->pass_ns = clock_mono_ns();
	arena_init(&arena, 0);
	if (topic_rules_read(&rules, &run->link->conf.props, run->worker->conf->control_topic, &err) == RC_OK)
		decide(run, &rules, &arena, &err);
	else
		task_failed(run, &err);
	topic_rules_fini(&rules);
	arena_fini(&arena);
}
