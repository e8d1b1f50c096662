/* SPDX-License-Identifier: Apache-2.0 */
/* The control log's topic: made, read, appended to.
 *
 * Reading goes up to the log end, not the high watermark: what stands between the two is waited for, because a decision
 * must see it. Failure modes:
 *  - the topic was deleted and made again (another topic id, or an offset out of range): the view is read anew;
 *  - nothing comes although the end is not reached: the high watermark stands still; wait until the deadline. */
#include "control/log.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/guard_io.h"
#include "control/log_update.h"
#include "wire/batch.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/produce.h"

#include <string.h>
#include <unistd.h>

enum {
	FETCH_BYTES = 1 << 20, READ_WAIT_MS = 100, PAUSE_MIN_MS = 2, PAUSE_SPREAD_MS = 20, PAUSE_MAX_MS = 500,
	BATCH_MAX = 4000000,
};

/* 2^62 | the first 61 bits of SHA-256("krmirror control log"), which begins with 4882c9a4ed578fe7. */
const int64_t control_log_producer_id = INT64_C(0x491059349daaf1fc);

struct control_log {
	struct cluster *cluster;
	char *topic;
	int32_t replication;
	char *principal;
	bool of_others;
	struct notes *notes;
	struct log_view view;
	struct uuid topic_id;
	bool exists;
};

struct control_log *control_log_create(struct cluster *destination, const struct control_log_opts *opts)
{
	struct control_log *log = xcalloc(1, sizeof(*log));

	log->cluster = destination;
	log->topic = xstrdup(opts->topic);
	log->replication = opts->replication;
	log->principal = opts->principal != NULL ? xstrdup(opts->principal) : NULL;
	log->notes = opts->notes;
	log->of_others = opts->of_others;
	log->view.position = -1;
	cluster_track(destination, log->topic);
	return log;
}

void control_log_destroy(struct control_log *log)
{
	if (log == NULL)
		return;
	cluster_untrack(log->cluster, log->topic);
	log_view_fini(&log->view);
	xfree(log->topic);
	xfree(log->principal);
	xfree(log);
}

int64_t control_log_position(const struct control_log *log)
{
	return log->view.position;
}

int64_t control_log_foreign(const struct control_log *log)
{
	return log->view.foreign;
}

bool control_log_exists(const struct control_log *log)
{
	return log->exists;
}

const struct control_record *control_log_get(const struct control_log *log, const char *key)
{
	return log_view_get(&log->view, key);
}

const struct control_record *control_log_next(const struct control_log *log, enum record_kind kind,
					      const struct control_record *after)
{
	return log_view_next(&log->view, kind, after);
}

/* --- reading ------------------------------------------------------------------------------------------------- */

static enum outcome failed(const struct err *err)
{
	return outcome_of(err, SIDE_DESTINATION);
}

static void forget(struct control_log *log)
{
	log_view_reset(&log->view);
	log->exists = false;
	memset(&log->topic_id, 0, sizeof(log->topic_id));
}

/* Whether the topic is there, from metadata that was just asked for. */
static enum outcome look(struct control_log *log, int64_t deadline_ns, struct err *err)
{
	struct arena arena;
	struct admin_topic topic;
	int rc;

	arena_init(&arena, 0);
	rc = admin_topic(log->cluster, log->topic, deadline_ns, &arena, &topic, err);
	arena_fini(&arena);
	if (rc == RC_NOT_FOUND) {
		forget(log);
		return OUTCOME_DONE;
	}
	if (rc != RC_OK)
		return failed(err);
	log->exists = true;
	return OUTCOME_DONE;
}

/* Another topic of the same name: nothing that was read of the old one holds. */
static void check_identity(struct control_log *log)
{
	const struct topic_meta *t = cluster_topic(log->cluster, log->topic);

	if (!t->known || t->error != 0 || uuid_eq(&t->id, &log->topic_id))
		return;
	if (!uuid_is_zero(&log->topic_id))
		log_view_reset(&log->view);
	log->topic_id = t->id;
}

static int offset_of(struct control_log *log, int64_t timestamp, int32_t replica_id, int64_t deadline_ns,
		     int64_t *offset, struct err *err)
{
	struct admin_offset item = { .topic = log->topic, .partition = 0 };
	struct admin_offsets offsets = { .items = &item, .n = 1, .timestamp = timestamp, .replica_id = replica_id };
	int rc = admin_list_offsets(log->cluster, &offsets, deadline_ns, err);

	*offset = item.offset;
	return rc;
}

