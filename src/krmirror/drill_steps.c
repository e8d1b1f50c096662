/* SPDX-License-Identifier: Apache-2.0 */
/* Everything goes through the code that the real commands use: mirror create, the running worker, failover. */
#include "krmirror/drill.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin_groups.h"
#include "control/mirrors.h"
#include "control/stop.h"
#include "control/verbs.h"
#include "wire/batch.h"

#include <stdarg.h>
#include <string.h>

enum { LOOK_MS = 50, SETTLE_MS = 10000, ANSWER_MS = 5000 };

void drill_detail(struct drill *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->detail, sizeof(d->detail), fmt, ap);
	va_end(ap);
}

/* Runs the loop until the condition holds; OUTCOME_TIMED_OUT with what at the session's deadline. */
static enum outcome wait_until(struct drill *d, bool (*done)(struct drill *d), const char *what, struct err *err)
{
	while (!done(d)) {
		if (clock_mono_ns() >= d->session->deadline_ns) {
			err_set(err, RC_TIMEOUT, "%s", what);
			return OUTCOME_TIMED_OUT;
		}
		loop_wait_until(d->session->loop, clock_mono_ns() + LOOK_MS * NS_PER_MS);
	}
	return OUTCOME_DONE;
}

/* --- both clusters ---------------------------------------------------------------------------------------------- */

enum outcome drill_connect(struct drill *d, struct err *err)
{
	enum outcome outcome = session_connect(d->session, err);
	struct link_wish link = { 0 };

	if (outcome != OUTCOME_DONE)
		return outcome;
	d->connected = true;
	if (control_log_link(d->session->log, d->plan.link, &link, err) != RC_OK)
		outcome = OUTCOME_FAILED;
	link_wish_fini(&link);
	drill_detail(d, "destination cluster %s", cluster_id(d->session->destination));
	return outcome;
}

/* The mirrors' names, and where the source is, are the link's. */
static enum outcome read_link(struct drill *d, char **bootstrap, struct err *err)
{
	struct link_conf conf;
	int rc = session_link_conf(d->session, d->plan.link, &conf, err);

	for (int64_t t = 0; t < d->plan.topics && rc == RC_OK; t++) {
		char name[DRILL_NAME_MAX + 256];

		snprintf(name, sizeof(name), "%s%s", conf.prefix, d->topics[t]);
		xfree(d->mirrors[t]);
		d->mirrors[t] = xstrdup(name);
	}
	if (rc == RC_OK && conf.source.bootstrap_text != NULL)
		*bootstrap = xstrdup(conf.source.bootstrap_text);
	link_conf_fini(&conf);
	return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

static bool names_servers(const char *path)
{
	struct props props = { 0 };
	struct err unused;
	bool does = props_load(&props, path, &unused) == RC_OK && props_find(&props, "bootstrap.servers") != NULL;

	props_fini(&props);
	return does;
}

static enum outcome dial(struct drill *d, const char *bootstrap, struct err *err)
{
	const char *path = d->plan.source_command_config;
	struct conf_files files = { .command_config = path, .bootstrap = names_servers(path) ? NULL : bootstrap };
	struct notes notes = { 0 };
	struct cluster_opts opts;
	int rc = conf_load(&d->source_conf, &files, &notes, err);

	d->own_source = true;
	notes_fini(&notes);
	if (rc != RC_OK)
		return OUTCOME_USAGE;
	client_conf_opts(&d->source_conf.destination, side_name(SIDE_SOURCE), NULL, &opts);
	d->source = cluster_create(d->session->loop, d->session->pool, &opts);
	rc = cluster_wait_metadata(d->source, NULL, d->session->deadline_ns, err);
	return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_SOURCE);
}

enum outcome drill_source(struct drill *d, struct err *err)
{
	char *bootstrap = NULL;
	struct cluster *linked = NULL;
	enum outcome outcome = read_link(d, &bootstrap, err);

	if (outcome == OUTCOME_DONE)
		outcome = session_source(d->session, d->plan.link, d->session->deadline_ns, &linked, err);
	if (outcome == OUTCOME_DONE && d->plan.source_command_config == NULL)
		d->source = linked;
	else if (outcome == OUTCOME_DONE)
		outcome = dial(d, bootstrap, err);
	xfree(bootstrap);
	if (outcome == OUTCOME_DONE && strcmp(cluster_id(d->source), cluster_id(linked)) != 0) {
		err_set(err, RC_USAGE, "source_command_config leads to cluster %s, the link to %s", cluster_id(d->source),
			cluster_id(linked));
		return OUTCOME_USAGE;
	}
	if (outcome == OUTCOME_DONE)
		drill_detail(d, "source cluster %s", cluster_id(d->source));
	return outcome;
}

