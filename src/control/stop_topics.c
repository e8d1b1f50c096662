/* SPDX-License-Identifier: Apache-2.0 */
/* Promotion and failover from the command line: the wishes first; then whoever acts, this process or a worker, is watched
 * until all is done or the time is up.
 *
 * This process acts where no worker is a member of the group, or none has taken the wish within 3 s; for a failover also
 * where whoever took it has written nothing for 5 s, and at once with force. */
#include "control/stop_priv.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/wait.h"
#include "control/verbs.h"

#include <string.h>
#include <unistd.h>

enum {
	TAKEN_MS = 3000, SILENT_MS = 5000, WORKERS_MS = 2000, LOOK_MS = 200, GRACE_MS = 1000, TELL_MS = 1000, STEP_MS = 90000
};

struct item {
	char *link;
	const char *topic;
	int64_t wish;                /* the offset of the wish */
	bool open;                   /* not decided yet */
	struct stop_result *result;
};

struct run {
	struct session *session;
	const struct stop_opts *opts;
	struct arena *arena;
	struct item *items;
	int n;
	int workers;
	int64_t began_ns, told_ns, asked_ns, deadline_ns;   /* of the command */
	int64_t position, moved_ns;   /* of the control log, and since when it stands */
	bool acting, claimed;
	struct stop_actor actor;
};

static void settle(struct item *item, enum outcome outcome, const struct err *err)
{
	item->open = false;
	item->result->settled_ns = clock_mono_ns();
	item->result->outcome = outcome;
	if (outcome != OUTCOME_DONE)
		item->result->err = *err;
}

/* --- which topics -------------------------------------------------------------------------------------------- */

static void add(struct run *run, const char *link, const char *topic)
{
	run->items = xrealloc(run->items, (size_t)run->n + 1, sizeof(*run->items));
	run->items[run->n++] = (struct item){
		.link = link == NULL ? NULL : xstrdup(link), .topic = arena_strdup(run->arena, topic),
		.open = true,
	};
}

static bool stopped(const struct control_log *log, const char *link, const char *topic)
{
	struct mirror_state state;
	struct err unused;
	bool is = control_log_mirror_state(log, link, topic, &state, &unused) == RC_OK && mirror_is_stopped(&state);

	mirror_state_fini(&state);
	return is;
}

static void collect(struct run *run)
{
	const struct control_record *r = NULL;

	for (int i = 0; i < run->opts->n_topics; i++)
		add(run, NULL, run->opts->topics[i]);
	while (run->opts->all && (r = control_log_next(run->session->log, RECORD_MIRROR, r)) != NULL)
		if ((run->opts->link == NULL || strcmp(run->opts->link, r->name) == 0) &&
		    !stopped(run->session->log, r->name, r->topic))
			add(run, r->name, r->topic);
}

/* --- wishes -------------------------------------------------------------------------------------------------- */

static void find_links(struct run *run)
{
	for (int i = 0; i < run->n; i++) {
		struct item *item = &run->items[i];
		struct err err = { 0 };
		enum outcome outcome = OUTCOME_DONE;

		if (item->link == NULL)
			outcome = session_resolve(run->session, run->opts->link, item->topic, &item->link, &err);
		if (outcome != OUTCOME_DONE)
			settle(item, outcome, &err);
	}
}

/* As items of an attempt; the caller frees with xfree. at: which of ours each one is. */
static struct stop_item *items_of(struct run *run, int from, int **at, int *n)
{
	struct stop_item *items = xcalloc((size_t)run->n + 1, sizeof(*items));
	int32_t partitions = 0;

	*at = xcalloc((size_t)run->n + 1, sizeof(**at));
	*n = 0;
	for (int i = from; i < run->n && *n < STOP_ITEMS_MAX && partitions < STOP_PARTITIONS_MAX; i++) {
		if (!run->items[i].open)
			continue;
		items[*n] = (struct stop_item){ .link = run->items[i].link, .topic = run->items[i].topic };
		(*at)[(*n)++] = i;
		partitions += control_log_mirror_partitions(run->session->log, run->items[i].link, run->items[i].topic);
	}
	return items;
}

