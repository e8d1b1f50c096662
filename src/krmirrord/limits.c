/* SPDX-License-Identifier: Apache-2.0 */
/* A batch that is larger than the destination topic takes: the source's limit was raised after the mirror was created.
 * The topic's max.message.bytes follows it; the lane tries again by itself. What cannot be raised (a missing right, a
 * limit of the broker, segment.bytes) stays named in the lane's error. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/admin.h"

#include <stdlib.h>

enum { LOOK_MS = 1000, AGAIN_MS = 15000, DEADLINE_MS = 10000 };

static const char limit_name[] = "max.message.bytes";

static bool is_stuck(const struct mirror_row *row)
{
	for (int32_t p = 0; p < row->n_lanes; p++)
		if (row->lanes[p].mine && row->lanes[p].present && row->lanes[p].state == LANE_FAILED &&
		    row->lanes[p].reason == REASON_RECORD_TOO_LARGE)
			return true;
	return false;
}

/* -1: not known. */
static int64_t limit_of(struct cluster *cluster, const char *topic, struct err *err)
{
	const struct admin_config *limit;
	struct admin_configs configs;
	struct arena arena;
	int64_t value = -1;

	arena_init(&arena, 0);
	if (admin_describe_configs(cluster, topic, worker_deadline(DEADLINE_MS), &arena, &configs, err) == RC_OK) {
		limit = admin_config_find(&configs, limit_name);
		if (limit != NULL && limit->value != NULL)
			value = strtoll(limit->value, NULL, 10);
	}
	arena_fini(&arena);
	return value;
}

static void raise_limit(struct worker *worker, const struct mirror_row *row)
{
	struct err err = { 0 };
	struct cluster *source = row->link_row != NULL ? row->link_row->source : NULL;
	int64_t wanted = source != NULL ? limit_of(source, row->wish.source_topic, &err) : -1;
	int64_t here = limit_of(worker->session.destination, row->topic, &err);
	struct admin_setting setting = { .name = limit_name };
	char text[24];

	if (wanted < 0 || here < 0) {
		if (err.rc != RC_OK)
			worker_log_trouble(worker, "max.message.bytes could not be read", &err);
		return;
	}
	if (wanted <= here)
		return;   /* it is another limit */
	snprintf(text, sizeof(text), "%lld", (long long)wanted);
	setting.value = text;
	if (admin_alter_configs(worker->session.destination, row->topic, &setting, 1, worker_deadline(DEADLINE_MS), &err) ==
	    RC_OK)
		log_info("mirror", "max.message.bytes raised to the source's", "topic=%s from=%lld to=%lld", row->topic,
			 (long long)here, (long long)wanted);
	else
		log_warn("mirror", "max.message.bytes could not be raised to the source's",
			 "topic=%s value=%lld error=" LOG_Q " hint=" LOG_Q, row->topic, (long long)wanted, err.text, err.hint);
}

void limits_work(struct worker *worker)
{
	int64_t now = clock_mono_ns();

	if (now < worker->limits_ns || !worker->member.applied || worker->member.lapsed)
		return;
	worker->limits_ns = worker_deadline(LOOK_MS);
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		if (!row->present || !row->readable || row->limit_ns > now || !is_stuck(row))
			continue;
		row->limit_ns = worker_deadline(AGAIN_MS);
		raise_limit(worker, row);
	}
}
