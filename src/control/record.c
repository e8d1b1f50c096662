/* SPDX-License-Identifier: Apache-2.0 */
#include "control/record.h"

#include "base/mem.h"
#include "control/fields.h"

#include <stdlib.h>
#include <string.h>

enum { PARTITION_MAX = 1000000 };

static const char *const wish_names[] = { "mirror", "promote", "failover" };
static const char *const link_names[] = { "ACTIVE", "PAUSED", "UNAVAILABLE", "FAILED" };
static const char *const mirror_names[] = {
	"ACTIVE", "PAUSED", "LINK_PAUSED", "SOURCE_UNAVAILABLE", "LINK_FAILED", "FAILED", "PENDING_STOPPED", "STOPPED",
};

#define FIELD(type, member, kind) { #member, kind, offsetof(struct type, member), -1, false, NULL, 0 }
#define FIELD_AS(type, member, text, kind, def, req) { text, kind, offsetof(struct type, member), def, req, NULL, 0 }
#define FIELD_WORD(type, member, text, words, req)                                                                    \
	{ text, FIELD_ENUM, offsetof(struct type, member), 0, req, words, ARRAY_LEN(words) }
#define FIELDS(rows) { rows, ARRAY_LEN(rows) }

static const struct field link_wish_rows[] = {
	FIELD_AS(link_wish, link_id, "link_id", FIELD_TEXT, 0, true),
	FIELD(link_wish, source_cluster_id, FIELD_TEXT),
	FIELD(link_wish, destination_cluster_id, FIELD_TEXT),
	FIELD(link_wish, paused, FIELD_FLAG),
	FIELD(link_wish, created_ms, FIELD_I64),
	FIELD_AS(link_wish, config, "config", FIELD_OBJECT, 0, true),
	FIELD(link_wish, key_id, FIELD_TEXT),
	FIELD(link_wish, mac, FIELD_TEXT),
	FIELD(link_wish, at, FIELD_I64),
	FIELD(link_wish, replayed, FIELD_I64),
	FIELD(link_wish, replayed_ms, FIELD_I64),
};
static const struct fields link_wish_fields = FIELDS(link_wish_rows);

static const struct field link_pause_rows[] = {
	FIELD(link_pause, paused, FIELD_FLAG),
};
static const struct fields link_pause_fields = FIELDS(link_pause_rows);

static const struct field mirror_wish_rows[] = {
	FIELD_AS(mirror_wish, source_topic, "source_topic", FIELD_TEXT, 0, true),
	FIELD(mirror_wish, source_topic_id, FIELD_ID),
	FIELD(mirror_wish, destination_topic_id, FIELD_ID),
	FIELD_AS(mirror_wish, n_partitions, "partitions", FIELD_I32, -1, true),
	FIELD(mirror_wish, created, FIELD_FLAG),
	FIELD(mirror_wish, paused, FIELD_FLAG),
	FIELD_WORD(mirror_wish, wish, "wish", wish_names, true),
	FIELD(mirror_wish, wish_ms, FIELD_I64),
	FIELD_AS(mirror_wish, resumes, "resumes", FIELD_I64, 0, false),
	FIELD(mirror_wish, created_ms, FIELD_I64),
	FIELD(mirror_wish, replication_factor, FIELD_I16),
	FIELD(mirror_wish, settings, FIELD_OBJECT),
	FIELD(mirror_wish, given_settings, FIELD_OBJECT),
	FIELD(mirror_wish, create_settings, FIELD_OBJECT),
	FIELD(mirror_wish, adopted_end, FIELD_OBJECT),
	FIELD(mirror_wish, producer_epochs, FIELD_OBJECT),
	FIELD(mirror_wish, own_settings, FIELD_OBJECT),
	FIELD(mirror_wish, start_offsets, FIELD_OBJECT),
	FIELD(mirror_wish, acls, FIELD_OBJECT),
	FIELD(mirror_wish, guard, FIELD_OBJECT),
};
static const struct fields mirror_wish_fields = FIELDS(mirror_wish_rows);

