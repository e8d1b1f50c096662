/* SPDX-License-Identifier: Apache-2.0 */
/* What a failover lacks: the offsets of the source above the mirror's end. The source is asked once, and not waited for;
 * what it said last stands in the control log. */
#include "control/stop_priv.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin.h"
#include "wire/msg/kerr_codes.h"

#include <string.h>

enum { SOURCE_WAIT_MS = 1000 };

/* Where the mirror ends, or ended when its door was closed. */
static int64_t mirror_end(const struct mirror_state *state, const struct partition_info *p)
{
	char key[16];
	const json_t *end;

	snprintf(key, sizeof(key), "%d", p->partition);
	end = json_object_get(state->ends, key);
	return json_is_integer(end) ? json_integer_value(end) : p->local_log_end_offset;
}

/* *ends: where the mirror ends, to be compared with. */
static void recorded(const struct session *session, struct stop_result *result, int64_t *ends)
{
	const struct mirror_info *info = &result->info;
	struct mirror_state state = { 0 };
	struct err unused;
	bool known = control_log_mirror_state(session->log, info->link_name, info->mirror_topic_name, &state, &unused) == RC_OK;

	for (int32_t i = 0; i < info->num_partition; i++) {
		struct stop_missing *missing = &result->missing[i];
		const struct partition_state *p = known ? mirror_state_find(&state, i) : NULL;

		*missing = (struct stop_missing){ -1, -1, -1, -1, .source_gone = false };
		ends[i] = known ? mirror_end(&state, &info->partitions[i]) : -1;
		if (p == NULL || p->source_end < 0)
			continue;
		missing->source_end = p->source_end;
		if (p->source_end_ms >= 0)
			missing->source_end_age_ms = MAX(clock_wall_ms() - p->source_end_ms, 0);
		if (ends[i] >= 0)
			missing->by_last_end = MAX(p->source_end - MAX(ends[i], p->seed_to), 0);
	}
	mirror_state_fini(&state);
}

/* A promoted one lacks nothing, and what its source got later is no loss. */
static bool concerns(const struct stop_result *result)
{
	const char *how = result->info.stopped_how;

	return result->info.partitions != NULL && result->info.source_topic_name != NULL &&
	       (how == NULL || strcmp(how, "promoted") != 0);
}

struct asking {
	struct stop_result **results;
	int64_t **ends;
	int n;
};

/* One question for all partitions of all; what is not answered has an error. The caller frees items with xfree. */
static struct admin_offsets source_offsets(struct cluster *source, const struct asking *a, int64_t timestamp, int64_t deadline)
{
	struct admin_offsets all = { .timestamp = timestamp, .replica_id = ADMIN_CONSUMER, .isolation = 1, .settle_ms = 1 };
	struct err unused;
	int at = 0;

	for (int i = 0; i < a->n; i++)
		all.n += a->results[i]->info.num_partition;
	all.items = xcalloc((size_t)all.n + 1, sizeof(*all.items));
	for (int i = 0; i < a->n; i++)
		for (int32_t p = 0; p < a->results[i]->info.num_partition; p++, at++) {
			all.items[at].topic = a->results[i]->info.source_topic_name;
			all.items[at].partition = p;
			all.items[at].error = -1;
		}
	if (all.n > 0)
		(void)!admin_list_offsets(source, &all, deadline, &unused);
	return all;
}

/* What lies below the source's start nobody can miss: a mirror that was being seeded up to there lacks what is above. */
static void ask(struct session *session, const struct asking *a)
{
	int64_t deadline = clock_mono_ns() + SOURCE_WAIT_MS * NS_PER_MS;
	struct admin_offsets ends, starts;
	struct cluster *source;
	struct err unused;
	int at = 0;

	if (session_source(session, a->results[0]->info.link_name, deadline, &source, &unused) != OUTCOME_DONE)
		return;
	starts = source_offsets(source, a, ADMIN_EARLIEST, deadline);
	ends = source_offsets(source, a, ADMIN_LATEST, deadline);
	for (int i = 0; i < a->n; i++)
		for (int32_t p = 0; p < a->results[i]->info.num_partition; p++, at++) {
			struct stop_missing *missing = &a->results[i]->missing[p];

			missing->source_gone = ends.items[at].error == KERR_UNKNOWN_TOPIC_OR_PARTITION;
			if (ends.items[at].error == 0 && starts.items[at].error == 0 && a->ends[i][p] >= 0)
				missing->records = MAX(ends.items[at].offset - MAX(a->ends[i][p], starts.items[at].offset), 0);
		}
	xfree(starts.items);
	xfree(ends.items);
}

static bool of_link(const struct stop_result *result, const char *link)
{
	return result->missing != NULL && strcmp(result->info.link_name, link) == 0;
}

void stop_ask_missing(struct session *session, struct arena *arena, struct stop_result *results, int n)
{
	struct asking a = { xcalloc((size_t)n, sizeof(struct stop_result *)), xcalloc((size_t)n, sizeof(int64_t *)), 0 };
	int64_t **ends = xcalloc((size_t)n, sizeof(int64_t *));
	bool *asked = xcalloc((size_t)n, sizeof(bool));

	for (int i = 0; i < n; i++) {
		if (!concerns(&results[i]))
			continue;
		results[i].missing = arena_new(arena, struct stop_missing, results[i].info.num_partition);
		ends[i] = arena_new(arena, int64_t, results[i].info.num_partition);
		recorded(session, &results[i], ends[i]);
	}
	for (int i = 0; i < n; i++) {
		if (results[i].missing == NULL || asked[i])
			continue;
		a.n = 0;
		for (int j = i; j < n; j++) {
			if (!of_link(&results[j], results[i].info.link_name))
				continue;
			asked[j] = true;
			a.ends[a.n] = ends[j];
			a.results[a.n++] = &results[j];
		}
		ask(session, &a);
	}
	xfree(a.results);
	xfree(a.ends);
	xfree(ends);
	xfree(asked);
}
