/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/mirror_view.h"

#include "base/mem.h"
#include "krmirror/text.h"
#include "mirror/seed.h"

#include <string.h>

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

/* What a row has room for: the mirror's own trouble, else the worst partition's. */
static const char *error_of(const struct mirror_info *mirror)
{
	return mirror->error != NULL ? mirror->error : mirror->mirror_topic_error;
}

json_t *mirror_json(const struct mirror_info *mirror)
{
	json_t *object = json_object();

	set(object, "link_name", json_text(mirror->link_name));
	set(object, "mirror_topic_name", json_text(mirror->mirror_topic_name));
	set(object, "source_topic_name", json_text(mirror->source_topic_name));
	set(object, "mirror_status", json_text(mirror->mirror_status));
	set(object, "status_time_ms", json_known(mirror->status_time_ms));
	set(object, "num_partition", json_known(mirror->num_partition));
	set(object, "failed_partitions", json_known(mirror->failed_partitions));
	set(object, "max_per_partition_mirror_lag", json_known(mirror->max_lag));
	set(object, "stopped_how", json_text(mirror->stopped_how));
	set(object, "read_only", json_text(mirror->read_only));
	set(object, "error", json_text(error_of(mirror)));
	set(object, "throttled_partitions", json_integer(mirror->throttled_partitions));
	set(object, "read_only_reason", json_text(mirror->read_only_reason));
	return object;
}

static json_t *transaction_json(const struct partition_info *p)
{
	json_t *object;

	if (!p->has_transaction)
		return json_null();
	object = json_object();
	set(object, "producer_id", json_integer(p->transaction_producer_id));
	set(object, "first_offset", json_known(p->transaction_first_offset));
	set(object, "age_ms", json_known(p->transaction_age_ms));
	return object;
}

json_t *mirror_partition_json(const struct mirror_info *mirror, const struct partition_info *p)
{
	json_t *object = json_object();

	set(object, "link_name", json_text(mirror->link_name));
	set(object, "mirror_topic_name", json_text(mirror->mirror_topic_name));
	set(object, "source_topic_name", json_text(mirror->source_topic_name));
	set(object, "mirror_status", json_text(mirror->mirror_status));
	set(object, "mirror_topic_error", json_text(mirror->mirror_topic_error));
	set(object, "status_time_ms", json_known(mirror->status_time_ms));
	set(object, "partition", json_known(p->partition));
	set(object, "state", json_text(p->state));
	set(object, "reason", json_text(p->reason));
	set(object, "error", json_text(p->error));
	set(object, "partition_mirror_lag", json_known(p->lag));
	set(object, "lag_ms", json_known(p->lag_ms));
	set(object, "open_transaction", transaction_json(p));
	set(object, "last_source_fetch_offset", json_known(p->last_source_fetch_offset));
	set(object, "source_log_start_offset", json_known(p->source_log_start_offset));
	set(object, "source_high_watermark", json_known(p->source_high_watermark));
	set(object, "source_last_stable_offset", json_known(p->source_last_stable_offset));
	set(object, "local_log_start_offset", json_known(p->local_log_start_offset));
	set(object, "local_log_end_offset", json_known(p->local_log_end_offset));
	set(object, "time_since_last_fetch_ms", json_known(p->time_since_last_fetch_ms));
	set(object, "filled_offsets", json_known(p->filled_offsets));
	set(object, "coalesced_batches", json_known(p->coalesced_batches));
	set(object, "tombstone_offsets", json_known(p->tombstone_offsets));
	set(object, "throttled", json_boolean(p->throttled));
	return object;
}

static void set_missing(json_t *object, const struct stop_missing *missing)
{
	set(object, "records_missing", json_known(missing != NULL ? missing->records : -1));
	set(object, "last_source_end", json_known(missing != NULL ? missing->source_end : -1));
	set(object, "last_source_end_age_ms", json_known(missing != NULL ? missing->source_end_age_ms : -1));
}

