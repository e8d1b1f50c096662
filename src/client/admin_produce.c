/* SPDX-License-Identifier: Apache-2.0 */
/* One batch to one partition. */
#include "client/admin_priv.h"
#include "wire/msg/produce.h"

enum { BY_NAME = 12 };

void produce_ask(struct call *call, const char *topic, int32_t partition, struct bytes batch)
{
	struct produce_request *req = call_req(call, produce);
	struct produce_topic *t = arena_new(&call->arena, struct produce_topic, 1);
	struct produce_partition *p = arena_new(&call->arena, struct produce_partition, 1);

	call->version_max = BY_NAME;
	p->index = partition;
	p->records = (struct records){ .data = batch.data, .len = batch.len };
	t->name = str_of(topic);
	t->partition_data.items = p;
	t->partition_data.n = 1;
	req->acks = -1;
	req->timeout_ms = PRODUCE_TIMEOUT_MS;
	req->topic_data.items = t;
	req->topic_data.n = 1;
}

int16_t produce_answer(struct call *call, int64_t *base_offset)
{
	const struct produce_response *res = call_res(call, produce);

	*base_offset = -1;
	if (res->responses.n != 1 || res->responses.items[0].partition_responses.n != 1)
		return KERR_UNKNOWN_SERVER_ERROR;
	*base_offset = res->responses.items[0].partition_responses.items[0].base_offset;
	return res->responses.items[0].partition_responses.items[0].error_code;
}

static void build(struct call *call, const struct admin_leader_op *leader)
{
	produce_ask(call, leader->topic, leader->partition, *(const struct bytes *)leader->arg);
}

static int16_t code(struct call *call, struct str *message)
{
	int64_t offset;

	*message = STR_NULL;
	return produce_answer(call, &offset);
}

int admin_produce(struct cluster *cluster, const struct admin_batch *batch, int64_t deadline_ns, int64_t *base_offset,
		  struct err *err)
{
	char right[RIGHT_MAX];
	struct admin_leader_op leader = {
		.op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "write to", .object = batch->topic,
			.right = right },
		.topic = batch->topic, .partition = batch->partition, .api = &produce_api, .build = build, .code = code,
		.arg = &batch->bytes,
	};
	struct call call = { 0 };
	int rc;

	snprintf(right, sizeof(right), "WRITE on Topic %s", batch->topic);
	rc = admin_leader_call(&leader, &call, err);
	if (rc == RC_OK)
		produce_answer(&call, base_offset);
	call_fini(&call);
	return rc;
}
