/* SPDX-License-Identifier: Apache-2.0 */
/* TopicConfigsSync: mirror topics follow the settings of their sources.
 *
 * Happy path: the settings of the source's topics are asked for, some hundred in a run, and only the settings that the plan
 * looks at; at the same time the destination's, of a share of the topics, so that all come by in ten seconds; behind
 * that the destination's of those that have changed. Where something differs from what the plan wants, it is recorded, then
 * altered.
 *
 * Failure modes:
 *  - killed between record and alteration: the next run finds the difference again;
 *  - a worker opens cleanup.policy to delete records: it records that before, so the log is read behind the settings,
 *    and what it opened is left alone;
 *  - the mirror is promoted at the same moment: nothing is altered behind a wish that has ended the mirroring, and what
 *    crossed it is given the value that the promotion gives;
 *  - the destination refuses a value: told, and not tried again until the source has another. */
#include "krmirrord/sync.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/config_plan.h"
#include "wire/msg/kerr_codes.h"

#include <stdlib.h>

/* Topics of a run; how often the destination is asked for all, although the source has not changed, a share at a time; how
 * long a run may alter, because the rounds of the worker wait meanwhile. */
enum { SLICE = 500, CHECK_MS = 10000, SHARES = 10, ALTER_MS = 2000 };

struct config_sync {
	json_t *refused;             /* "topic name" -> the value that the destination does not take, or null */
	json_t *settled;             /* topic -> hash of the source's settings that it follows */
	char *cursor;                /* the last topic of the run before; NULL: a new pass begins */
	int64_t share_from, share_to;   /* by the clock: this pass compares the topics of the shares in between */
};

void config_sync_forget(void *data)
{
	struct config_sync *kept = data;

	json_decref(kept->refused);
	json_decref(kept->settled);
	xfree(kept->cursor);
	xfree(kept);
}

/* Mirrors of the link, and both sides' settings of them. Of the first ones the destination is asked in any case. */
struct both {
	int n, n_due;
	struct admin_configs_of *source, *here;
};

/* Of a topic that was never seen in step, and of one whose share it is. */
static bool is_due(const struct config_sync *kept, const char *topic)
{
	int64_t share = (int64_t)(hash_bytes(topic, strlen(topic)) % SHARES);

	return json_object_get(kept->settled, topic) == NULL ||
	       (share + SHARES - (kept->share_from + 1) % SHARES) % SHARES < kept->share_to - kept->share_from;
}

static bool takes_part(const struct mirror_row *row, const struct task_run *run)
{
	return row->present && row->readable && row->wish.created && row->wish.wish == WISH_MIRROR &&
	       row->mirror_state.status != MIRROR_STOPPED && strcmp(row->link, run->link->name) == 0;
}

struct row_of {
	const char *topic, *source;
};

static int by_topic(const void *a, const void *b)
{
	return strcmp(((const struct row_of *)a)->topic, ((const struct row_of *)b)->topic);
}

static void add(struct both *both, const struct row_of *row, struct arena *arena)
{
	both->source[both->n].topic = arena_strdup(arena, row->source);
	both->here[both->n++].topic = arena_strdup(arena, row->topic);
}

/* The next slice behind the cursor, which is moved. */
static struct both list(struct task_run *run, struct arena *arena)
{
	const struct model *model = &run->worker->model;
	struct config_sync *kept = *run->data;
	struct row_of *rows = arena_new(arena, struct row_of, model->n_mirrors);
	struct both both = {
		.source = arena_new(arena, struct admin_configs_of, SLICE),
		.here = arena_new(arena, struct admin_configs_of, SLICE),
	};
	int n = 0, last;

	for (int i = 0; i < model->n_mirrors; i++) {
		const struct mirror_row *row = model->mirrors[i];

		if (takes_part(row, run) && (kept->cursor == NULL || strcmp(row->topic, kept->cursor) > 0))
			rows[n++] = (struct row_of){ row->topic, row->wish.source_topic };
	}
	qsort(rows, (size_t)n, sizeof(*rows), by_topic);
	last = MIN(n, (int)SLICE) - 1;
	run->more = last + 1 < n;
	xfree(kept->cursor);
	kept->cursor = run->more ? xstrdup(rows[last].topic) : NULL;
	for (int due = 1; due >= 0; due--) {
		for (int i = 0; i <= last; i++)
			if (is_due(kept, rows[i].topic) == (due == 1))
				add(&both, &rows[i], arena);
		both.n_due = due == 1 ? both.n : both.n_due;
	}
	return both;
}

