/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path:
 *   connect        the destination answers; the control log is read to its end
 *   join           the group gives an assignment; the claim is appended
 *   rounds         the log is polled (a broker with nothing new answers after a quarter of a second); what changed is
 *                  acted on: links, lanes, states, and the leader's work
 *   end            lanes closed, claim released, group left
 *
 * Failure modes:
 *  - The destination does not answer, at the start or later: said once, tried again with a growing pause. Lanes go on
 *    as long as the lease does.
 *  - The lease ran out: see member.c.
 *  - A task takes long (a promotion, a log that answers slowly): it has a deadline, and the group's callbacks run
 *    meanwhile. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/wait.h"
#include "krmirrord/notify.h"
#include "krmirrord/tasks.h"

#include <unistd.h>

enum {
	POLL_MS = 250, POLL_DEADLINE_MS = 5000,
	CONNECT_DEADLINE_MS = 10000, BACKOFF_MIN_MS = 500, BACKOFF_MAX_MS = 10000,
	SNAPSHOT_MS = 1000,
	STOP_DEADLINE_MS = 10000, GRACE_MS = 1000,
	PAUSE_SLICE_MS = 100
};

int64_t worker_deadline(int64_t ms)
{
	return clock_mono_ns() + ms * NS_PER_MS;
}

bool worker_asked_to_stop(struct worker *worker)
{
	signals_take(&worker->signals);
	return worker->signals.stop;
}

void worker_pause(struct worker *worker, int64_t ms)
{
	int64_t until = worker_deadline(ms);

	while (!worker_asked_to_stop(worker) && clock_mono_ns() < until)
		loop_wait_until(worker->loop, MIN(until, worker_deadline(PAUSE_SLICE_MS)));
}

void worker_log_trouble(struct worker *worker, const char *what, const struct err *err)
{
	if (err == NULL && worker->log_trouble)
		log_info("control", "the log answers again", "topic=%s", worker->conf->control_topic);
	else if (err != NULL)
		log_at(worker->log_trouble ? LOG_DEBUG : LOG_WARN, "control", what,
		       "topic=%s next=" LOG_Q " error=" ERR_PAIRS, worker->conf->control_topic, "trying again",
		       ERR_ARGS(*err));
	worker->log_trouble = err != NULL;
}

/* ---- making ---- */

static void lanes_changed(void *owner)
{
	struct worker *worker = owner;

	worker->lanes_changed = true;
}

static int make_mirrors(struct worker *worker, struct err *err)
{
	const struct conf *conf = worker->conf;
	struct mirror_opts opts = {
		.engine = conf->io_engine, .buffer_memory = (size_t)(conf->buffer_memory / conf->worker_threads),
		.max_request_size = (size_t)conf->max_request_size, .changed = lanes_changed, .owner = worker,
	};

	client_conf_opts(&conf->destination, "destination", NULL, &opts.destination);
	ledger_loops(worker->ledger, conf->worker_threads);
	worker->mirrors = xcalloc((size_t)conf->worker_threads, sizeof(struct mirror *));
	for (int i = 0; i < conf->worker_threads; i++) {
		opts.counts = &worker->ledger->loops[i];
		worker->mirrors[i] = mirror_create(&opts, err);
		if (worker->mirrors[i] == NULL)
			return err_wrap(err, "data loop %d", i);
		worker->n_mirrors++;
		mirror_set_lease(worker->mirrors[i], 0);
	}
	return RC_OK;
}

int worker_open(struct worker *worker, struct err *err)
{
	struct secret_rules rules = conf_secret_rules(worker->conf);

	if (gethostname(worker->host, sizeof(worker->host) - 1) != 0)
		snprintf(worker->host, sizeof(worker->host), "unknown");
	model_init(&worker->model, &rules, worker->conf->secret_key);
	worker->again_ns = INT64_MAX;
	worker->member.generation = -1;
	board_init(&worker->board);
	worker->loop = loop_create(worker->conf->io_engine, err);
	if (worker->loop == NULL)
		return err->rc;
	return session_open(&worker->session, worker->loop, worker->conf, 0, err);
}