static const struct field link_state_rows[] = {
	FIELD_WORD(link_state, state, "state", link_names, true),
	FIELD(link_state, since_ms, FIELD_I64),
	FIELD(link_state, seen, FIELD_I64),
	FIELD(link_state, last_contact_ms, FIELD_I64),
	FIELD(link_state, error, FIELD_TEXT),
	FIELD(link_state, error_message, FIELD_TEXT),
	FIELD(link_state, tasks, FIELD_OBJECT),
};
static const struct fields link_state_fields = FIELDS(link_state_rows);

static const struct field mirror_state_rows[] = {
	FIELD_WORD(mirror_state, status, "status", mirror_names, true),
	FIELD(mirror_state, since_ms, FIELD_I64),
	FIELD(mirror_state, seen, FIELD_I64),
	FIELD(mirror_state, closing, FIELD_FLAG),
	FIELD(mirror_state, sealed, FIELD_FLAG),
	FIELD(mirror_state, policy_opened, FIELD_FLAG),
	FIELD(mirror_state, ends, FIELD_OBJECT),
	FIELD(mirror_state, seed_ends, FIELD_OBJECT),
	FIELD(mirror_state, latest_settings, FIELD_OBJECT),
	FIELD(mirror_state, stopped_how, FIELD_TEXT),
	FIELD(mirror_state, door, FIELD_TEXT),
	FIELD(mirror_state, refused, FIELD_TEXT),
	FIELD(mirror_state, refused_wish, FIELD_I64),
};
static const struct fields mirror_state_fields = FIELDS(mirror_state_rows);

static const struct field partition_rows[] = {
	FIELD_AS(partition_state, state, "state", FIELD_TEXT, 0, true),
	FIELD(partition_state, reason, FIELD_TEXT),
	FIELD(partition_state, error, FIELD_TEXT),
	FIELD(partition_state, since_ms, FIELD_I64),
	FIELD(partition_state, offset, FIELD_I64),
	FIELD(partition_state, epoch, FIELD_I32),
	FIELD(partition_state, time_ms, FIELD_I64),
	FIELD_AS(partition_state, rotation, "rotation", FIELD_I32, 0, false),
	FIELD(partition_state, txn_filler_id, FIELD_I64),
	FIELD(partition_state, txn_filler_before, FIELD_I64),
	FIELD(partition_state, fills_by_transactions, FIELD_FLAG),
	FIELD(partition_state, throttled, FIELD_FLAG),
	FIELD_AS(partition_state, tombstones, "tombstones", FIELD_I64, 0, false),
	FIELD(partition_state, source_end, FIELD_I64),
	FIELD(partition_state, source_end_ms, FIELD_I64),
	FIELD(partition_state, lost, FIELD_TEXT),
	FIELD(partition_state, lost_resumes, FIELD_I64),
	FIELD(partition_state, seed_from, FIELD_I64),
	FIELD(partition_state, seed_to, FIELD_I64),
	FIELD(partition_state, emptied_end, FIELD_I64),
	FIELD(partition_state, worker, FIELD_TEXT),
};
static const struct fields partition_fields = FIELDS(partition_rows);

static const struct field claim_rows[] = {
	FIELD_AS(claim, n, "n", FIELD_I64, -1, true),
	FIELD(claim, host, FIELD_TEXT),
	FIELD(claim, time_ms, FIELD_I64),
	FIELD(claim, session_timeout_ms, FIELD_I32),
};
static const struct fields claim_fields = FIELDS(claim_rows);

static const struct field worker_rows[] = {
	FIELD(worker_record, address, FIELD_TEXT),
	FIELD(worker_record, version, FIELD_TEXT),
	FIELD(worker_record, host, FIELD_TEXT),
	FIELD(worker_record, started_ms, FIELD_I64),
};
static const struct fields worker_fields = FIELDS(worker_rows);

static const struct field sync_rows[] = {
	FIELD(sync_record, forgotten, FIELD_OBJECT),
	FIELD(sync_record, acls, FIELD_OBJECT),
};
static const struct fields sync_fields = FIELDS(sync_rows);