/* ---- one mirror ---- */

struct config_change {
	struct task_run *run;
	const char *topic;
	const struct admin_configs *source, *here;
	struct mirror_wish wish;
	struct config_plan plan;
};

static const char *include_of(const struct task_run *run)
{
	return keys_text(&link_key_table, &run->link->conf.props, "topic.config.sync.include");
}

/* By what the log says now. False: there is nothing to do, or the mirror is none any more. */
static bool plan_now(struct config_change *c)
{
	const struct control_log *log = c->run->worker->session.log;
	struct mirror_state state = { 0 };
	struct config_seen seen = { &c->wish, c->source, c->here, include_of(c->run), false };
	struct err unused;
	bool any = false;

	mirror_wish_fini(&c->wish);
	config_plan_fini(&c->plan);
	if (control_log_mirror(log, c->run->link->name, c->topic, &c->wish, &unused) == RC_OK &&
	    control_log_mirror_state(log, c->run->link->name, c->topic, &state, &unused) == RC_OK &&
	    c->wish.created && c->wish.wish == WISH_MIRROR && state.status != MIRROR_STOPPED) {
		seen.policy_opened = state.policy_opened;
		any = config_plan(&seen, &c->plan);
	}
	mirror_state_fini(&state);
	return any;
}

static enum outcome decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct config_change *c = arg;

	(void)log;
	(void)err;
	if (!plan_now(c) || (c->plan.settings == NULL && c->plan.create_settings == NULL))
		return OUTCOME_DONE;
	if (c->plan.settings != NULL) {
		json_decref(c->wish.settings);
		c->wish.settings = json_incref(c->plan.settings);
	}
	if (c->plan.create_settings != NULL) {
		json_decref(c->wish.create_settings);
		c->wish.create_settings = json_incref(c->plan.create_settings);
	}
	control_batch_mirror(batch, &c->wish);
	return OUTCOME_DONE;
}

static char *refused_key(const struct config_change *c, const char *name)
{
	return xasprintf("%s %s", c->topic, name);
}

/* ---- altering ---- */

static void tell(const struct config_change *c, const struct admin_setting *s)
{
	const struct admin_config *here = admin_config_find(c->here, s->name);
	const char *was = here != NULL && here->value != NULL ? here->value : "";
	const char *now = s->value != NULL ? s->value : "default";

	ledger_link(c->run->worker->ledger, c->run->link->name)->config_updates++;
	if (json_object_get(c->plan.put_back, s->name) != NULL)
		log_warn("mirror", "a setting that somebody changed is put back while it is mirrored",
			 "link=%s topic=%s setting=%s from=" LOG_Q " to=" LOG_Q, c->run->link->name, c->topic, s->name, was, now);
	else
		log_info("mirror", "a setting follows the source's", "link=%s topic=%s setting=%s from=" LOG_Q " to=" LOG_Q,
			 c->run->link->name, c->topic, s->name, was, now);
}

static void refuse(struct config_change *c, const struct admin_setting *s, const struct err *err)
{
	struct config_sync *kept = *c->run->data;
	char *key = refused_key(c, s->name);

	task_errors_add(c->run->errors, err->kafka == KERR_POLICY_VIOLATION ? TASK_POLICY_VIOLATION_ERROR :
			TASK_INVALID_REQUEST_ERROR, "%s", err->text);
	json_object_set_new(kept->refused, key, json_pack("{s:s?, s:s, s:i}", "value", s->value, "text", err->text,
							  "kafka", (int)err->kafka));
	xfree(key);
}

/* Of one that was refused before nothing is asked again; its error stays told. */
static bool was_refused(struct config_change *c, const char *name, const char *value)
{
	struct config_sync *kept = *c->run->data;
	char *key = refused_key(c, name);
	const json_t *before = json_object_get(kept->refused, key);
	const char *then = json_string_value(json_object_get(before, "value"));
	bool same = before != NULL && (then == NULL ? value == NULL : value != NULL && strcmp(then, value) == 0);

	if (same)
		task_errors_add(c->run->errors, json_integer_value(json_object_get(before, "kafka")) == KERR_POLICY_VIOLATION ?
				TASK_POLICY_VIOLATION_ERROR : TASK_INVALID_REQUEST_ERROR, "%s",
				json_string_value(json_object_get(before, "text")));
	else
		json_object_del(kept->refused, key);
	xfree(key);
	return same;
}

