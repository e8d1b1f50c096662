/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/both.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/mirrors.h"

#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 30000 };

static enum outcome forgive(struct err *err)
{
	*err = (struct err){ 0 };
	return OUTCOME_DONE;
}

/* A topic that is no mirror, but may become one: what --adopt has refused can be looked at. */
static bool of_topic(struct cli *cli, const char *topic, struct both *both)
{
	const char *link = cli->args.values[OPT_LINK];
	struct admin_topic found;
	struct err unused;

	if (!both->any_topic || link == NULL ||
	    admin_topic(cli->session.destination, topic, cli->session.deadline_ns, &both->arena, &found, &unused) != RC_OK ||
	    mirror_source_topic(&cli->session, link, topic, &both->source_topic, &unused) != OUTCOME_DONE)
		return false;
	both->link = xstrdup(link);
	both->stopped = true;
	return true;
}

static enum outcome of_mirror(struct cli *cli, const char *topic, struct both *both, struct err *err)
{
	enum outcome outcome = session_resolve(&cli->session, cli->args.values[OPT_LINK], topic, &both->link, err);
	struct mirror_wish wish = { 0 };
	struct mirror_state state = { 0 };

	if (outcome != OUTCOME_DONE)
		return err->rc == RC_NOT_FOUND && of_topic(cli, topic, both) ? forgive(err) : outcome;
	if (control_log_mirror(cli->session.log, both->link, topic, &wish, err) != RC_OK ||
	    control_log_mirror_state(cli->session.log, both->link, topic, &state, err) != RC_OK) {
		outcome = OUTCOME_FAILED;
	} else {
		both->source_topic = xstrdup(wish.source_topic);
		both->begins = json_incref(wish.start_offsets);
		both->stopped = state.status == MIRROR_STOPPED;
	}
	mirror_wish_fini(&wish);
	mirror_state_fini(&state);
	return outcome;
}

static enum outcome partitions_of(struct both *both, int side, int64_t deadline_ns, int32_t *n, struct err *err)
{
	struct admin_topic t;

	if (admin_topic(both->proof.clusters[side], both->proof.topics[side], deadline_ns, &both->arena, &t, err) != RC_OK)
		return outcome_of(err, side_of(side));
	*n = t.n_partitions;
	if (admin_describe_configs(both->proof.clusters[side], both->proof.topics[side], deadline_ns, &both->arena,
				   &both->settings[side], err) != RC_OK)
		return outcome_of(err, side_of(side));
	return OUTCOME_DONE;
}

/* One of the four numbers of each partition. */
static enum outcome measure(struct both *both, int side, int64_t timestamp, int64_t deadline_ns, struct err *err)
{
	struct admin_offsets offsets = { .n = both->proof.n, .timestamp = timestamp, .replica_id = ADMIN_CONSUMER,
					 .isolation = 1 };
	enum outcome outcome = OUTCOME_DONE;

	offsets.items = xcalloc((size_t)both->proof.n + 1, sizeof(*offsets.items));
	for (int i = 0; i < both->proof.n; i++) {
		offsets.items[i].topic = both->proof.topics[side];
		offsets.items[i].partition = both->proof.partitions[i].partition;
	}
	if (admin_list_offsets(both->proof.clusters[side], &offsets, deadline_ns, err) != RC_OK)
		outcome = outcome_of(err, side_of(side));
	for (int i = 0; i < both->proof.n; i++) {
		struct proof_partition *p = &both->proof.partitions[i];

		*(timestamp == ADMIN_EARLIEST ? &p->start[side] : &p->end[side]) = offsets.items[i].offset;
	}
	xfree(offsets.items);
	return outcome;
}

static const char *setting(const struct both *both, int side, const char *name)
{
	const struct admin_config *c = admin_config_find(&both->settings[side], name);

	return c == NULL || c->value == NULL ? "" : c->value;
}

static void cleaning(struct both *both)
{
	int64_t kept_ms = strtoll(setting(both, COMPARE_SOURCE, "delete.retention.ms"), NULL, 10);

	for (int side = 0; side < COMPARE_SIDES; side++)
		if (strstr(setting(both, side, "cleanup.policy"), "compact") != NULL)
			both->proof.compacted = true;
	both->proof.expired_before_ms = clock_wall_ms() - MAX(kept_ms, 0);
}

