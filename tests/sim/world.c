/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "base/clock.h"
#include "base/mem.h"
#include "mirror/seed.h"
#include "wire/batch.h"
#include "wire/compress.h"
#include "wire/msg/add_partitions_to_txn.h"
#include "wire/msg/delete_records.h"
#include "wire/msg/end_txn.h"
#include "wire/msg/fetch.h"
#include "wire/msg/incremental_alter_configs.h"
#include "wire/msg/init_producer_id.h"
#include "wire/msg/list_offsets.h"
#include "wire/msg/metadata.h"
#include "wire/msg/produce.h"
#include "wire/record_reader.h"

#include <stdio.h>
#include <string.h>

enum { FILL_LIMIT_MAX = 20, RECORDS_MAX = 20, VALUE_MAX = 3000, FETCH_MAX = 1 << 20, TXN_TIMEOUT_MS = 900000, KEYS = 12 };

/* ---- the clusters ---- */

static struct uuid topic_id(struct talk *t)
{
	struct metadata_request *req;

	talk_begin(t);
	req = talk_request(t, metadata);
	talk_items(t, &req->topics, metadata_topic, 1);
	req->topics.items[0].name = str_of(TOPIC);
	return talk_call(t, metadata, 12, req)->topics.items[0].topic_id;
}

static void set_config(struct talk *t, const char *const (*settings)[2], int n)
{
	struct incremental_alter_configs_request *req;

	talk_begin(t);
	req = talk_request(t, incremental_alter_configs);
	talk_items(t, &req->resources, alterable_resource, 1);
	req->resources.items[0].resource_type = 2;
	req->resources.items[0].resource_name = str_of(TOPIC);
	talk_items(t, &req->resources.items[0].configs, alterable_config, n);
	for (int i = 0; i < n; i++) {
		req->resources.items[0].configs.items[i].name = str_of(settings[i][0]);
		req->resources.items[0].configs.items[i].value = str_of(settings[i][1]);
	}
	CHECK(talk_call(t, incremental_alter_configs, 1, req)->responses.items[0].error_code == 0);
}

static void open_cluster(struct net_broker **broker, struct talk *talk, struct uuid *id, uint16_t port)
{
	*broker = net_add_broker(port);
	CHECK(sandbox_topic_create((*broker)->sandbox, TOPIC, PARTITIONS) == 0);
	talk_open(talk, *broker);
	*id = topic_id(talk);
}

static void open_producer(struct world *w, struct producer *p, int number)
{
	const struct init_producer_id_response *got;
	struct init_producer_id_request *req;
	struct talk *t = &w->at_source;

	snprintf(p->id, sizeof(p->id), "producer-%d", number);
	talk_begin(t);
	req = talk_request(t, init_producer_id);
	req->transactional_id = str_of(p->id);
	req->transaction_timeout_ms = TXN_TIMEOUT_MS;
	got = talk_call(t, init_producer_id, 4, req);
	CHECK(got->error_code == 0);
	p->producer_id = got->producer_id;
	p->epoch = got->producer_epoch;
}

/* The cleaners of both sides run often; delete is for DeleteRecords, and deletes nothing by itself. */
static const char *const compacting[][2] = {
	{ "cleanup.policy", "compact,delete" }, { "retention.ms", "-1" }, { "segment.ms", "2000" },
	{ "min.cleanable.dirty.ratio", "0.01" }, { "delete.retention.ms", "5000" },
};

void world_open(struct world *world, struct rng *rng)
{
	*world = (struct world){ .rng = rng, .n_txns = 1, .packer = packer_create() };
	for (int p = 0; p < PARTITIONS; p++)
		world->ledgers[p].stale = -1;
	open_cluster(&world->source, &world->at_source, &world->source_topic, 9001);
	open_cluster(&world->destination, &world->at_destination, &world->destination_topic, 9002);
	for (int i = 0; i < PRODUCERS; i++)
		open_producer(world, &world->producers[i], i);
	world->compacted = rng_one_in(rng, 3);
	world->fill_limit = world->compacted && rng_one_in(rng, 2) ? rng_in(rng, 0, FILL_LIMIT_MAX) : -1;
	if (world->compacted) {
		set_config(&world->at_source, compacting, ARRAY_LEN(compacting));
		set_config(&world->at_destination, compacting, ARRAY_LEN(compacting));
	}
}