static bool alter_each(struct config_change *c, const struct admin_setting *list, int n)
{
	struct cluster *destination = c->run->worker->session.destination;
	struct err err;

	for (int i = 0; i < n; i++) {
		int rc = admin_alter_configs(destination, c->topic, &list[i], 1, c->run->deadline_ns, &err);

		if (rc == RC_OK) {
			tell(c, &list[i]);
		} else if (rc == RC_KAFKA) {
			refuse(c, &list[i], &err);
		} else {
			task_failed(c->run, &err);
			return false;
		}
	}
	return true;
}

static bool alter(struct config_change *c, const struct admin_setting *list, int n)
{
	struct err err;
	int rc = admin_alter_configs(c->run->worker->session.destination, c->topic, list, n, c->run->deadline_ns, &err);

	if (rc == RC_KAFKA)   /* one of them is refused: the others are not */
		return alter_each(c, list, n);
	for (int i = 0; i < n && rc == RC_OK; i++)
		tell(c, &list[i]);
	if (rc != RC_OK)
		task_failed(c->run, &err);
	return rc == RC_OK;
}

/* A promotion that began meanwhile may have set its values before ours came. */
static void mend_crossing(struct config_change *c, const struct admin_setting *list, int n)
{
	struct session *session = &c->run->worker->session;
	struct admin_setting *own = xcalloc((size_t)n + 1, sizeof(*own));
	struct mirror_wish wish = { 0 };
	struct err err;
	int n_own = 0;

	if (control_log_poll(session->log, 0, c->run->deadline_ns, NULL, &err) == OUTCOME_DONE &&
	    control_log_mirror(session->log, c->run->link->name, c->topic, &wish, &err) == RC_OK &&
	    wish.wish != WISH_MIRROR)
		for (int i = 0; i < n; i++) {
			const json_t *value = json_object_get(wish.settings, list[i].name);

			if (value != NULL)
				own[n_own++] = (struct admin_setting){ list[i].name, json_string_value(value) };
		}
	if (admin_alter_configs(session->destination, c->topic, own, n_own, c->run->deadline_ns, &err) != RC_OK)
		task_failed(c->run, &err);
	mirror_wish_fini(&wish);
	xfree(own);
}

static bool carry_out(struct config_change *c)
{
	struct admin_setting *list = xcalloc(json_object_size(c->plan.alter) + 1, sizeof(*list));
	const char *name;
	json_t *value;
	bool good = true;
	int n = 0;

	json_object_foreach(c->plan.alter, name, value)
		if (!was_refused(c, name, json_string_value(value)))
			list[n++] = (struct admin_setting){ name, json_string_value(value) };
	if (n > 0) {
		good = alter(c, list, n);
		mend_crossing(c, list, n);
	}
	xfree(list);
	return good;
}

/* False: there is no use in going on with others. */
static bool sync_one(struct task_run *run, const struct admin_configs_of *source, const struct admin_configs_of *here)
{
	struct session *session = &run->worker->session;
	struct config_change c = { .run = run, .topic = here->topic, .source = &source->configs, .here = &here->configs };
	struct err err = { 0 };
	enum outcome outcome = OUTCOME_DONE;
	bool good = true;

	/* What is known of the log is enough to see that there is nothing to do. */
	if (plan_now(&c)) {
		outcome = control_log_poll(session->log, 0, run->deadline_ns, NULL, &err);
		if (outcome == OUTCOME_DONE && plan_now(&c) && (c.plan.settings != NULL || c.plan.create_settings != NULL))
			outcome = control_log_update(session->log, decide, &c, run->deadline_ns, NULL, &err);
		if (outcome == OUTCOME_DONE && c.plan.alter != NULL)
			good = carry_out(&c);
	}
	if (outcome != OUTCOME_DONE)
		task_failed(run, &err);
	config_plan_fini(&c.plan);
	mirror_wish_fini(&c.wish);
	return good && outcome == OUTCOME_DONE;
}

/* ---- all ---- */

static bool readable(struct task_run *run, const struct admin_configs_of *of, const char *side)
{
	if (of->error == KERR_TOPIC_AUTHORIZATION_FAILED)
		task_errors_add(run->errors, TASK_AUTHORIZATION_ERROR, "%s: the settings of topic %s may not be read; grant "
				"DESCRIBE_CONFIGS on it to krmirror's principal", side, of->topic);
	return of->error == KERR_NONE;
}