void worker_close(struct worker *worker)
{
	publish_stop(worker);
	board_fini(&worker->board);
	for (int i = 0; i < worker->n_mirrors; i++)
		mirror_destroy(worker->mirrors[i], GRACE_MS);
	xfree(worker->mirrors);
	links_end(worker);
	for (int i = 0; i < worker->model.n_mirrors; i++)
		CHECK(worker->model.mirrors[i]->tracked == NULL);
	model_fini(&worker->model);
	if (worker->session.loop != NULL)
		session_close(&worker->session);
	client_counts_add(&worker->ledger->control, &worker->session.counts);
	if (worker->loop != NULL)
		loop_destroy(worker->loop);
}

/* ---- connecting ---- */

static void tell_first(struct worker *worker)
{
	const char *id = worker->session.destination != NULL ? cluster_id(worker->session.destination) : "";

	if (worker->told_first)
		return;
	worker->told_first = true;
	log_info("krmirrord", "starts", "version=%s engine=%s engine_why=" LOG_Q " destination_cluster=%s worker=%s "
		 "host=%s pid=%d", PACKAGE_VERSION, loop_engine_name(worker->loop), loop_engine_why(worker->loop),
		 id[0] != '\0' ? id : "unknown", worker->conf->worker_id, worker->host, getpid());
	for (int i = 0; worker->notes != NULL && i < worker->notes->n; i++)
		log_warn("configuration", "note", "text=" LOG_Q, worker->notes->lines[i]);
	if (worker->notes != NULL)
		notes_fini(worker->notes);
}

enum outcome worker_check(struct worker *worker, struct err *err)
{
	enum outcome outcome;

	worker->session.deadline_ns = worker_deadline(CONNECT_DEADLINE_MS);
	outcome = session_connect(&worker->session, err);
	tell_first(worker);
	return outcome;
}

/* What signals ask for; WORKER_GOES_ON: nothing. */
static enum worker_end asked(struct worker *worker)
{
	if (worker_asked_to_stop(worker))
		return WORKER_STOPPED;
	if (!worker->signals.reload)
		return WORKER_GOES_ON;
	worker->signals.reload = false;
	return worker->reload(worker) ? WORKER_RELOAD : WORKER_GOES_ON;
}

static enum worker_end connect_until_done(struct worker *worker)
{
	int64_t pause_ms = BACKOFF_MIN_MS;
	enum worker_end end;
	struct err err;

	for (;;) {
		end = asked(worker);
		if (end != WORKER_GOES_ON)
			return end;
		if (worker_check(worker, &err) == OUTCOME_DONE) {
			worker_log_trouble(worker, NULL, NULL);
			log_info("krmirrord", "connected", "destination_cluster=%s control_topic=%s position=%lld",
				 cluster_id(worker->session.destination), worker->conf->control_topic,
				 (long long)control_log_position(worker->session.log));
			return WORKER_GOES_ON;
		}
		log_warn("krmirrord", "the destination cannot be used; trying again",
			 "retry_ms=%lld error=" ERR_PAIRS, (long long)pause_ms, ERR_ARGS(err));
		notify_status("waiting for the destination: %s", err.text);
		worker_pause(worker, pause_ms);
		pause_ms = MIN(pause_ms * 2, BACKOFF_MAX_MS);
	}
}

/* ---- rounds ---- */

static enum outcome read_log(struct worker *worker, bool to_end, int32_t wait_ms, struct err *err)
{
	int64_t deadline = worker_deadline(POLL_DEADLINE_MS);

	if (to_end)
		return control_log_read(worker->session.log, deadline, err);
	return control_log_poll(worker->session.log, wait_ms, deadline, NULL, err);
}

static bool in_a_hurry(const struct worker *worker)
{
	return worker->plan_wanted || worker->lanes_changed ||
	       (worker->member.generation >= 0 && !worker->member.applied);
}