void mirror_result_json(json_t *array, const struct verb_result *result)
{
	static const struct partition_info unknown = {
		.partition = -1,
		.lag = -1,
		.lag_ms = -1,
		.last_source_fetch_offset = -1,
		.source_log_start_offset = -1,
		.source_high_watermark = -1,
		.source_last_stable_offset = -1,
		.local_log_start_offset = -1,
		.local_log_end_offset = -1,
		.time_since_last_fetch_ms = -1,
		.filled_offsets = -1,
		.coalesced_batches = -1,
		.tombstone_offsets = -1,
	};
	const struct mirror_info *mirror = result->mirror;
	bool known = mirror->partitions != NULL && mirror->num_partition > 0;

	for (int32_t i = 0; i < (known ? mirror->num_partition : 1); i++) {
		json_t *object = mirror_partition_json(mirror, known ? &mirror->partitions[i] : &unknown);

		set(object, "error_code", json_text(result->error_code));
		set(object, "error_message", json_text(result->error_message));
		if (result->has_door)
			set(object, "door", json_text(result->door));
		if (result->has_missing)
			set_missing(object, known && result->missing != NULL ? &result->missing[i] : NULL);
		json_array_append_new(array, object);
	}
}

static int status_rank(const struct mirror_info *m)
{
	static const char *const order[] = {
		"FAILED", "LINK_FAILED", "SOURCE_UNAVAILABLE", "PENDING_STOPPED", "ACTIVE", "LINK_PAUSED",
		"PAUSED", "STOPPED",
	};

	if (m->diverged)
		return -3;
	if (m->failed)
		return -2;
	if (m->failed_partitions > 0)
		return -1;
	for (int i = 0; m->mirror_status != NULL && i < (int)ARRAY_LEN(order); i++)
		if (strcmp(order[i], m->mirror_status) == 0)
			return i;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct mirror_info *x = a, *y = b;
	int by = status_rank(x) - status_rank(y);

	if (by == 0 && x->max_lag != y->max_lag)
		by = x->max_lag < y->max_lag ? 1 : -1;
	if (by == 0)
		by = strcmp(x->mirror_topic_name, y->mirror_topic_name);
	return by != 0 ? by : strcmp(x->link_name, y->link_name);
}

void mirror_sort(struct mirror_info *mirrors, int n)
{
	if (n > 1)
		qsort(mirrors, (size_t)n, sizeof(*mirrors), compare);
}

enum outcome mirror_outcome(const struct mirror_info *mirrors, int n)
{
	enum outcome outcome = OUTCOME_DONE;

	for (int i = 0; i < n; i++)
		if (mirrors[i].diverged)
			outcome = outcome_worse(outcome, OUTCOME_DIVERGED);
		else if (mirrors[i].failed || mirrors[i].failed_partitions > 0)
			outcome = outcome_worse(outcome, OUTCOME_FAILED);
	return outcome;
}

void mirror_print_table(FILE *out, const struct mirror_info *mirrors, int n)
{
	static const struct column columns[] = {
		{ .name = "Link Name" },
		{ .name = "Mirror Topic Name" },
		{ .name = "Source Topic Name" },
		{ .name = "Mirror Status" },
		{ .name = "Status Time" },
		{ .name = "Num Partition", .right = true },
		{ .name = "Failed", .right = true },
		{ .name = "Max Lag", .right = true },
		{ .name = "Stopped How" },
		{ .name = "Read Only" },
		{ .name = "Error", .wraps = true },
	};
	struct table *table = table_create(columns, ARRAY_LEN(columns));
	char when[32];

	for (int i = 0; i < n; i++) {
		const struct mirror_info *m = &mirrors[i];

		table_row(table);
		table_text(table, m->link_name);
		table_text(table, m->mirror_topic_name);
		table_text(table, m->source_topic_name);
		table_text(table, m->mirror_status);
		table_text(table, text_time(m->status_time_ms, when, sizeof(when)));
		table_known(table, m->num_partition);
		table_known(table, m->failed_partitions);
		table_known(table, m->max_lag);
		table_text(table, m->stopped_how);
		table_text(table, m->read_only);
		table_text(table, error_of(m));
	}
	table_print(table, out);
}