void world_close(struct world *world)
{
	packer_destroy(world->packer);
	talk_close(&world->at_source);
	talk_close(&world->at_destination);
	for (int p = 0; p < PARTITIONS; p++) {
		xfree(world->ledgers[p].entries);
		xfree(world->ledgers[p].lost);
	}
	xfree(world->txns);
}

/* ---- producing ---- */

static void note(struct world *w, int32_t partition, const struct entry *e)
{
	struct ledger *l = &w->ledgers[partition];

	if (l->n == l->cap) {
		l->cap = MAX(l->cap * 2, (int64_t)64);
		l->entries = xrealloc(l->entries, (size_t)l->cap, sizeof(*l->entries));
	}
	l->entries[l->n++] = *e;
}

/* A batch whose values begin with numbers that never come again. */
static struct bytes make_batch(struct world *w, struct entry *entries, int n, const struct batch_draft *like)
{
	struct talk *t = &w->at_source;
	struct batch_record *records = talk_alloc(t, sizeof(*records) * (size_t)n);
	struct batch_draft draft = *like;

	for (int i = 0; i < n; i++) {
		uint32_t len = (uint32_t)rng_in(w->rng, sizeof(uint64_t), rng_one_in(w->rng, 4) ? VALUE_MAX : 40);
		uint8_t *value = talk_alloc(t, len);

		entries[i] = (struct entry){ .value = ++w->last_value, .timestamp = like->timestamp, .len = len };
		memset(value, 'x', len);
		memcpy(value, &entries[i].value, sizeof(uint64_t));
		entries[i].key = -1;
		records[i].key = (struct bytes){ NULL, -1 };
		if (w->compacted) {
			entries[i].key = (int8_t)rng_in(w->rng, 0, KEYS - 1);
			records[i].key = (struct bytes){ (const uint8_t *)"abcdefghijkl" + entries[i].key, 1 };
		}
		records[i].value = (struct bytes){ value, (int32_t)len };
	}
	draft.records = records;
	draft.n = n;
	return batch_build(&draft, &t->arena);
}

/* In a codec by chance; the bytes are the talk's. */
static struct bytes pack(struct world *w, struct bytes plain)
{
	enum codec codec = rng_one_in(w->rng, 2) ? CODEC_NONE : (enum codec)rng_in(w->rng, CODEC_NONE, CODEC_LAST);
	struct window out = { 0 };
	struct bytes packed;

	if (codec == CODEC_NONE)
		return plain;
	batch_pack(plain, codec, w->packer, &out);
	packed = (struct bytes){ talk_alloc(&w->at_source, out.end - out.at), (int32_t)(out.end - out.at) };
	memcpy((uint8_t *)(uintptr_t)packed.data, out.data + out.at, out.end - out.at);
	window_trim(&out, 0);
	return packed;
}

/* The time that the broker gave it; -1: it kept the producer's. */
static int64_t send_batch(struct world *w, int32_t partition, const char *id, struct bytes batch)
{
	const struct produced_partition *got;
	struct produce_partition *pp;
	struct produce_request *req;
	struct talk *t = &w->at_source;

	req = talk_request(t, produce);
	req->acks = -1;
	req->transactional_id = str_of(id);
	talk_items(t, &req->topic_data, produce_topic, 1);
	req->topic_data.items[0].name = str_of(TOPIC);
	talk_items(t, &req->topic_data.items[0].partition_data, produce_partition, 1);
	pp = &req->topic_data.items[0].partition_data.items[0];
	pp->index = partition;
	pp->records = (struct records){ .data = batch.data, .len = batch.len };
	got = &talk_call(t, produce, 9, req)->responses.items[0].partition_responses.items[0];
	CHECK(got->error_code == 0 && got->base_offset == w->ledgers[partition].n);
	return got->log_append_time_ms;
}

