/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/partition_calls.h"

void offsets_question_init(struct offsets_question *q, struct call *call, int n_max, int32_t replica_id)
{
	struct list_offsets_request *req = call_req(call, list_offsets);

	*q = (struct offsets_question){ call, OFFSETS_LATEST };
	req->replica_id = replica_id;
	req->timeout_ms = OFFSETS_TIMEOUT_MS;
	req->topics.items = arena_alloc(&call->arena, (size_t)n_max * sizeof(*req->topics.items));
	req->topics.n = 0;
}

void offsets_question_add(struct offsets_question *q, struct str topic, int32_t partition, int32_t leader_epoch)
{
	struct list_offsets_request *req = call_req(q->call, list_offsets);
	struct list_offsets_topic *t = &req->topics.items[req->topics.n++];

	t->name = topic;
	t->partitions.items = arena_alloc(&q->call->arena, sizeof(*t->partitions.items));
	t->partitions.n = 1;
	t->partitions.items[0] = (struct list_offsets_partition){
		.partition_index = partition, .current_leader_epoch = leader_epoch, .timestamp = q->timestamp,
	};
}

const struct listed_offsets_partition *offsets_answer(struct call *call, struct str topic, int32_t partition, int hint)
{
	const struct list_offsets_response *res = call_res(call, list_offsets);
	int32_t n = res->topics.n;

	/* One topic entry per partition, in the order of the request; brokers may gather them, so look at all. */
	for (int32_t k = 0; k < n; k++) {
		const struct listed_offsets_topic *t = &res->topics.items[(hint + k) % n];

		if (!str_eq(t->name, topic))
			continue;
		for (int32_t p = 0; p < t->partitions.n; p++)
			if (t->partitions.items[p].partition_index == partition)
				return &t->partitions.items[p];
	}
	return NULL;
}