static bool troubled(const struct partition_info *p)
{
	return p->reason != NULL || (p->state != NULL && strcmp(p->state, "FAILED") == 0);
}

static void print_partition(struct table *table, const struct partition_info *p)
{
	char ago[48];

	table_row(table);
	table_number(table, p->partition);
	table_text(table, p->state);
	table_known(table, p->lag);
	table_known(table, p->source_log_start_offset);
	table_known(table, p->source_last_stable_offset);
	table_known(table, p->local_log_start_offset);
	table_known(table, p->local_log_end_offset);
	table_text(table, text_ago(p->time_since_last_fetch_ms, ago, sizeof(ago)));
	table_text(table, p->reason);
	table_text(table, p->error);
}

/* What uses up offsets that have no record. */
static const char *fills_by(const struct mirror_info *mirror, char *buf, size_t size)
{
	const char *way = "markers";
	int64_t tombstones = 0;

	for (int32_t i = 0; mirror->partitions != NULL && i < mirror->num_partition; i++) {
		if (mirror->partitions[i].fills_by_transactions)
			way = "empty transactions: the right for markers is missing (CLUSTER_ACTION on Cluster)";
		tombstones += MAX(mirror->partitions[i].tombstone_offsets, 0);
	}
	if (tombstones == 0)
		return way;
	snprintf(buf, size, "%s; tombstones of key " SEED_TOMBSTONE_KEY ", at %lld offsets of longer holes", way,
		 (long long)tombstones);
	return buf;
}

void mirror_print_description(FILE *out, const struct mirror_info *mirror)
{
	static const struct column columns[] = {
		{ .name = "Partition", .right = true },
		{ .name = "State" },
		{ .name = "Lag", .right = true },
		{ .name = "Source Start", .right = true },
		{ .name = "Source End", .right = true },
		{ .name = "Local Start", .right = true },
		{ .name = "Local End", .right = true },
		{ .name = "Last Fetch", .right = true },
		{ .name = "Reason" },
		{ .name = "Error", .wraps = true },
	};
	struct table *table;
	char when[32], fills[200];

	text_field(out, "Mirror Topic", mirror->mirror_topic_name);
	text_field(out, "Link", mirror->link_name);
	text_field(out, "Source Topic", mirror->source_topic_name);
	text_field(out, "Mirror Status", mirror->mirror_status);
	text_field(out, "Status Time", text_time(mirror->status_time_ms, when, sizeof(when)));
	text_field(out, "Stopped How", mirror->stopped_how);
	text_field(out, "Read Only", mirror->read_only);
	if (mirror->read_only_reason != NULL)
		text_field(out, "Not Enforced", mirror->read_only_reason);
	if (mirror->throttled_partitions > 0) {
		snprintf(when, sizeof(when), "%d of %d partitions", mirror->throttled_partitions, mirror->num_partition);
		text_field(out, "Throttled", when);
	}
	text_field(out, "Fills By", fills_by(mirror, fills, sizeof(fills)));
	text_field(out, "Error",
		   mirror->mirror_topic_error != NULL ? mirror->mirror_topic_error : mirror->error);
	fputc('\n', out);
	if (mirror->partitions == NULL)
		return;
	table = table_create(columns, ARRAY_LEN(columns));
	for (int pass = 0; pass < 2; pass++) /* the troubled ones first */
		for (int32_t i = 0; i < mirror->num_partition; i++)
			if (troubled(&mirror->partitions[i]) == (pass == 0))
				print_partition(table, &mirror->partitions[i]);
	table_print(table, out);
}
