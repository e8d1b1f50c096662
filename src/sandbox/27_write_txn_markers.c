/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: entries are done in their order, each its own control batch. A producer epoch (47) or coordinator epoch
 * (52) below the id's last one is refused, equal ones are taken, so the same marker can be written again. No open
 * transaction is needed. min.insync.replicas above 1: 19. The answer has one result for each producer id: entries of
 * one id and partition are merged and the last one's code stands, which can hide an error.
 * Version notes: 1 only (4.x: 1 and 2). */
#include "sandbox/append.h"
#include "sandbox/handlers.h"
#include "wire/msg/write_txn_markers.h"

static int16_t write_one(struct request *req, const struct writable_txn_marker *in, struct str topic, int32_t index)
{
	struct partition *p = store_partition(&req->sb->store, topic, index);
	struct producer_marker m = {
		.id = in->producer_id,
		.epoch = in->producer_epoch,
		.coordinator_epoch = in->coordinator_epoch,
		.timestamp = req->sb->wall_ms,
	};
	int16_t code;

	if (req->fault != KERR_NONE && !fault_after_write(req->fault))
		return req->fault;
	if (p == NULL)
		return KERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (p->topic->config.numbers[SETTING_MIN_INSYNC_REPLICAS] > 1)
		return KERR_NOT_ENOUGH_REPLICAS;
	code = append_marker(req->sb, p, &m, in->transaction_result);
	return req->fault != KERR_NONE ? req->fault : code;
}

/* Room for one more element: a copy of twice the size whenever n is a power of two. */
static void *room(struct request *req, void *items, int32_t n, size_t size)
{
	void *more;

	if ((n & (n - 1)) != 0)
		return items;
	more = request_alloc(req, size * 2 * (size_t)MAX(n, 1));
	if (n > 0)
		memcpy(more, items, size * (size_t)n);
	return more;
}

/* The place of a producer id in the answer, found or made: there is room for all of the request. */
static struct written_txn_marker *result_of(struct write_txn_markers_response *answer, int64_t producer_id)
{
	for (int32_t i = 0; i < answer->markers.n; i++)
		if (answer->markers.items[i].producer_id == producer_id)
			return &answer->markers.items[i];
	answer->markers.items[answer->markers.n].producer_id = producer_id;
	return &answer->markers.items[answer->markers.n++];
}

static struct written_txn_marker_topic *topic_of(struct request *req, struct written_txn_marker *marker,
						 struct str name)
{
	for (int32_t i = 0; i < marker->topics.n; i++)
		if (str_eq(marker->topics.items[i].name, name))
			return &marker->topics.items[i];
	marker->topics.items = room(req, marker->topics.items, marker->topics.n, sizeof(*marker->topics.items));
	marker->topics.items[marker->topics.n] = (struct written_txn_marker_topic){ .name = name };
	return &marker->topics.items[marker->topics.n++];
}

static void set_code(struct request *req, struct written_txn_marker_topic *topic, int32_t index, int16_t code)
{
	for (int32_t i = 0; i < topic->partitions.n; i++)
		if (topic->partitions.items[i].partition_index == index) {
			topic->partitions.items[i].error_code = code;
			return;
		}
	topic->partitions.items = room(req, topic->partitions.items, topic->partitions.n,
				       sizeof(*topic->partitions.items));
	topic->partitions.items[topic->partitions.n++] = (struct written_txn_marker_partition){ index, code };
}

enum handled write_txn_markers_handle(struct request *req)
{
	const struct write_txn_markers_request *body = request_body(req, write_txn_markers);
	struct write_txn_markers_response *answer = request_answer(req, write_txn_markers);

	request_items(req, &answer->markers, written_txn_marker, body->markers.n);
	answer->markers.n = 0;
	for (int32_t m = 0; m < body->markers.n; m++) {
		const struct writable_txn_marker *in = &body->markers.items[m];
		struct written_txn_marker *out = result_of(answer, in->producer_id);

		for (int32_t t = 0; t < in->topics.n; t++) {
			struct written_txn_marker_topic *topic = topic_of(req, out, in->topics.items[t].name);

			for (int32_t i = 0; i < in->topics.items[t].partition_indexes.n; i++) {
				int32_t index = in->topics.items[t].partition_indexes.items[i];

				set_code(req, topic, index, write_one(req, in, topic->name, index));
			}
		}
	}
	return HANDLED;
}