static void take_wish(struct run *run, struct item *item, const struct stop_item *of)
{
	if (of->outcome == OUTCOME_DONE && of->at == STOP_DONE)
		item->result->finished = true;
	if (of->outcome != OUTCOME_DONE || item->result->finished || run->opts->dry_run)
		settle(item, of->outcome, &of->err);
	else
		item->wish = control_log_mirror_offset(run->session->log, item->link, item->topic);
}

static void record_wishes(struct run *run)
{
	int n, *at, from = 0;

	do {
		struct stop_item *items = items_of(run, from, &at, &n);

		stop_wish(run->session, items, n, run->opts->kind, run->opts->dry_run);
		for (int i = 0; i < n; i++)
			take_wish(run, &run->items[at[i]], &items[i]);
		from = n > 0 ? at[n - 1] + 1 : run->n;
		xfree(items);
		xfree(at);
	} while (from < run->n);
}

/* --- acting -------------------------------------------------------------------------------------------------- */

static bool closed_elsewhere(const struct session *session, const struct stop_item *item)
{
	struct mirror_state state;
	struct err unused;
	bool closed = control_log_mirror_state(session->log, item->link, item->topic, &state, &unused) == RC_OK;

	for (int i = 0; i < state.n_partitions; i++)
		if (state.partitions[i].worker != NULL && strcmp(state.partitions[i].state, "STOPPED") != 0)
			closed = false;
	mirror_state_fini(&state);
	return closed;
}

static bool any_promotion(struct stop_item *const *items, int n)
{
	for (int i = 0; i < n; i++)
		if (items[i]->kind == WISH_PROMOTE && items[i]->outcome == OUTCOME_DONE)
			return true;
	return false;
}

/* Lanes of workers that live close when they see `closing`, and say so; their lease ends the wait. A failover does not
 * wait: its door shuts them out. */
static void wait_for_workers(struct stop_actor *actor, struct stop_item *const *items, int n)
{
	struct run *run = actor->owner;
	struct session *session = run->session;
	int64_t until = MIN(clock_mono_ns() + run->actor.lease_ms * NS_PER_MS, session->deadline_ns);
	bool closed = run->workers == 0 || !any_promotion(items, n);
	struct err err;

	while (!closed && clock_mono_ns() < until) {
		enum outcome outcome = control_log_poll(session->log, LOOK_MS, session->deadline_ns, NULL, &err);

		closed = true;
		for (int i = 0; i < n; i++) {
			if (items[i]->kind == WISH_FAILOVER || items[i]->outcome != OUTCOME_DONE)
				continue;
			if (outcome != OUTCOME_DONE) {
				items[i]->outcome = outcome;
				items[i]->err = err;
			} else {
				closed = closed && closed_elsewhere(session, items[i]);
			}
		}
	}
}

static enum outcome claim(struct run *run, struct err *err)
{
	char host[200] = "", name[256];
	int64_t n;

	if (run->claimed)
		return OUTCOME_DONE;
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	snprintf(name, sizeof(name), "krmirror@%s", host);
	run->claimed = true;
	return control_log_claim(run->session->log, name, run->session->deadline_ns, &n, err);
}

/* A step of which the right is missing: what was done stays done. */
static void goes_on_later(struct item *item)
{
	struct err *err = &item->result->err;
	char hint[sizeof(err->hint)];

	if (item->result->outcome != OUTCOME_AUTH)
		return;
	snprintf(hint, sizeof(hint), "%s", err->hint);
	err_hint(err, "%s%sthe wish stands: run it again then, and it goes on from there", hint, hint[0] != '\0' ? "; " : "");
}

static void take_attempt(struct run *run, struct item *item, const struct stop_item *of)
{
	enum outcome outcome = of->outcome;

	if (outcome != OUTCOME_DONE && of->err.rc == RC_TIMEOUT && clock_mono_ns() >= run->deadline_ns) {
		/* The end of the command's time cut the step short: what was waited for before is what is told. */
		item->result->outcome = OUTCOME_TIMED_OUT;
	} else if (outcome != OUTCOME_DONE) {
		item->result->err = of->err;
		/* What may pass by itself is tried again until the deadline. */
		if (outcome != OUTCOME_TIMED_OUT && outcome != OUTCOME_SOURCE_UNREACHABLE &&
		    outcome != OUTCOME_DESTINATION_UNREACHABLE) {
			settle(item, outcome, &of->err);
			goes_on_later(item);
		}
		else
			item->result->outcome = outcome;
	} else if (of->at == STOP_DONE) {
		settle(item, OUTCOME_DONE, NULL);
	} else if (of->at == STOP_WITHDRAWN) {
		settle(item, OUTCOME_REFUSED, &of->err);
	} else {
		item->result->outcome = OUTCOME_TIMED_OUT;
		item->result->err = of->err;
	}
}