/* One fetch at the position; *came: the position moved. */
static int fetch_once(struct control_log *log, int32_t wait_ms, int64_t deadline_ns, bool *came, struct err *err)
{
	struct admin_fetch what = { log->topic, 0, log->view.position, FETCH_BYTES, wait_ms };
	struct admin_fetched fetched;
	struct call call;
	int rc = admin_fetch(log->cluster, &call, &what, deadline_ns, &fetched, err);

	*came = false;
	if (rc == RC_OK) {
		int64_t before = log->view.position;

		log_view_take(&log->view, fetched.records, fetched.len);
		*came = log->view.position > before;
	} else if (rc == RC_KAFKA && err->kafka == KERR_OFFSET_OUT_OF_RANGE) {
		log_view_reset(&log->view);
		rc = RC_OK;
		*came = true;
	}
	call_fini(&call);
	return rc;
}

static int find_start(struct control_log *log, int64_t deadline_ns, struct err *err)
{
	if (log->view.position >= 0)
		return RC_OK;
	return offset_of(log, ADMIN_EARLIEST, ADMIN_CONSUMER, deadline_ns, &log->view.position, err);
}

static int read_to(struct control_log *log, int64_t end, int64_t deadline_ns, struct err *err)
{
	bool came;

	do {
		int rc = find_start(log, deadline_ns, err);

		if (rc == RC_OK && log->view.position < end)
			rc = fetch_once(log, READ_WAIT_MS, deadline_ns, &came, err);
		if (rc != RC_OK)
			return rc;
		if (log->view.position >= end)
			return RC_OK;
	} while (clock_mono_ns() < deadline_ns);
	return err_set(err, RC_TIMEOUT, "destination: the high watermark of %s-0 stands below its end (%lld of %lld)",
		       log->topic, (long long)log->view.position, (long long)end);
}

/* Reads up to the log end as it is now. */
static enum outcome read_now(struct control_log *log, int64_t deadline_ns, int64_t *end, struct err *err)
{
	int rc;

	check_identity(log);
	rc = offset_of(log, ADMIN_LATEST, ADMIN_LOG_END, deadline_ns, end, err);
	if (rc == RC_OK)
		rc = read_to(log, *end, deadline_ns, err);
	if (rc == RC_NOT_FOUND) {
		forget(log);
		return OUTCOME_DONE;
	}
	return rc == RC_OK ? OUTCOME_DONE : failed(err);
}

static enum outcome look_and_read(struct control_log *log, int64_t deadline_ns, struct err *err)
{
	enum outcome outcome = look(log, deadline_ns, err);
	int64_t end;

	if (outcome != OUTCOME_DONE || !log->exists)
		return outcome;
	return read_now(log, deadline_ns, &end, err);
}

enum outcome control_log_read(struct control_log *log, int64_t deadline_ns, struct err *err)
{
	struct guard_control guard = { log->cluster, log->topic, log->principal, deadline_ns, .mend = true };
	enum outcome outcome = look_and_read(log, deadline_ns, err);
	struct err unused;

	/* A guard that was cut short may have shut krmirror itself out. */
	if (outcome == OUTCOME_AUTH && !log->of_others && guard_control_topic(&guard, &unused) == OUTCOME_DONE && guard.mended)
		outcome = look_and_read(log, deadline_ns, err);
	if (outcome == OUTCOME_AUTH && !log->of_others && err->kafka == KERR_TOPIC_AUTHORIZATION_FAILED)
		err_hint(err, "grant READ and WRITE on Topic %s to krmirror's principal; where it was created by a super user, "
			 "a DENY for User:* must be removed from it first: krmirror-security(7)", log->topic);
	return outcome;
}

enum outcome control_log_poll(struct control_log *log, int32_t wait_ms, int64_t deadline_ns, bool *changed,
			      struct err *err)
{
	bool came = false, any = false;
	int rc;

	if (changed != NULL)
		*changed = false;
	if (!log->exists) {
		enum outcome outcome = control_log_read(log, deadline_ns, err);

		if (changed != NULL)
			*changed = outcome == OUTCOME_DONE && log->exists;
		return outcome;
	}
	check_identity(log);
	do {
		rc = find_start(log, deadline_ns, err);
		if (rc == RC_OK)
			rc = fetch_once(log, any ? 0 : wait_ms, deadline_ns, &came, err);
		any = any || came;
	} while (rc == RC_OK && came);
	if (rc == RC_NOT_FOUND) {
		forget(log);
		rc = RC_OK;
		any = true;
	}
	if (changed != NULL)
		*changed = any;
	return rc == RC_OK ? OUTCOME_DONE : failed(err);
}