void drill_disconnect(struct drill *d)
{
	writer_destroy(d->writer);
	d->writer = NULL;
	if (d->own_source && d->source != NULL)
		cluster_destroy_wait(d->source);
	if (d->own_source)
		conf_fini(&d->source_conf);
	d->source = NULL;
	d->own_source = false;
}

/* --- canaries --------------------------------------------------------------------------------------------------- */

enum outcome drill_create(struct drill *d, struct err *err)
{
	for (int64_t t = 0; t < d->plan.topics; t++) {
		struct admin_new_topic topic = { .name = d->topics[t], .n_partitions = (int32_t)d->plan.partitions,
						 .replication_factor = -1 };

		d->made = true;
		if (admin_create_topic(d->source, &topic, false, d->session->deadline_ns, NULL, err) != RC_OK)
			return outcome_of(err, SIDE_SOURCE);
	}
	drill_detail(d, "%lld topics of %lld partitions", (long long)d->plan.topics, (long long)d->plan.partitions);
	return OUTCOME_DONE;
}

/* A broker may not know yet what the controller has just made. */
static enum outcome mirror_one(struct drill *d, int64_t t, struct err *err)
{
	int64_t until = MIN(d->session->deadline_ns, clock_mono_ns() + SETTLE_MS * NS_PER_MS);
	struct mirror_create_opts opts = { .topic = d->mirrors[t], .link = d->plan.link, .source_topic = d->topics[t],
					   .replication_factor = -1 };
	struct mirror_created created;
	enum outcome outcome;

	for (;;) {
		*err = (struct err){ 0 };
		created = (struct mirror_created){ 0 };
		outcome = mirror_create_topic(d->session, &opts, &d->cli->arena, &created, err);
		json_decref(created.adopted_end);
		if (outcome == OUTCOME_DONE || err->rc != RC_NOT_FOUND || clock_mono_ns() >= until)
			return outcome;
		loop_wait_until(d->session->loop, clock_mono_ns() + LOOK_MS * NS_PER_MS);
	}
}

enum outcome drill_mirror_step(struct drill *d, struct err *err)
{
	int workers = 0;
	enum outcome outcome = session_workers(d->session, &workers, err);

	if (outcome == OUTCOME_DONE && workers == 0) {
		err_set(err, RC_REFUSED, "no worker is running: nothing would be copied");
		err_hint(err, "start one beside the destination: krmirrord(8)");
		return OUTCOME_FAILED;
	}
	for (int64_t t = 0; t < d->plan.topics && outcome == OUTCOME_DONE; t++)
		outcome = mirror_one(d, t, err);
	drill_detail(d, "%d workers", workers);
	return outcome;
}

static bool all_written(struct drill *d)
{
	return writer_acked(d->writer) >= d->plan.records;
}

enum outcome drill_write(struct drill *d, struct err *err)
{
	const struct err *trouble;
	enum outcome outcome;

	d->session->deadline_ns += d->plan.records * NS_PER_S / d->plan.rate;
	d->writer = writer_create(d->source, d->plan.rate);
	for (int i = 0; i < d->n_parts; i++)
		writer_add(d->writer, drill_topic(d, i), drill_partition(d, i));
	writer_start(d->writer);
	outcome = wait_until(d, all_written, "the records could not be written in time", err);
	trouble = writer_trouble(d->writer);
	drill_detail(d, "%lld records acknowledged", (long long)writer_acked(d->writer));
	if (outcome == OUTCOME_DONE || trouble == NULL)
		return outcome;
	*err = *trouble;
	return outcome_of(err, SIDE_SOURCE);
}

/* A question of its own time: asked just before the step's deadline it would blame a destination that answers. */
static enum outcome read_ends(struct drill *d, int64_t *have, struct err *err)
{
	int64_t deadline = d->session->deadline_ns + ANSWER_MS * NS_PER_MS;