/* Waits for news of the log, and so paces the rounds. False: the log does not answer. */
static bool follow_log(struct worker *worker)
{
	int64_t lease_boot_ns = worker->member.lease_boot_ns, began = clock_mono_ns();
	bool lapsed = worker->member.lapsed && worker->member.generation >= 0, hurry = in_a_hurry(worker);
	int32_t wait_ms = hurry ? 0 : tasks_wait_ms(worker, POLL_MS);
	struct err err;

	if (read_log(worker, lapsed, wait_ms, &err) != OUTCOME_DONE) {
		worker_log_trouble(worker, "it does not answer", &err);
		worker_pause(worker, BACKOFF_MIN_MS);
		return false;
	}
	worker_log_trouble(worker, NULL, NULL);
	if (model_update(&worker->model, worker->session.log)) {
		lanes_assign(worker);
		worker->plan_wanted = true;
	}
	if (lapsed) {
		lanes_doubt(worker);
		links_apply(worker);
		lanes_apply(worker);
		member_resume_lease(worker, lease_boot_ns);
	}
	/* a log that answers at once although there is nothing (it does not exist yet) must not make a busy loop */
	if (!lapsed && clock_mono_ns() - began < wait_ms * NS_PER_MS / 2)
		worker_pause(worker, wait_ms / 2);
	return true;
}

static void act(struct worker *worker)
{
	links_apply(worker);
	if (worker->lanes_changed || clock_mono_ns() >= worker->snapshot_ns + SNAPSHOT_MS * NS_PER_MS)
		lanes_look(worker);
	worker->plan_wanted |= links_check(worker);
	if (worker->plan_wanted || clock_mono_ns() >= worker->again_ns) {
		worker->plan_wanted = false;
		lanes_assign(worker);
		lanes_apply(worker);
	}
	changes_tell(worker);
	links_close(worker);
	model_sweep(&worker->model);
	member_claim_again(worker);
	pins_work(worker);
	states_write(worker);
	trims_work(worker);
	limits_work(worker);
	copies_work(worker);
	guards_work(worker);
	leader_work(worker);
	tasks_work(worker);
	transactions_look(worker);
}

static void tell_status(struct worker *worker)
{
	int open = 0, failed = 0;

	for (int i = 0; i < worker->model.n_mirrors; i++)
		for (int32_t p = 0; p < worker->model.mirrors[i]->n_lanes; p++) {
			const struct lane_row *lane = &worker->model.mirrors[i]->lanes[p];

			open += lane->held == HELD_OPEN;
			failed += lane->held == HELD_OPEN && lane->state == LANE_FAILED;
		}
	notify_status("%d links, %d lanes, %d failed; group %s", worker->model.n_links, open, failed,
		      group_state_name(worker->member.group));
}

static enum worker_end run_rounds(struct worker *worker)
{
	enum worker_end end;
	int64_t told_ns = 0;

	for (;;) {
		end = worker->member.fenced ? WORKER_FENCED : asked(worker);
		if (end != WORKER_GOES_ON)
			return end;
		if (!follow_log(worker))
			continue;
		if (worker->member.generation >= 0 && !worker->member.applied && !member_apply(worker))
			worker_pause(worker, BACKOFF_MIN_MS);
		act(worker);
		if (clock_mono_ns() >= told_ns) {
			tell_status(worker);
			told_ns = worker_deadline(SNAPSHOT_MS);
		}
	}
}

/* ---- the end ---- */

static void end_run(struct worker *worker, enum worker_end end)
{
	int64_t deadline = worker_deadline(STOP_DEADLINE_MS);

	if (end == WORKER_STOPPED)
		notify_stopping();
	if (!lanes_close(worker, NULL, deadline))
		log_warn("worker", "lanes with an unanswered append are left behind; whoever takes over waits",
			 "waited_ms=%d", STOP_DEADLINE_MS);
	if (end != WORKER_FENCED && worker->member.applied)
		states_write(worker);
	if (end == WORKER_STOPPED)
		member_leave(worker);
	if (end == WORKER_FENCED)
		log_error("worker", "ends", "error=" LOG_Q " hint=" LOG_Q, worker->member.fenced_err.text,
			  worker->member.fenced_err.hint);
	member_end(worker);
	links_end(worker);
}

enum worker_end worker_run(struct worker *worker)
{
	enum worker_end end;
	struct err err;

	publish_start(worker);
	end = connect_until_done(worker);
	if (end != WORKER_GOES_ON)
		return end;
	if (make_mirrors(worker, &err) != RC_OK) {
		log_error("worker", "no data loop", "error=" LOG_Q, err.text);
		return WORKER_FAILED;
	}
	model_update(&worker->model, worker->session.log);
	member_start(worker);
	notify_ready();
	end = run_rounds(worker);
	end_run(worker, end);
	return end;
}