static enum outcome refused(const struct item *item, const struct mirror_state *state, struct err *err)
{
	const char *why = state->refused == NULL ? "withdrawn" : state->refused;
	size_t len = strlen(STOP_DIVERGED);

	if (strncmp(why, STOP_DIVERGED, len) == 0) {
		err_set(err, RC_DIVERGED, "%s: %s", item->topic, why + len);
		err_hint(err, "the promotion was taken back; `krmirror mirror describe %s` shows the partitions", item->topic);
		return OUTCOME_DIVERGED;
	}
	err_set(err, RC_REFUSED, "%s: %s", item->topic, why);
	err_hint(err, "stop what writes to the source topic, then promote again; the mirror is ACTIVE");
	return OUTCOME_REFUSED;
}

/* What a worker has done about it. *taken: it has seen the wish. */
static void look_one(struct run *run, struct item *item, bool *taken)
{
	struct control_log *log = run->session->log;
	struct mirror_state state;
	struct mirror_wish wish = { 0 };
	struct err err = { 0 };

	*taken = false;
	if (control_log_mirror_state(log, item->link, item->topic, &state, &err) != RC_OK) {
		settle(item, OUTCOME_FAILED, &err);
	} else if (mirror_is_stopped(&state)) {
		settle(item, OUTCOME_DONE, NULL);
	} else if (state.refused_wish == item->wish) {
		settle(item, refused(item, &state, &err), &err);
	} else if (control_log_mirror(log, item->link, item->topic, &wish, &err) != RC_OK || wish.wish == WISH_MIRROR) {
		if (err.rc == RC_OK)
			err_set(&err, RC_REFUSED, "%s: somebody else has taken the wish back", item->topic);
		settle(item, OUTCOME_REFUSED, &err);
	} else {
		*taken = state.seen >= item->wish && wish.wish == run->opts->kind;
	}
	mirror_wish_fini(&wish);
	mirror_state_fini(&state);
}

/* --- waiting ------------------------------------------------------------------------------------------------- */

static int count_open(const struct run *run)
{
	int open = 0;

	for (int i = 0; i < run->n; i++)
		open += run->items[i].open;
	return open;
}

static bool look_all(struct run *run, bool *all_taken)
{
	bool open = false;

	*all_taken = true;
	for (int i = 0; i < run->n; i++) {
		bool taken;

		if (!run->items[i].open)
			continue;
		look_one(run, &run->items[i], &taken);
		open = open || run->items[i].open;
		*all_taken = *all_taken && (taken || !run->items[i].open);
	}
	return open;
}

static void tell(struct run *run)
{
	int64_t now = clock_mono_ns();

	if (run->opts->progress == NULL || now < run->told_ns)
		return;
	run->told_ns = now + TELL_MS * NS_PER_MS;
	for (int i = 0; i < run->n; i++)
		if (run->items[i].open)
			run->opts->progress(run->opts->progress_arg, run->items[i].topic,
					    run->items[i].result->err.text[0] != '\0' ?
					    run->items[i].result->err.text : run->acting ?
					    "acting from here" : "waiting for the worker");
}

static void act_all(struct run *run)
{
	int n, *at, from = 0;
	struct err err = { 0 };
	enum outcome outcome = claim(run, &err);

	do {
		struct stop_item *items = items_of(run, from, &at, &n);

		if (outcome == OUTCOME_DONE)
			stop_act(run->session, items, n, &run->actor);
		for (int i = 0; i < n; i++) {
			if (outcome != OUTCOME_DONE)
				items[i] = (struct stop_item){ .outcome = outcome, .err = err };
			take_attempt(run, &run->items[at[i]], &items[i]);
		}
		from = n > 0 ? at[n - 1] + 1 : run->n;
		xfree(items);
		xfree(at);
	} while (from < run->n);
}

