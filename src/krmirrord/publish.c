/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's part of http.h: it hangs a page on the board once a second, from a timer, so also while a task
 * waits. An address that cannot be had holds up nothing: at the start it may still be held by the process that this one
 * takes over from. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "krmirrord/http.h"

enum { PERIOD_MS = 1000, RETRY_MS = 5000, FIRST_MS = 50, REPORTS_MS = 30000 };

static void listen_again(struct worker *worker, int64_t now)
{
	struct err err;

	if (now < worker->http_retry_ns)
		return;
	worker->http_retry_ns = now + RETRY_MS * NS_PER_MS;
	worker->http = http_open(&worker->conf->http, &worker->board, &err);
	if (worker->http != NULL)
		log_info("http", "listens", "address=%s", http_address(worker->http));
	else
		log_at(worker->http_trouble ? LOG_DEBUG : LOG_ERROR, "http",
		       "no metrics and no status: the address cannot be had; trying again",
		       "http.listener=%s retry_ms=%d error=" LOG_Q, worker->conf->http_listener, RETRY_MS, err.text);
	worker->http_trouble = worker->http == NULL;
}

static bool named(const char *path)
{
	return path != NULL && path[0] != '\0';
}

static void look_at_reports(struct worker *worker, int64_t now)
{
	const struct conf *conf = worker->conf;

	if (worker->reports_ns != 0 && now < worker->reports_ns + REPORTS_MS * NS_PER_MS)
		return;
	worker->reports_ns = now;
	if (named(conf->metrics_drill_report))
		drills_read(conf->metrics_drill_report, &worker->drills);
	if (named(conf->metrics_verify_report))
		verifies_read(conf->metrics_verify_report, &worker->verifies);
}

static void publish_due(struct timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, publish_timer);
	int64_t now = clock_mono_ns();

	if (worker->http == NULL && worker->told_first)   /* another line comes first */
		listen_again(worker, now);
	if (worker->http != NULL) {
		look_at_reports(worker, now);
		board_publish(&worker->board, page_make(worker));
	}
	loop_timer_set(worker->loop, timer, now + (worker->told_first ? PERIOD_MS : FIRST_MS) * NS_PER_MS);
}

void publish_start(struct worker *worker)
{
	if (worker->conf->http.host == NULL)
		return;
	worker->publish_timer.done = publish_due;
	publish_due(&worker->publish_timer);
}

void publish_stop(struct worker *worker)
{
	loop_timer_clear(&worker->publish_timer);
	http_close(worker->http);
	worker->http = NULL;
	verifies_fini(&worker->verifies);
}