static void produce(struct world *w, int32_t partition, struct producer *p)
{
	int n = (int)rng_in(w->rng, 1, RECORDS_MAX);
	int64_t appended_ms;
	struct entry entries[RECORDS_MAX];
	struct batch_draft like = {
		.timestamp = net_wall_ms() - rng_in(w->rng, 0, 1000), .stamp = { -1, -1, -1 },
	};

	talk_begin(&w->at_source);
	if (p != NULL) {
		like.attributes = BATCH_TRANSACTIONAL;
		like.stamp = (struct batch_stamp){ p->producer_id, p->epoch, p->sequence[partition] };
		p->sequence[partition] += n;
	}
	appended_ms = send_batch(w, partition, p == NULL ? NULL : p->id, pack(w, make_batch(w, entries, n, &like)));
	for (int i = 0; i < n; i++) {
		if (appended_ms >= 0)
			entries[i].timestamp = appended_ms;
		entries[i].txn = p == NULL ? 0 : p->txn;
		entries[i].first = i == 0;
		note(w, partition, &entries[i]);
	}
}

void world_produce(struct world *world)
{
	produce(world, (int32_t)rng_in(world->rng, 0, PARTITIONS - 1), NULL);
}

void world_change_time(struct world *world)
{
	static const char *const types[][2] = {
		{ "message.timestamp.type", "CreateTime" }, { "message.timestamp.type", "LogAppendTime" },
	};

	world->log_append_time = !world->log_append_time;
	set_config(&world->at_source, types + world->log_append_time, 1);
}

static int64_t delete_records(struct talk *t, int32_t partition, int64_t to)
{
	const struct deleted_records_partition *got;
	struct delete_records_request *req;

	talk_begin(t);
	req = talk_request(t, delete_records);
	talk_items(t, &req->topics, delete_records_topic, 1);
	req->topics.items[0].name = str_of(TOPIC);
	talk_items(t, &req->topics.items[0].partitions, delete_records_partition, 1);
	req->topics.items[0].partitions.items[0].partition_index = partition;
	req->topics.items[0].partitions.items[0].offset = to;
	got = &talk_call(t, delete_records, 2, req)->topics.items[0].partitions.items[0];
	CHECK(got->error_code == 0 && got->low_watermark >= to);
	return got->low_watermark;
}

int64_t world_expire(struct world *world, int32_t partition)
{
	struct ledger *l = &world->ledgers[partition];
	int64_t stable = world_stable(world, partition);

	/* Often all of it, and often a little. */
	int64_t to = rng_one_in(world->rng, 4) ? stable : rng_in(world->rng, l->start, stable);

	if (world->fill_limit >= 0)   /* a longer head is refused */
		to = MAX(MIN(to, world_copied(world, partition) + world->fill_limit), l->start);
	l->start = delete_records(&world->at_source, partition, to);
	return l->start;
}

int64_t world_trim_copy(struct world *world, int32_t partition, int64_t to)
{
	return delete_records(&world->at_destination, partition, to);
}

/* Where the log can be cut without touching a transaction, by chance. */
static int64_t cut_of(struct world *w, const struct ledger *l)
{
	int64_t from = l->n, cut;

	while (from > l->start && l->entries[from - 1].txn == 0 && l->entries[from - 1].value != 0)
		from--;
	cut = rng_in(w->rng, from, l->n);
	while (cut < l->n && cut > from && !l->entries[cut].first)
		cut--;
	return cut;
}

static void note_stale(struct ledger *l, int64_t from, int64_t to)
{
	l->stale = from;
	l->stale_to = MAX(l->stale_to, to);
}

int64_t world_lose(struct world *world, int32_t partition)
{
	struct ledger *l = &world->ledgers[partition];
	int64_t cut = cut_of(world, l), n = l->n - cut;

	/* A sandbox that is cut knows of its producers only what its log still tells. */
	if (l->start > 0 || world->compacted)
		return 0;
	for (int i = 0; i < PRODUCERS; i++)
		if (world->producers[i].txn != 0 && world->producers[i].in_txn[partition])
			return 0;
	l->lost = xrealloc(l->lost, (size_t)(l->n_lost + n), sizeof(*l->lost));
	for (int64_t o = cut; o < l->n; o++)
		l->lost[l->n_lost++] = (struct lost){ o, l->entries[o] };
	l->n = cut;
	CHECK(sandbox_elect(world->source->sandbox, TOPIC, partition, cut) == 0);
	/* What was read of the copy may have been lost just now. */
	if (l->checked > cut)
		note_stale(l, l->stale < 0 ? cut : l->stale, l->checked);
	return n;
}