/* A worker that took the wish may have died since; whoever comes in its place takes it by itself, but nobody may come. */
static bool left_alone(struct run *run)
{
	struct err unused;
	int n;

	if (clock_mono_ns() < run->asked_ns + WORKERS_MS * NS_PER_MS)
		return false;
	run->asked_ns = clock_mono_ns();
	return session_workers(run->session, &n, &unused) == OUTCOME_DONE && n == 0;
}

/* Of a failover: whoever took it writes at every step, so one who is silent is gone, or as good as gone. */
static bool silent(struct run *run)
{
	int64_t now = clock_mono_ns();

	if (run->position != control_log_position(run->session->log))
		run->moved_ns = now;
	run->position = control_log_position(run->session->log);
	return run->opts->kind == WISH_FAILOVER && now > run->moved_ns + SILENT_MS * NS_PER_MS;
}

/* Rounds until nothing is open. With no deadline of the command each step has one of its own. */
static enum outcome see_through(struct run *run, struct err *err)
{
	struct session *session = run->session;
	int64_t deadline = session->deadline_ns;
	enum outcome outcome = OUTCOME_DONE;

	run->deadline_ns = deadline;
	run->began_ns = run->asked_ns = run->moved_ns = clock_mono_ns();
	run->acting = run->workers == 0 || run->opts->force;
	while (outcome == OUTCOME_DONE && clock_mono_ns() < deadline) {
		bool taken;

		session->deadline_ns = MIN(deadline, clock_mono_ns() + STEP_MS * NS_PER_MS);
		outcome = control_log_poll(session->log, LOOK_MS, session->deadline_ns, NULL, err);
		/* A broker that restarts; or the end of the time, which is told below. */
		if (outcome == OUTCOME_DESTINATION_UNREACHABLE && (clock_mono_ns() < deadline || err->rc == RC_TIMEOUT))
			outcome = OUTCOME_DONE;
		if (outcome != OUTCOME_DONE || !look_all(run, &taken))
			break;
		tell(run);
		if (!taken && clock_mono_ns() > run->began_ns + TAKEN_MS * NS_PER_MS)
			run->acting = true;
		run->acting = run->acting || silent(run) || left_alone(run);
		if (run->acting)
			act_all(run);
		if (count_open(run) == 0)
			break;
		if (!run->acting)
			loop_wait_until(session->loop, clock_mono_ns() + LOOK_MS * NS_PER_MS);
	}
	session->deadline_ns = deadline;
	return outcome;
}

/* With what its worker says of the first partition that has something to say. */
static void not_yet(struct run *run, struct item *item)
{
	struct err *err = &item->result->err, unused;
	struct mirror_state state = { 0 };
	const struct partition_state *p = NULL;

	if (item->link != NULL &&
	    control_log_mirror_state(run->session->log, item->link, item->topic, &state, &unused) == RC_OK)
		for (int i = 0; i < state.n_partitions && (p == NULL || p->error == NULL); i++)
			p = &state.partitions[i];
	if (p != NULL && p->error != NULL)
		err_set(err, RC_TIMEOUT, "%s: not STOPPED yet: partition %d: %s", item->topic, p->partition, p->error);
	else
		err_set(err, RC_TIMEOUT, "%s: not STOPPED yet", item->topic);
	mirror_state_fini(&state);
}

/* Whoever is open now waits for more than there was time for. */
static void time_up(struct run *run)
{
	for (int i = 0; i < run->n; i++) {
		struct item *item = &run->items[i];

		if (!item->open)
			continue;
		if (item->result->outcome == OUTCOME_DONE || item->result->err.text[0] == '\0')
			not_yet(run, item);
		if (item->result->outcome == OUTCOME_DONE)
			item->result->outcome = OUTCOME_TIMED_OUT;
		if (item->result->err.hint[0] == '\0')
			err_hint(&item->result->err, "the wish stands; run it again to wait on, or see "
				 "`krmirror mirror describe %s`", item->topic);
		item->open = false;
	}
}

/* --- results ------------------------------------------------------------------------------------------------- */