void record_set(char **field, const char *value)
{
	char *copy = value == NULL ? NULL : xstrdup(value);

	xfree(*field);
	*field = copy;
}

/* --- the frame of every value -------------------------------------------------------------------------------- */

static int check_version(const json_t *value, struct err *err)
{
	const json_t *v = json_object_get(value, "v");

	if (!json_is_object(value))
		return err_set(err, RC_PROTO, "not a JSON object");
	if (!json_is_integer(v) || json_integer_value(v) < 1)
		return err_set(err, RC_PROTO, "\"v\" is missing");
	if (json_integer_value(v) > RECORD_VERSION) {
		err_set(err, RC_UNSUPPORTED, "written by a newer version (v %lld, this one knows %d)",
			(long long)json_integer_value(v), RECORD_VERSION);
		return err_hint(err, "upgrade krmirror on this host");
	}
	return RC_OK;
}

static int decode(const struct fields *fields, void *object, json_t *value, json_t **raw, struct err *err)
{
	fields_init(fields, object);
	if (check_version(value, err) != RC_OK)
		return err->rc;
	*raw = json_incref(value);
	return fields_decode(fields, object, value, err);
}

/* A copy of what was read, with `v` and the fields set. */
static json_t *encode(const struct fields *fields, const void *object, json_t *raw)
{
	json_t *value = raw == NULL ? json_object() : json_copy(raw);

	CHECK(value != NULL && json_object_set_new(value, "v", json_integer(RECORD_VERSION)) == 0);
	fields_encode(fields, object, value);
	return value;
}

/* --- wishes -------------------------------------------------------------------------------------------------- */

/* Settings and configurations: names to text, or to null where that means something. */
static int texts_check(const json_t *object, const char *what, bool nulls, struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
		if (!json_is_string(value) && !(nulls && json_is_null(value)))
			return err_set(err, RC_PROTO, "\"%s\": \"%.64s\" is no text", what, key);
	return RC_OK;
}

int link_wish_decode(struct link_wish *w, const char *name, json_t *value, struct err *err)
{
	*w = (struct link_wish){ .name = xstrdup(name), .offset = -1, .copy_offset = -1, .copy_ms = -1 };
	if (decode(&link_wish_fields, w, value, &w->raw, err) != RC_OK)
		return err->rc;
	return texts_check(w->config, "config", false, err);
}

void link_wish_init(struct link_wish *w, const char *name)
{
	*w = (struct link_wish){ .name = xstrdup(name), .offset = -1, .copy_offset = -1, .copy_ms = -1 };
	fields_init(&link_wish_fields, w);
}

json_t *link_wish_encode(const struct link_wish *w)
{
	return encode(&link_wish_fields, w, w->raw);
}

void link_wish_fini(struct link_wish *w)
{
	fields_fini(&link_wish_fields, w);
	xfree(w->name);
	json_decref(w->raw);
	*w = (struct link_wish){ 0 };
}

int link_pause_decode(struct link_pause *p, const char *link, json_t *value, struct err *err)
{
	*p = (struct link_pause){ .link = xstrdup(link) };
	return decode(&link_pause_fields, p, value, &p->raw, err);
}

json_t *link_pause_encode(const struct link_pause *p)
{
	return encode(&link_pause_fields, p, p->raw);
}

void link_pause_fini(struct link_pause *p)
{
	xfree(p->link);
	json_decref(p->raw);
	*p = (struct link_pause){ 0 };
}

/* Objects of partitions to offsets. */
static int offsets_check(json_t *object, const char *what, struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return err_set(err, RC_PROTO, "\"%s\": \"%.20s\" has no offset", what, key);
	return RC_OK;
}