/* ---- transactions ---- */

static void begin(struct world *w, struct producer *p)
{
	p->txn = w->n_txns++;
	w->txns = xrealloc(w->txns, (size_t)w->n_txns, sizeof(*w->txns));
	w->txns[p->txn] = TXN_OPEN;
	memset(p->in_txn, 0, sizeof(p->in_txn));
}

static void join(struct world *w, struct producer *p, int32_t partition)
{
	struct add_partitions_to_txn_request *req;
	struct talk *t = &w->at_source;

	talk_begin(t);
	req = talk_request(t, add_partitions_to_txn);
	req->v3_and_below_transactional_id = str_of(p->id);
	req->v3_and_below_producer_id = p->producer_id;
	req->v3_and_below_producer_epoch = p->epoch;
	talk_items(t, &req->v3_and_below_topics, txn_topic, 1);
	req->v3_and_below_topics.items[0].name = str_of(TOPIC);
	req->v3_and_below_topics.items[0].partitions.n = 1;
	req->v3_and_below_topics.items[0].partitions.items = talk_alloc(t, sizeof(int32_t));
	req->v3_and_below_topics.items[0].partitions.items[0] = partition;
	CHECK(talk_call(t, add_partitions_to_txn, 3, req)->results_by_topic_v3_and_below.items[0]
		      .results_by_partition.items[0].partition_error_code == 0);
	p->in_txn[partition] = true;
}

static void end(struct world *w, struct producer *p, bool commit)
{
	struct end_txn_request *req;
	struct talk *t = &w->at_source;
	bool any = false;

	for (int32_t i = 0; i < PARTITIONS; i++)
		any = any || p->in_txn[i];
	if (any) {
		talk_begin(t);
		req = talk_request(t, end_txn);
		req->transactional_id = str_of(p->id);
		req->producer_id = p->producer_id;
		req->producer_epoch = p->epoch;
		req->committed = commit;
		CHECK(talk_call(t, end_txn, 3, req)->error_code == 0);
	}
	for (int32_t i = 0; i < PARTITIONS; i++)
		if (p->in_txn[i])
			note(w, i, &(struct entry){ .value = 0 });
	w->txns[p->txn] = commit ? TXN_COMMITTED : TXN_ABORTED;
	p->txn = 0;
}

void world_transact(struct world *world)
{
	struct producer *p = &world->producers[rng_in(world->rng, 0, PRODUCERS - 1)];
	int32_t partition = (int32_t)rng_in(world->rng, 0, PARTITIONS - 1);

	if (p->txn == 0)
		begin(world, p);
	if (!p->in_txn[partition])
		join(world, p, partition);
	for (int64_t n = rng_in(world->rng, 0, 4); n > 0; n--)   /* 0: an empty transaction */
		produce(world, partition, p);
	if (rng_one_in(world->rng, 2))
		end(world, p, !rng_one_in(world->rng, 3));
}

void world_settle(struct world *world)
{
	for (int i = 0; i < PRODUCERS; i++)
		if (world->producers[i].txn != 0)
			end(world, &world->producers[i], rng_one_in(world->rng, 2));
}

/* ---- judging ---- */

static bool is_visible(const struct world *w, const struct entry *e)
{
	return e->value != 0 && (e->txn == 0 || w->txns[e->txn] == TXN_COMMITTED);
}

int64_t world_stable(const struct world *world, int32_t partition)
{
	const struct ledger *l = &world->ledgers[partition];

	for (int64_t o = 0; o < l->n; o++)
		if (l->entries[o].txn != 0 && world->txns[l->entries[o].txn] == TXN_OPEN)
			return o;
	return l->n;
}