static void fill_info(struct run *run, struct item *item, const struct mirror_info *infos, int n)
{
	struct stop_result *result = item->result;

	snprintf(result->error_code, sizeof(result->error_code), "%s", outcome_word(result->outcome, &result->err));
	result->info = (struct mirror_info){ .link_name = arena_strdup(run->arena, item->link),
					     .mirror_topic_name = item->topic, .max_lag = -1, .status_time_ms = -1 };
	for (int i = 0; i < n && item->link != NULL; i++)
		if (strcmp(infos[i].link_name, item->link) == 0 && strcmp(infos[i].mirror_topic_name, item->topic) == 0)
			result->info = infos[i];
	result->door = result->info.door;
}

/* All are measured together; one alone. A failover asks no source but for what is missing. */
static enum outcome conclude(struct run *run, enum outcome outcome)
{
	bool alone = run->n == 1 && run->items[0].link != NULL;
	const char **topics = arena_new(run->arena, const char *, run->n);
	struct report_opts opts = {
		.link = alone ? run->items[0].link : run->opts->link, .topics = topics, .n_topics = run->n,
		.measure = true, .partitions = true, .no_source = run->opts->kind == WISH_FAILOVER,
	};
	struct mirror_info *infos = NULL;
	struct err unused;
	int n = 0;

	for (int i = 0; i < run->n; i++)
		topics[i] = run->items[i].topic;
	/* The time of the command may be over; what was measured is told nevertheless. */
	run->session->deadline_ns = MAX(run->session->deadline_ns, clock_mono_ns() + 10 * NS_PER_S);
	if (run->n > 0 && report_mirrors(run->session, &opts, run->arena, &infos, &n, &unused) != OUTCOME_DONE)
		n = 0;
	for (int i = 0; i < run->n; i++) {
		fill_info(run, &run->items[i], infos, n);
		outcome = outcome_worse(outcome, run->items[i].result->outcome);
		xfree(run->items[i].link);
	}
	if (run->n > 0 && run->opts->kind == WISH_FAILOVER)
		stop_ask_missing(run->session, run->arena, run->items[0].result, run->n);
	xfree(run->items);
	return outcome;
}

/* Where that may not be asked, a forced one takes it that they live: it acts itself anyway, and waits out a lease if it must. */
static enum outcome count_workers(struct run *run, struct err *err)
{
	enum outcome outcome = session_workers(run->session, &run->workers, err);

	if (outcome != OUTCOME_AUTH || !run->opts->force)
		return outcome;
	notes_add(&run->session->notes, "%s: taken as if workers ran", err->text);
	run->workers = 1;
	return OUTCOME_DONE;
}

enum outcome stop_topics(struct session *session, const struct stop_opts *opts, struct arena *arena,
			    struct stop_result **results, int *n, struct err *err)
{
	struct run run = { .session = session, .opts = opts, .arena = arena };
	enum outcome outcome = OUTCOME_DONE;

	*n = 0;
	if (opts->link != NULL && control_log_link_offset(session->log, opts->link) < 0) {
		err_set(err, RC_NOT_FOUND, "there is no link %s", opts->link);
		err_hint(err, "`krmirror link list` shows the links");
		return OUTCOME_FAILED;
	}
	collect(&run);
	*n = run.n;
	*results = arena_new(arena, struct stop_result, run.n);
	for (int i = 0; i < run.n; i++)
		run.items[i].result = &(*results)[i];
	find_links(&run);
	record_wishes(&run);
	if ((opts->wait || opts->force) && count_open(&run) > 0)
		outcome = count_workers(&run, err);
	run.actor = (struct stop_actor){
		.close_lanes = wait_for_workers, .owner = &run,
		.lease_ms = GRACE_MS + (run.workers > 0 ?
					control_log_session_ms(session->log, session->conf->session_timeout_ms) : 0),
	};
	if (outcome == OUTCOME_DONE && (opts->wait || opts->force) && count_open(&run) > 0) {
		if (opts->wait && opts->wait_until_ns != 0)
			session->deadline_ns = opts->wait_until_ns;
		outcome = see_through(&run, err);
		if (outcome == OUTCOME_DONE)
			time_up(&run);
	}
	/* What keeps all of them is told of each. */
	for (int i = 0; i < run.n && outcome != OUTCOME_DONE; i++)
		if (run.items[i].open) {
			settle(&run.items[i], outcome, err);
			goes_on_later(&run.items[i]);
		}
	return conclude(&run, outcome);
}