static json_int_t hash_of(const struct admin_configs *configs)
{
	uint64_t hash = 0;

	for (int i = 0; i < configs->n; i++) {
		const struct admin_config *c = &configs->items[i];

		hash += hash_bytes(c->name, strlen(c->name)) ^
			(c->value != NULL ? hash_bytes(c->value, strlen(c->value)) * 3 : 1) * (uint64_t)(c->source + 2);
	}
	return (json_int_t)(hash >> 1);
}

/* Behind those that are due, leaves those that have changed at the source. */
static void narrow(struct task_run *run, struct both *both)
{
	const struct config_sync *kept = *run->data;
	int n = both->n_due;

	for (int i = n; i < both->n; i++) {
		const json_t *settled = json_object_get(kept->settled, both->here[i].topic);

		if (!readable(run, &both->source[i], "source") ||
		    (settled != NULL && json_integer_value(settled) == hash_of(&both->source[i].configs)))
			continue;
		both->source[n] = both->source[i];
		both->here[n++] = both->here[i];
	}
	both->n = n;
}

/* False: err says why. */
static bool ask(struct task_run *run, struct both *both, struct arena *arena, struct err *err)
{
	const char *keys[CONFIG_KEYS_MAX];
	int n_keys = config_keys(include_of(run), keys);
	struct cluster *destination = run->worker->session.destination;
	struct admin_configs_ask of_both[] = {
		{ .cluster = run->source, .topics = both->source, .n = both->n, .keys = keys, .n_keys = n_keys },
		{ .cluster = destination, .topics = both->here, .n = both->n_due, .keys = keys, .n_keys = n_keys },
	};
	struct admin_configs_ask of_changed = { .cluster = destination, .topics = both->here + both->n_due, .keys = keys,
						.n_keys = n_keys };

	admin_describe_configs_of(of_both, ARRAY_LEN(of_both), run->deadline_ns, arena);
	for (size_t i = 0; i < ARRAY_LEN(of_both); i++)
		if (of_both[i].rc != RC_OK) {
			*err = of_both[i].err;
			return false;
		}
	narrow(run, both);
	of_changed.n = both->n - both->n_due;
	admin_describe_configs_of(&of_changed, 1, run->deadline_ns, arena);
	if (of_changed.rc != RC_OK)
		*err = of_changed.err;
	return of_changed.rc == RC_OK;
}

static bool may_go_on(const struct task_run *run, int64_t until_ns)
{
	return clock_mono_ns() < until_ns && !worker_asked_to_stop(run->worker) && !run->worker->member.fenced &&
	       run->worker->member.leader;
}

/* What there is no time for is due in the next pass. */
static void sync_all(struct task_run *run, const struct both *both)
{
	struct config_sync *kept = *run->data;
	int64_t until = MIN(run->deadline_ns, worker_deadline(ALTER_MS));
	bool goes_on = true;

	for (int i = 0; i < both->n; i++) {
		int before = run->errors->n + run->errors->more;

		if (!readable(run, &both->source[i], "source") || !readable(run, &both->here[i], "destination"))
			continue;
		if (!goes_on) {
			json_object_del(kept->settled, both->here[i].topic);
			continue;
		}
		goes_on = sync_one(run, &both->source[i], &both->here[i]) && may_go_on(run, until);
		if (run->errors->n + run->errors->more == before)
			json_object_set_new(kept->settled, both->here[i].topic, json_integer(hash_of(&both->source[i].configs)));
		else
			json_object_del(kept->settled, both->here[i].topic);
	}
}

static void begin(struct task_run *run)
{
	struct config_sync *kept = *run->data;

	if (kept == NULL) {
		*run->data = kept = xcalloc(1, sizeof(*kept));
		kept->refused = json_object();
		kept->settled = json_object();
	}
	if (kept->cursor != NULL)
		return;
	kept->share_from = kept->share_to;
	kept->share_to = clock_mono_ns() / (CHECK_MS / SHARES * NS_PER_MS);
	kept->share_from = MAX(kept->share_from, kept->share_to - SHARES);
}

void config_sync_run(struct task_run *run)
{
	struct err err = { 0 };
	struct arena arena;
	struct both both;

	begin(run);
	arena_init(&arena, 0);
	both = list(run, &arena);
	if (ask(run, &both, &arena, &err))
		sync_all(run, &both);
	else
		task_failed(run, &err);
	run->more = run->more && !run->silent;
	arena_fini(&arena);
}
