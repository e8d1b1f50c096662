/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: -1 the end (the high watermark for consumers, with read_committed the last stable offset; the log end for
 * any other replica id, which one node cannot tell from the former), -2 the start, -3 the record of the largest
 * timestamp, -4 the start of what is local (the same as -2), -5 what is tiered (nothing: -1), otherwise the first
 * record whose timestamp is not below the asked one, or -1. With read_committed, nothing at or above the last stable
 * offset is found. In compressed batches, which are not unpacked, the batch's first offset stands for the record.
 * Version notes: 4 leader epochs, 7 -3, 8 -4, 9 -5; earlier versions get 35 for them. */
#include "sandbox/batch_check.h"
#include "sandbox/bytes.h"
#include "sandbox/handlers.h"
#include "wire/msg/list_offsets.h"

enum { LATEST = -1, EARLIEST = -2, MAX_TIMESTAMP = -3, EARLIEST_LOCAL = -4, LATEST_TIERED = -5 };

static bool unsupported(int64_t timestamp, int16_t version)
{
	return timestamp < LATEST_TIERED || (timestamp == MAX_TIMESTAMP && version < 7) ||
	       (timestamp == EARLIEST_LOCAL && version < 8) || (timestamp == LATEST_TIERED && version < 9);
}

struct found {
	int64_t timestamp, offset;
};

/* The first record of the batch at or above a timestamp; offset -1 when there is none. */
static struct found find_in_batch(const struct plog_batch *b, int64_t timestamp, int64_t from)
{
	int64_t base = get_i64(b->data + BATCH_BASE_TIMESTAMP), at;
	int16_t attributes = get_i16(b->data + BATCH_ATTRIBUTES);
	struct record rec;
	struct reader r;

	if (get_i32(b->data + BATCH_COUNT) == 0)
		return (struct found){ -1, -1 };
	if (attributes & BATCH_LOG_APPEND_TIME)
		return (struct found){ b->max_timestamp, MAX(b->base_offset, from) };
	if (attributes & BATCH_CODEC)
		return (struct found){ base >= timestamp ? base : b->max_timestamp, MAX(b->base_offset, from) };
	batch_open_records(b->data, b->len, &r);
	while (record_next(&r, &rec) == BATCH_OK) {
		at = (int64_t)((uint64_t)base + (uint64_t)rec.timestamp_delta);
		if (at >= timestamp && b->base_offset + rec.offset_delta >= from)
			return (struct found){ at, b->base_offset + rec.offset_delta };
	}
	return (struct found){ -1, -1 };
}

static struct found find_time(const struct plog *log, int64_t timestamp)
{
	struct plog_batch *b;

	for (size_t i = 0; (b = plog_at(log, i)) != NULL; i++)
		if (b->max_timestamp >= timestamp) {
			struct found found = find_in_batch(b, timestamp, log->start_offset);

			if (found.offset >= 0)
				return found;
		}
	return (struct found){ -1, -1 };
}

static struct found find_max(const struct plog *log)
{
	int64_t max = -1;
	struct plog_batch *b;

	for (size_t i = 0; (b = plog_at(log, i)) != NULL; i++)
		max = MAX(max, b->max_timestamp);
	return max < 0 ? (struct found){ -1, -1 } : find_time(log, max);
}

/* end: where reading ends for who asks. */
static void answer_offset(const struct partition *p, int64_t timestamp, int64_t end,
			  struct listed_offsets_partition *out)
{
	struct found found = { -1, -1 };

	switch (timestamp) {
	case LATEST:
		out->offset = end;
		out->leader_epoch = plog_epoch_last(&p->log);
		return;
	case EARLIEST:
	case EARLIEST_LOCAL:
		out->offset = p->log.start_offset;
		out->leader_epoch = plog_epoch_of(&p->log, p->log.start_offset);
		return;
	case LATEST_TIERED:
		return;
	case MAX_TIMESTAMP:
		found = find_max(&p->log);
		break;
	default:
		found = find_time(&p->log, timestamp);
		break;
	}
	if (found.offset >= end)
		return;
	out->offset = found.offset;
	out->timestamp = found.timestamp;
	if (found.offset >= 0)
		out->leader_epoch = plog_epoch_of(&p->log, found.offset);
}

static void list_partition(struct request *req, const struct topic *topic, const struct list_offsets_partition *in,
			   struct listed_offsets_partition *out)
{
	const struct list_offsets_request *body = request_body(req, list_offsets);
	const struct partition *p = topic_partition(topic, in->partition_index);
	bool committed = body->replica_id == -1 && body->isolation_level == 1;

	out->partition_index = in->partition_index;
	if (req->fault != KERR_NONE)
		out->error_code = req->fault;
	else if (unsupported(in->timestamp, req->version))
		out->error_code = KERR_UNSUPPORTED_VERSION;
	else if (p == NULL)
		out->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
	else
		out->error_code = partition_check_epoch(p, in->current_leader_epoch);
	if (out->error_code == KERR_NONE)
		answer_offset(p, in->timestamp, committed ? partition_stable(p) : p->log.end_offset, out);
}

enum handled list_offsets_handle(struct request *req)
{
	const struct list_offsets_request *body = request_body(req, list_offsets);
	struct list_offsets_response *answer = request_answer(req, list_offsets);

	request_items(req, &answer->topics, listed_offsets_topic, body->topics.n);
	for (int32_t t = 0; t < body->topics.n; t++) {
		const struct list_offsets_topic *in = &body->topics.items[t];
		struct listed_offsets_topic *out = &answer->topics.items[t];
		const struct topic *topic = store_topic(&req->sb->store, in->name);

		out->name = in->name;
		request_items(req, &out->partitions, listed_offsets_partition, in->partitions.n);
		for (int32_t i = 0; i < in->partitions.n; i++)
			list_partition(req, topic, &in->partitions.items[i], &out->partitions.items[i]);
	}
	return HANDLED;
}