static int64_t list_offset(struct talk *t, int32_t partition, int64_t timestamp)
{
	const struct listed_offsets_partition *got;
	struct list_offsets_request *req;

	talk_begin(t);
	req = talk_request(t, list_offsets);
	req->replica_id = -3;
	talk_items(t, &req->topics, list_offsets_topic, 1);
	req->topics.items[0].name = str_of(TOPIC);
	talk_items(t, &req->topics.items[0].partitions, list_offsets_partition, 1);
	req->topics.items[0].partitions.items[0].partition_index = partition;
	req->topics.items[0].partitions.items[0].timestamp = timestamp;
	got = &talk_call(t, list_offsets, 5, req)->topics.items[0].partitions.items[0];
	CHECK(got->error_code == 0);
	return got->offset;
}

int64_t world_copied(struct world *world, int32_t partition)
{
	return list_offset(&world->at_destination, partition, -1);
}

int64_t world_copy_start(struct world *world, int32_t partition)
{
	return list_offset(&world->at_destination, partition, -2);
}

static bool wrong(struct world *w, int32_t partition, int64_t offset, const char *what)
{
	if (w->fault[0] == '\0')
		snprintf(w->fault, sizeof(w->fault), "partition %d offset %lld: %s", partition, (long long)offset, what);
	return false;
}

/* A later record has its key. */
static bool may_be_cleaned(const struct world *w, const struct ledger *l, int64_t offset)
{
	for (int64_t o = offset + 1; w->compacted && o < l->n; o++)
		if (l->entries[o].key == l->entries[offset].key && is_visible(w, &l->entries[o]))
			return true;
	return false;
}

/* [from, to) of the copy has no record. */
static bool check_hole(struct world *w, int32_t partition, int64_t from, int64_t to)
{
	const struct ledger *l = &w->ledgers[partition];

	for (int64_t o = from; o < to; o++) {
		if (o < l->start)
			continue;
		if (l->stale >= 0)
			return wrong(w, partition, o, "filled behind what the source has lost");
		if (o >= l->n)
			return wrong(w, partition, o, "the copy is longer than the source");
		if (l->entries[o].txn != 0 && w->txns[l->entries[o].txn] == TXN_OPEN)
			return wrong(w, partition, o, "copied before its transaction ended");
		if (is_visible(w, &l->entries[o]) && !may_be_cleaned(w, l, o))
			return wrong(w, partition, o, "a record is missing");
	}
	return true;
}

/* What the source has at the offset, or had there before it lost it. */
static const struct entry *entry_of(const struct ledger *l, const struct record_view *r, bool *lost)
{
	uint64_t value = 0;

	if (r->value.len >= (int32_t)sizeof(value))
		memcpy(&value, r->value.data, sizeof(value));
	*lost = true;
	for (int i = 0; i < l->n_lost; i++)
		if (l->lost[i].offset == r->offset && l->lost[i].entry.value == value)
			return &l->lost[i].entry;
	*lost = false;
	return r->offset < l->n && l->entries[r->offset].value == value ? &l->entries[r->offset] : NULL;
}

/* Where else the source has or had it; -1: nowhere. */
static int64_t where_is(const struct ledger *l, const struct record_view *r)
{
	uint64_t value = 0;

	if (r->value.len >= (int32_t)sizeof(value))
		memcpy(&value, r->value.data, sizeof(value));
	for (int64_t o = 0; o < l->n && value != 0; o++)
		if (l->entries[o].value == value)
			return o;
	return -1;
}

static bool another_record(struct world *w, int32_t partition, const struct record_view *r)
{
	const struct ledger *l = &w->ledgers[partition];
	char text[100];

	snprintf(text, sizeof(text), "%s, the source's of offset %lld", r->offset < l->n ? "another record" :
		 "the copy is longer than the source", (long long)where_is(l, r));
	return wrong(w, partition, r->offset, text);
}