/* --- making the topic ---------------------------------------------------------------------------------------- */

static int wait_made(struct control_log *log, int64_t deadline_ns, struct err *err)
{
	int32_t node, epoch;
	int rc;

	/* Metadata lags behind creation. */
	do
		rc = cluster_wait_leader(log->cluster, log->topic, 0, deadline_ns, &node, &epoch, err);
	while (rc == RC_NOT_FOUND && clock_mono_ns() < deadline_ns);
	return rc;
}

/* Who writes to it commands the workers, who reads it sees the links: nobody else does either. */
static enum outcome guard(struct control_log *log, int64_t deadline_ns, struct err *err)
{
	struct guard_control guard = { log->cluster, log->topic, log->principal, deadline_ns, .mend = false };
	enum outcome outcome = guard_control_topic(&guard, err);

	if (guard.why != NULL && log->notes != NULL)
		notes_add(log->notes, "others are not kept from %s: %s", log->topic, guard.why);
	return outcome;
}

enum outcome control_log_make(struct control_log *log, int64_t deadline_ns, struct err *err)
{
	int32_t brokers = cluster_n_nodes(log->cluster);
	int32_t replication = log->replication > 0 ? log->replication : MIN(3, MAX(brokers, 1));
	struct admin_setting settings[] = {
		{ "cleanup.policy", "compact" }, { "segment.ms", "3600000" }, { "segment.bytes", "16777216" },
		{ "max.message.bytes", "4194304" }, { "min.insync.replicas", "2" },
	};
	struct admin_new_topic topic = {
		.name = log->topic, .n_partitions = 1, .replication_factor = (int16_t)replication,
		.settings = settings, .n_settings = ARRAY_LEN(settings) - (replication >= 3 ? 0 : 1),
	};
	int rc = admin_create_topic(log->cluster, &topic, false, deadline_ns, NULL, err);
	bool made = rc == RC_OK;

	if (rc == RC_OK || rc == RC_EXISTS)
		rc = wait_made(log, deadline_ns, err);
	if (rc != RC_OK)
		return failed(err);
	log->exists = true;
	return made ? guard(log, deadline_ns, err) : OUTCOME_DONE;
}

/* --- compare and append -------------------------------------------------------------------------------------- */

struct log_kafka {
	struct log_io io;
	struct control_log *log;
	int64_t deadline_ns;
	int tries;
};

static struct log_kafka *kafka_of(struct log_io *io)
{
	return container_of(io, struct log_kafka, io);
}

static enum outcome kafka_sequence(struct log_io *io, int32_t *last, struct err *err)
{
	struct log_kafka *k = kafka_of(io);
	const struct admin_producer *own;
	struct admin_producers producers;
	struct arena arena;
	int rc;

	*last = -1;
	arena_init(&arena, 0);
	rc = admin_describe_producers(k->log->cluster, k->log->topic, 0, k->deadline_ns, &arena, &producers, err);
	own = rc == RC_OK ? admin_producer_find(&producers, control_log_producer_id) : NULL;
	if (own != NULL)
		*last = own->last_sequence;
	arena_fini(&arena);
	if (rc == RC_NOT_FOUND) {
		forget(k->log);
		return OUTCOME_DONE;
	}
	return rc == RC_OK ? OUTCOME_DONE : failed(err);
}

static enum outcome kafka_read_to_end(struct log_io *io, int64_t *end, struct err *err)
{
	struct log_kafka *k = kafka_of(io);
	enum outcome outcome = k->log->exists ? OUTCOME_DONE : look(k->log, k->deadline_ns, err);

	*end = 0;
	if (outcome != OUTCOME_DONE || !k->log->exists)
		return outcome;
	return read_now(k->log, k->deadline_ns, end, err);
}

static bool batch_bytes(const struct control_batch *batch, int32_t sequence, struct arena *arena, struct bytes *out)
{
	struct batch_record *records = arena_new(arena, struct batch_record, batch->n);
	struct batch_draft draft = {
		.records = records, .n = batch->n, .timestamp = clock_wall_ms(),
		.stamp = { .producer_id = control_log_producer_id, .base_sequence = sequence },
	};

	for (int i = 0; i < batch->n; i++) {
		const struct batch_put *put = &batch->items[i];
		char *text = put->value == NULL ? NULL : json_dumps(put->value, JSON_COMPACT | JSON_SORT_KEYS);

		records[i].key = (struct bytes){ (const uint8_t *)put->key, (int32_t)strlen(put->key) };
		records[i].value = (struct bytes){ NULL, -1 };
		if (text == NULL)
			continue;
		records[i].value.len = (int32_t)strlen(text);
		records[i].value.data = (const uint8_t *)arena_strdup(arena, text);
		xfree(text);
	}
	*out = batch_build(&draft, arena);
	return out->data != NULL && out->len <= BATCH_MAX;
}