	for (int64_t t = 0; t < d->plan.topics; t++) {
		struct ends_of what = { d->mirrors[t], (int32_t)d->plan.partitions, ADMIN_LATEST, ADMIN_CONSUMER, 0 };

		if (topic_ends(d->session->destination, &what, deadline, have + t * d->plan.partitions, err) != RC_OK)
			return outcome_of(err, SIDE_DESTINATION);
	}
	return OUTCOME_DONE;
}

static bool all_copied(const struct drill *d, const int64_t *have, const int64_t *want)
{
	for (int i = 0; i < d->n_parts; i++)
		if (have[i] < want[i])
			return false;
	return true;
}

/* Until the mirrors have what was written when it was first asked; more comes all the time. */
enum outcome drill_copy(struct drill *d, struct err *err)
{
	int64_t *want = xcalloc((size_t)d->n_parts, sizeof(*want)), *have = xcalloc((size_t)d->n_parts, sizeof(*have));
	enum outcome outcome;

	for (int i = 0; i < d->n_parts; i++)
		want[i] = writer_part(d->writer, i)->end;
	while ((outcome = read_ends(d, have, err)) == OUTCOME_DONE && !all_copied(d, have, want)) {
		if (clock_mono_ns() >= d->session->deadline_ns) {
			err_set(err, RC_TIMEOUT, "the worker has not copied the canaries in time");
			err_hint(err, "`krmirror mirror list` and the worker's log tell why");
			outcome = OUTCOME_TIMED_OUT;
			break;
		}
		loop_wait_until(d->session->loop, clock_mono_ns() + LOOK_MS * NS_PER_MS);
	}
	xfree(want);
	xfree(have);
	return outcome;
}

/* --- groups ----------------------------------------------------------------------------------------------------- */

/* Each group stands elsewhere: a half, a third, a quarter of what was written. */
enum outcome drill_groups(struct drill *d, struct err *err)
{
	for (int64_t g = 0; g < d->plan.groups; g++) {
		for (int i = 0; i < d->n_parts; i++)
			d->positions[g * d->n_parts + i] = writer_part(d->writer, i)->end / (g + 2);
		if (drill_commit(d, (int)g, true, err) != RC_OK)
			return outcome_of(err, SIDE_SOURCE);
	}
	drill_detail(d, "%lld groups committed at the source", (long long)d->plan.groups);
	return OUTCOME_DONE;
}

/* --- failing over ------------------------------------------------------------------------------------------------ */

enum outcome drill_failover(struct drill *d, struct err *err)
{
	struct stop_opts opts = {
		.kind = WISH_FAILOVER, .link = d->plan.link, .topics = (const char *const *)d->mirrors,
		.n_topics = (int)d->plan.topics, .wait = true, .wait_until_ns = d->session->deadline_ns,
	};
	struct stop_result *results = NULL;
	enum outcome outcome;
	int n = 0;

	d->decided_ns = clock_mono_ns();
	d->decided_ms = clock_wall_ms();
	outcome = stop_topics(d->session, &opts, &d->cli->arena, &results, &n, err);
	for (int i = 0; i < n && outcome != OUTCOME_DONE; i++)
		if (results[i].outcome == outcome) {
			*err = results[i].err;
			break;
		}
	drill_detail(d, "door: %s", n > 0 && results[0].door != NULL ? results[0].door : "not closed");
	return outcome;
}

enum outcome drill_writable(struct drill *d, struct err *err)
{
	static const uint8_t text[] = "probe";
	const struct batch_record record = { { text, sizeof(text) - 1 }, { text, sizeof(text) - 1 } };
	struct batch_draft draft = { .records = &record, .n = 1, .timestamp = clock_wall_ms(), .stamp = { -1, -1, -1 } };

	for (int i = 0; i < d->n_parts; i++) {
		struct admin_batch batch = { drill_mirror(d, i), drill_partition(d, i), batch_build(&draft, &d->cli->arena) };

		if (admin_produce(d->session->destination, &batch, d->session->deadline_ns, &d->probes[i], err) != RC_OK)
			return outcome_of(err, SIDE_DESTINATION);
	}
	d->rto_ms = (clock_mono_ns() - d->decided_ns) / NS_PER_MS;
	writer_stop(d->writer);
	drill_detail(d, "every partition took a record %lld ms after the decision", (long long)d->rto_ms);
	return OUTCOME_DONE;
}
