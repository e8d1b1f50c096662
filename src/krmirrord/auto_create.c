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
 *  - many new topics: made for a second, and on in the next round, so that promotions and heartbeats get their turn;
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

enum { SLICE_MS = 1000, ONE_DEADLINE_MS = 10000, CUT_SHORT_MS = 30000, TELL_EACH = 100 };

#define CONTROL_TOPIC "_krmirror"

struct auto_create {
	char *cursor;                /* the last mirror that was tried in this pass; NULL: a new one begins */
	int made;                    /* in this pass */
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

/* Adds what a control log of the source lists. */
static enum outcome read_log(struct task_run *run, const char *topic, json_t *mirrors, struct err *err)
{
	struct control_log_opts opts = { .topic = topic, .replication = -1, .of_others = true };
	struct control_log *log = control_log_create(run->source, &opts);
	enum outcome outcome = control_log_read(log, run->deadline_ns, err);
	const struct control_record *r = NULL;

	while (outcome == OUTCOME_DONE && (r = control_log_next(log, RECORD_MIRROR, r)) != NULL)
		put(mirrors, r->topic);
	control_log_destroy(log);
	return outcome;
}

/* *mirrors is NULL where a log may not be read. False: it is not known. */
static bool look_there(struct task_run *run, json_t **mirrors)
{
	const char *names[] = { CONTROL_TOPIC, run->worker->conf->control_topic };
	int n = strcmp(names[0], names[1]) == 0 ? 1 : 2;
	struct err err = { 0 };

	*mirrors = json_object();
	for (int i = 0; i < n; i++) {
		enum outcome outcome = read_log(run, names[i], *mirrors, &err);

		if (outcome == OUTCOME_DONE)
			continue;
		json_decref(*mirrors);
		*mirrors = NULL;
		if (outcome == OUTCOME_AUTH && err.kafka != 0)
			return true;
		task_failed(run, &err);
		return false;
	}
	return true;
}

/* ---- making ---- */

static void add_failure(struct task_run *run, const struct auto_item *item, struct err *err)
{
	bool policy = err->rc == RC_KAFKA && err->kafka == 44;

	if (err->rc == RC_USAGE || (err->rc == RC_KAFKA && err->kafka == 17))
		task_errors_add(run->errors, TASK_INVALID_TOPIC, "%s: %s", item->source, err->text);
	else if (policy)
		task_errors_add(run->errors, TASK_POLICY_VIOLATION_ERROR, "%s: %s", item->source, err->text);
	else
		task_failed(run, err);
}

static void make_one(struct task_run *run, const struct auto_item *item, struct auto_create *kept)
{
	struct session *session = &run->worker->session;
	struct mirror_create_opts opts = {
		.topic = item->mirror, .link = run->link->name, .source_topic = item->source,
		.replication_factor = -1, .by_task = true,
	};
	struct mirror_created created;
	struct err err = { 0 };
	struct arena arena;

	session->deadline_ns = worker_deadline(ONE_DEADLINE_MS);
	arena_init(&arena, 0);
	if (mirror_create_topic(session, &opts, &arena, &created, &err) != OUTCOME_DONE) {
		add_failure(run, item, &err);
	} else if (created.changed) {
		kept->made++;
		log_info("mirror", "created by itself", "link=%s topic=%s source_topic=%s partitions=%d", run->link->name,
			 item->mirror, item->source, created.num_partition);
	}
	arena_fini(&arena);
	session->deadline_ns = run->deadline_ns;
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

	while (kept->cursor != NULL && at < plan->n_create && strcmp(plan->create[at].mirror, kept->cursor) <= 0)
		at++;
	for (; at < plan->n_create && clock_mono_ns() < until && !stops(run); at++) {
		make_one(run, &plan->create[at], kept);
		xfree(kept->cursor);
		kept->cursor = xstrdup(plan->create[at].mirror);
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
				"the source's control log may not be read, so which topics are mirrors there is not known; grant "
				"DESCRIBE and READ on Topic " CONTROL_TOPIC " to krmirror's principal on the source cluster");
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