int mirror_wish_decode(struct mirror_wish *w, const char *link, const char *topic, json_t *value, struct err *err)
{
	*w = (struct mirror_wish){ .link = xstrdup(link), .topic = xstrdup(topic) };
	if (decode(&mirror_wish_fields, w, value, &w->raw, err) != RC_OK)
		return err->rc;
	if (w->n_partitions < 1 || w->n_partitions > PARTITION_MAX)
		return err_set(err, RC_PROTO, "\"partitions\" is not what it must be");
	if (texts_check(w->settings, "settings", true, err) != RC_OK ||
	    texts_check(w->create_settings, "create_settings", false, err) != RC_OK)
		return err->rc;
	if (texts_check(w->own_settings, "own_settings", true, err) != RC_OK ||
	    offsets_check(w->adopted_end, "adopted_end", err) != RC_OK ||
	    offsets_check(w->producer_epochs, "producer_epochs", err) != RC_OK)
		return err->rc;
	return offsets_check(w->start_offsets, "start_offsets", err);
}

json_t *mirror_wish_encode(const struct mirror_wish *w)
{
	return encode(&mirror_wish_fields, w, w->raw);
}

void mirror_wish_fini(struct mirror_wish *w)
{
	fields_fini(&mirror_wish_fields, w);
	xfree(w->link);
	xfree(w->topic);
	json_decref(w->raw);
	*w = (struct mirror_wish){ 0 };
}

/* --- states -------------------------------------------------------------------------------------------------- */

void link_state_init(struct link_state *s, const char *name)
{
	*s = (struct link_state){ .name = xstrdup(name) };
	fields_init(&link_state_fields, s);
}

int link_state_decode(struct link_state *s, const char *name, json_t *value, struct err *err)
{
	*s = (struct link_state){ .name = xstrdup(name) };
	return decode(&link_state_fields, s, value, &s->raw, err);
}

json_t *link_state_encode(const struct link_state *s)
{
	return encode(&link_state_fields, s, s->raw);
}

void link_state_fini(struct link_state *s)
{
	fields_fini(&link_state_fields, s);
	xfree(s->name);
	json_decref(s->raw);
	*s = (struct link_state){ 0 };
}

void mirror_state_init(struct mirror_state *s, const char *link, const char *topic)
{
	*s = (struct mirror_state){ .link = xstrdup(link), .topic = xstrdup(topic) };
	fields_init(&mirror_state_fields, s);
}

