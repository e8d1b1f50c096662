/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: all producers that the partition remembers, with last sequence -1 for those of which only a marker is
 * known. */
#include "sandbox/handlers.h"
#include "wire/msg/describe_producers.h"

static void describe(const struct producer *p, struct active_producer *out)
{
	out->producer_id = p->id;
	out->producer_epoch = p->epoch;
	out->last_sequence = p->n_window > 0 ? p->window[p->n_window - 1].last_sequence : -1;
	out->last_timestamp = p->last_timestamp;
	out->coordinator_epoch = p->coordinator_epoch;
	out->current_txn_start_offset = p->txn_start;
}

static void describe_partition(struct request *req, const struct partition *p, struct producers_partition *out)
{
	out->error_code = req->fault;
	out->error_message = STR_NULL;
	if (out->error_code == KERR_NONE && p == NULL)
		out->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (out->error_code != KERR_NONE)
		return;
	request_items(req, &out->active_producers, active_producer, (int32_t)p->producers.n);
	for (size_t i = 0; i < p->producers.n; i++)
		describe(&p->producers.items[i], &out->active_producers.items[i]);
}

enum handled describe_producers_handle(struct request *req)
{
	const struct describe_producers_request *body = request_body(req, describe_producers);
	struct describe_producers_response *answer = request_answer(req, describe_producers);

	request_items(req, &answer->topics, producers_topic, body->topics.n);
	for (int32_t t = 0; t < body->topics.n; t++) {
		const struct describe_producers_topic *in = &body->topics.items[t];
		struct producers_topic *out = &answer->topics.items[t];

		out->name = in->name;
		request_items(req, &out->partitions, producers_partition, in->partition_indexes.n);
		for (int32_t i = 0; i < in->partition_indexes.n; i++) {
			out->partitions.items[i].partition_index = in->partition_indexes.items[i];
			describe_partition(req, store_partition(&req->sb->store, in->name,
								in->partition_indexes.items[i]),
					   &out->partitions.items[i]);
		}
	}
	return HANDLED;
}