static bool check_record(struct world *w, int32_t partition, const struct record_view *r)
{
	struct ledger *l = &w->ledgers[partition];
	bool lost;
	const struct entry *e = entry_of(l, r, &lost);

	if (r->offset < l->start && r->value.len < 0)
		return true;   /* a seed, until it is deleted */
	if (w->fill_limit >= 0 && seed_is_tombstone(r)) {
		w->n_tombstones++;
		return check_hole(w, partition, r->offset, r->offset + 1);
	}
	if (e == NULL)
		return another_record(w, partition, r);
	if (!is_visible(w, e))
		return wrong(w, partition, r->offset, "a record where the source shows none");
	if (r->value.len != (int32_t)e->len)
		return wrong(w, partition, r->offset, "the value has another length");
	if (r->timestamp != e->timestamp)
		return wrong(w, partition, r->offset, "another timestamp");
	if (!lost && l->stale >= 0)
		return wrong(w, partition, r->offset, "copied on behind what the source has lost");
	if (lost)
		note_stale(l, l->stale < 0 ? r->offset : l->stale, r->offset + 1);
	return true;
}

static bool check_batch(struct world *w, int32_t partition, const struct batch_header *b, struct record_reader *rr)
{
	struct ledger *l = &w->ledgers[partition];
	struct record_view r;
	size_t budget = SIZE_MAX;
	enum record_result got;

	record_reader_open(rr, b);
	while (!(b->attributes & BATCH_CONTROL) && (got = record_reader_next(rr, &r, &budget)) != RECORD_END) {
		if (got != RECORD_OK)
			return wrong(w, partition, b->base_offset, fault_text(record_reader_fault(rr)->kind));
		if (r.offset < l->checked)
			continue;
		if (!check_hole(w, partition, l->checked, r.offset) || !check_record(w, partition, &r))
			return false;
		l->checked = r.offset + 1;
	}
	if (!check_hole(w, partition, l->checked, b->base_offset + b->last_delta + 1))
		return false;
	l->checked = MAX(l->checked, b->base_offset + b->last_delta + 1);
	return true;
}

static const struct fetched_partition *fetch(struct world *w, int32_t partition, int64_t offset)
{
	struct talk *t = &w->at_destination;
	const struct fetch_response *got;
	struct fetch_partition *p;
	struct fetch_request *req;

	talk_begin(t);
	req = talk_request(t, fetch);
	req->max_bytes = FETCH_MAX;
	talk_items(t, &req->topics, fetch_topic, 1);
	req->topics.items[0].topic = str_of(TOPIC);
	talk_items(t, &req->topics.items[0].partitions, fetch_partition, 1);
	p = &req->topics.items[0].partitions.items[0];
	p->partition = partition;
	p->fetch_offset = offset;
	p->partition_max_bytes = FETCH_MAX;
	got = talk_call(t, fetch, 12, req);
	CHECK(got->error_code == 0 && got->responses.n == 1);
	return &got->responses.items[0].partitions.items[0];
}

static bool check_partition(struct world *w, int32_t partition, struct record_reader *rr)
{
	struct ledger *l = &w->ledgers[partition];
	int64_t to = world_copied(w, partition), from = world_copy_start(w, partition);

	if (from > l->start)
		return wrong(w, partition, l->start, "deleted from the copy, and not from the source");
	l->checked = MAX(l->checked, from);
	if (from >= l->stale_to)
		l->stale = -1;   /* deleted from both */
	while (l->checked < to) {
		const struct fetched_partition *got = fetch(w, partition, l->checked);
		struct reader r = { .p = got->records.data, .end = got->records.data + MAX(got->records.len, 0) };
		int64_t before = l->checked;
		struct batch_header b;

		while (batch_next(&r, &b) == BATCH_OK)
			if (!check_batch(w, partition, &b, rr))
				return false;
		if (l->checked == before)
			return wrong(w, partition, before, "cannot be read");
	}
	return true;
}

bool world_check(struct world *world)
{
	struct record_reader *rr = record_reader_create(&RECORD_LIMITS_DEFAULT);
	bool good = true;

	for (int32_t p = 0; good && p < PARTITIONS; p++)
		good = check_partition(world, p, rr);
	record_reader_destroy(rr);
	return good;
}

bool world_is_equal(struct world *world, int32_t partition)
{
	return world->ledgers[partition].stale < 0 && world_copied(world, partition) == world_stable(world, partition) &&
	       world_copy_start(world, partition) == world->ledgers[partition].start;
}