/* Where the entry of a partition is, or would be. */
static int partition_place(const struct mirror_state *s, int32_t partition)
{
	int lo = 0, hi = s->n_partitions;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (s->partitions[mid].partition < partition)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct partition_state *mirror_state_find(const struct mirror_state *s, int32_t partition)
{
	int i = partition_place(s, partition);

	return i < s->n_partitions && s->partitions[i].partition == partition ? &s->partitions[i] : NULL;
}

struct partition_state *mirror_state_partition(struct mirror_state *s, int32_t partition)
{
	int i = partition_place(s, partition);

	if (i < s->n_partitions && s->partitions[i].partition == partition)
		return &s->partitions[i];
	s->partitions = xrealloc(s->partitions, (size_t)s->n_partitions + 1, sizeof(*s->partitions));
	memmove(&s->partitions[i + 1], &s->partitions[i], (size_t)(s->n_partitions - i) * sizeof(*s->partitions));
	s->n_partitions++;
	s->partitions[i] = (struct partition_state){ .partition = partition };
	fields_init(&partition_fields, &s->partitions[i]);
	record_set(&s->partitions[i].state, "UNBOUND");
	return &s->partitions[i];
}

static bool partition_number(const char *key, int32_t *partition)
{
	char *end;
	unsigned long v = strtoul(key, &end, 10);

	*partition = (int32_t)v;
	return key[0] >= '0' && key[0] <= '9' && (key[0] != '0' || key[1] == '\0') && *end == '\0' && v < PARTITION_MAX;
}

static int partitions_decode(struct mirror_state *s, json_t *object, struct err *err)
{
	const char *key;
	json_t *value;

	if (object == NULL || json_is_null(object))
		return RC_OK;
	if (!json_is_object(object))
		return err_set(err, RC_PROTO, "\"partitions\" is not what it must be");
	json_object_foreach(object, key, value) {
		struct partition_state *p;
		int32_t number;

		if (!partition_number(key, &number) || !json_is_object(value))
			return err_set(err, RC_PROTO, "\"partitions\": \"%.20s\" is no partition", key);
		p = mirror_state_partition(s, number);
		record_set(&p->state, NULL);
		p->raw = json_incref(value);
		if (fields_decode(&partition_fields, p, value, err) != RC_OK)
			return err_wrap(err, "partition %s", key);
	}
	return RC_OK;
}

int mirror_state_decode(struct mirror_state *s, const char *link, const char *topic, json_t *value, struct err *err)
{
	*s = (struct mirror_state){ .link = xstrdup(link), .topic = xstrdup(topic) };
	if (decode(&mirror_state_fields, s, value, &s->raw, err) != RC_OK)
		return err->rc;
	if (offsets_check(s->ends, "ends", err) != RC_OK || offsets_check(s->seed_ends, "seed_ends", err) != RC_OK)
		return err->rc;
	return partitions_decode(s, json_object_get(value, "partitions"), err);
}

json_t *mirror_state_encode(const struct mirror_state *s)
{
	json_t *value = encode(&mirror_state_fields, s, s->raw), *all = json_object();

	for (int i = 0; i < s->n_partitions; i++) {
		const struct partition_state *p = &s->partitions[i];
		json_t *entry = p->raw == NULL ? json_object() : json_copy(p->raw);
		char key[16];

		snprintf(key, sizeof(key), "%d", p->partition);
		fields_encode(&partition_fields, p, entry);
		CHECK(json_object_set_new(all, key, entry) == 0);
	}
	CHECK(json_object_set_new(value, "partitions", all) == 0);
	return value;
}

void mirror_state_fini(struct mirror_state *s)
{
	for (int i = 0; i < s->n_partitions; i++) {
		fields_fini(&partition_fields, &s->partitions[i]);
		json_decref(s->partitions[i].raw);
	}
	xfree(s->partitions);
	fields_fini(&mirror_state_fields, s);
	xfree(s->link);
	xfree(s->topic);
	json_decref(s->raw);
	*s = (struct mirror_state){ 0 };
}

/* --- claims and workers -------------------------------------------------------------------------------------- */

int claim_decode(struct claim *c, const char *worker, json_t *value, struct err *err)
{
	*c = (struct claim){ .worker = xstrdup(worker) };
	return decode(&claim_fields, c, value, &c->raw, err);
}

json_t *claim_encode(const struct claim *c)
{
	return encode(&claim_fields, c, c->raw);
}

void claim_fini(struct claim *c)
{
	fields_fini(&claim_fields, c);
	xfree(c->worker);
	json_decref(c->raw);
	*c = (struct claim){ 0 };
}

int worker_record_decode(struct worker_record *w, const char *worker, json_t *value, struct err *err)
{
	*w = (struct worker_record){ .worker = xstrdup(worker) };
	return decode(&worker_fields, w, value, &w->raw, err);
}

json_t *worker_record_encode(const struct worker_record *w)
{
	return encode(&worker_fields, w, w->raw);
}

void worker_record_fini(struct worker_record *w)
{
	fields_fini(&worker_fields, w);
	xfree(w->worker);
	json_decref(w->raw);
	*w = (struct worker_record){ 0 };
}

/* --- words --------------------------------------------------------------------------------------------------- */

const char *mirror_status_name(enum mirror_status status)
{
	return mirror_names[status];
}

bool mirror_status_parse(const char *name, enum mirror_status *status)
{
	for (size_t i = 0; i < ARRAY_LEN(mirror_names); i++)
		if (strcmp(name, mirror_names[i]) == 0) {
			*status = (enum mirror_status)i;
			return true;
		}
	return false;
}

const char *link_state_name(enum link_state_kind state)
{
	return link_names[state];
}

int sync_record_decode(struct sync_record *s, const char *link, json_t *value, struct err *err)
{
	*s = (struct sync_record){ .link = xstrdup(link) };
	return decode(&sync_fields, s, value, &s->raw, err);
}

json_t *sync_record_encode(const struct sync_record *s)
{
	return encode(&sync_fields, s, s->raw);
}

void sync_record_fini(struct sync_record *s)
{
	fields_fini(&sync_fields, s);
	xfree(s->link);
	json_decref(s->raw);
	*s = (struct sync_record){ 0 };
}