/* The destination first: what it has now the source had before, and its start follows the source's. */
static enum outcome measure_all(struct both *both, int64_t deadline_ns, struct err *err)
{
	static const struct {
		int side;
		int64_t timestamp;
	} steps[] = {
		{ COMPARE_DESTINATION, ADMIN_EARLIEST }, { COMPARE_DESTINATION, ADMIN_LATEST },
		{ COMPARE_SOURCE, ADMIN_EARLIEST }, { COMPARE_SOURCE, ADMIN_LATEST },
	};
	enum outcome outcome = OUTCOME_DONE;

	for (size_t i = 0; i < ARRAY_LEN(steps) && outcome == OUTCOME_DONE; i++)
		outcome = measure(both, steps[i].side, steps[i].timestamp, deadline_ns, err);
	return outcome;
}

enum outcome both_open(struct cli *cli, const char *topic, struct both *both, struct err *err)
{
	struct session *session = &cli->session;
	enum outcome outcome;

	/* The default bounds each step of the way, not the comparison of all that a topic holds. */
	if (!cli->args.given[OPT_TIMEOUT])
		session->deadline_ns = clock_mono_ns() + cli->args.timeout_ms * NS_PER_MS;
	*both = (struct both){ .output = &cli->output, .topic = xstrdup(topic), .any_topic = both->any_topic };
	arena_init(&both->arena, 0);
	outcome = of_mirror(cli, topic, both, err);
	if (outcome == OUTCOME_DONE)
		outcome = session_source(session, both->link, session->deadline_ns, &both->source, err);
	if (outcome != OUTCOME_DONE)
		return outcome;
	both->proof = (struct proof){
		.clusters = { both->source, session->destination },
		.topics = { both->source_topic, both->topic },
		.pool = session->pool, .patience_ms = PATIENCE_MS,
		.deadline_ns = cli->args.given[OPT_TIMEOUT] ? session->deadline_ns : INT64_MAX,
	};
	outcome = partitions_of(both, COMPARE_SOURCE, session->deadline_ns, &both->n_source, err);
	if (outcome == OUTCOME_DONE)
		outcome = partitions_of(both, COMPARE_DESTINATION, session->deadline_ns, &both->n_destination, err);
	if (outcome != OUTCOME_DONE)
		return outcome;
	cleaning(both);
	both->proof.n = MIN(both->n_source, both->n_destination);
	both->proof.partitions = xcalloc((size_t)both->proof.n + 1, sizeof(*both->proof.partitions));
	for (int i = 0; i < both->proof.n; i++)
		both->proof.partitions[i].partition = i;
	outcome = measure_all(both, session->deadline_ns, err);
	if (outcome == OUTCOME_DONE)
		*err = (struct err){ 0 };   /* what was tried again has left its text */
	return outcome;
}

void both_close(struct both *both)
{
	for (int i = 0; i < both->proof.n; i++)
		compare_fini(&both->proof.partitions[i].compare);
	xfree(both->proof.partitions);
	xfree(both->link);
	xfree(both->topic);
	xfree(both->source_topic);
	json_decref(both->begins);
	arena_fini(&both->arena);
	*both = (struct both){ 0 };
}

static void show(void *owner, int64_t passed, int64_t total)
{
	const struct both *both = owner;

	output_progress(both->output, "%s: %lld of %lld offsets compared (%d%%)", both->topic, (long long)passed,
			(long long)total, total > 0 ? (int)((double)passed * 100 / (double)total) : 100);
}

int both_compare(struct both *both, struct err *err)
{
	both->proof.progress = show;
	both->proof.progress_owner = both;
	return proof_run(&both->proof, err);
}

enum outcome both_errors(const struct both *both)
{
	enum outcome worst = OUTCOME_DONE;

	for (int i = 0; i < both->proof.n; i++) {
		const struct proof_partition *p = &both->proof.partitions[i];

		if (p->err.rc != RC_OK)
			worst = outcome_worse(worst, outcome_of(&p->err, side_of(p->err_side)));
	}
	return worst;
}