/* What the answer's code says about the batch. */
static enum log_sent judge(int16_t code, const char *topic, bool *fatal, struct err *err)
{
	const struct kerr *k = kerr_find(code);

	if (code == KERR_NONE)
		return LOG_SENT_OK;
	err_set(err, code == KERR_TOPIC_AUTHORIZATION_FAILED ? RC_AUTH : RC_KAFKA, "destination: cannot write to %s: %s",
		topic, k->name);
	err->kafka = code;
	if (err->rc == RC_AUTH)
		err_hint(err, "grant WRITE on Topic %s to krmirror's principal on the destination cluster", topic);
	*fatal = k->action == KERR_STOP;
	return k->stored == KERR_STORED_NO ? LOG_SENT_REFUSED : LOG_SENT_UNKNOWN;
}

static enum log_sent produce(struct log_kafka *k, int32_t node, struct bytes batch, int64_t *base, bool *fatal,
			     struct err *err)
{
	enum log_sent sent = LOG_SENT_UNKNOWN;
	struct call call = { 0 };

	call_init(&call, &produce_api, NULL, NULL);
	produce_ask(&call, k->log->topic, 0, batch);
	call.deadline_ns = MIN(k->deadline_ns, clock_mono_ns() + 2 * PRODUCE_TIMEOUT_MS * NS_PER_MS);
	if (call_wait(k->log->cluster, node, &call, err) != RC_OK)
		sent = call.sent ? LOG_SENT_UNKNOWN : LOG_SENT_REFUSED;
	else
		sent = judge(produce_answer(&call, base), k->log->topic, fatal, err);
	call_fini(&call);
	return sent;
}

static enum log_sent kafka_append(struct log_io *io, const struct control_batch *batch, int32_t sequence,
				  int64_t *base, bool *fatal, struct err *err)
{
	struct log_kafka *k = kafka_of(io);
	enum log_sent sent = LOG_SENT_REFUSED;
	struct arena arena;
	struct bytes bytes;
	int32_t node, epoch;

	arena_init(&arena, 0);
	if (!batch_bytes(batch, sequence, &arena, &bytes)) {
		*fatal = true;
		err_set(err, RC_REFUSED, "a change of more than 4 MB does not fit into the control log");
	} else if (cluster_wait_leader(k->log->cluster, k->log->topic, 0, k->deadline_ns, &node, &epoch, err) == RC_OK) {
		sent = produce(k, node, bytes, base, fatal, err);
		if (sent != LOG_SENT_OK && !*fatal)
			cluster_refresh(k->log->cluster);
	}
	arena_fini(&arena);
	return sent;
}

static enum outcome kafka_make(struct log_io *io, struct err *err)
{
	return control_log_make(kafka_of(io)->log, kafka_of(io)->deadline_ns, err);
}

static bool kafka_exists(struct log_io *io)
{
	return kafka_of(io)->log->exists;
}

/* Apart from each other by chance, so that writers who race do not do it in step. */
static bool kafka_pause(struct log_io *io)
{
	struct log_kafka *k = kafka_of(io);
	int64_t spread = (int64_t)PAUSE_SPREAD_MS << MIN(k->tries, 5), now = clock_mono_ns(), at;

	k->tries++;
	at = now + MIN(PAUSE_MIN_MS + now / 1000 % spread, (int64_t)PAUSE_MAX_MS) * NS_PER_MS;
	if (at >= k->deadline_ns)
		return false;
	loop_wait_until(cluster_loop(k->log->cluster), at);
	return true;
}

enum outcome control_log_update(struct control_log *log, control_decide_fn *decide, void *arg, int64_t deadline_ns,
				bool *appended, struct err *err)
{
	struct log_kafka k = {
		.io = { kafka_sequence, kafka_read_to_end, kafka_append, kafka_make, kafka_exists, kafka_pause,
			&log->view },
		.log = log, .deadline_ns = deadline_ns,
	};

	return log_update(&k.io, log, decide, arg, appended, err);
}
