/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: the count is the new total: 37 when it is not above the present one; 39 assignments that do not fit, 44
 * over 10,000, 42 the same topic twice, 3 unknown topic, 56 the memory limit. */
#include "sandbox/handlers.h"
#include "wire/msg/create_partitions.h"

static int16_t check(const struct request *req, const struct growable_topic *in, const struct topic *topic)
{
	const struct create_partitions_request *body = request_body(req, create_partitions);
	int same = 0;

	for (int32_t i = 0; i < body->topics.n; i++)
		same += str_eq(body->topics.items[i].name, in->name);
	if (same > 1)
		return KERR_INVALID_REQUEST;
	if (topic == NULL)
		return KERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (in->count <= topic->n_partitions)
		return KERR_INVALID_PARTITIONS;
	if (in->count > PARTITIONS_MAX)
		return KERR_POLICY_VIOLATION;
	if (in->assignments.n >= 0 && in->assignments.n != in->count - topic->n_partitions)
		return KERR_INVALID_REPLICA_ASSIGNMENT;
	for (int32_t i = 0; i < in->assignments.n; i++)
		if (in->assignments.items[i].broker_ids.n != 1 ||
		    in->assignments.items[i].broker_ids.items[0] != req->sb->opts.node_id)
			return KERR_INVALID_REPLICA_ASSIGNMENT;
	return KERR_NONE;
}

enum handled create_partitions_handle(struct request *req)
{
	const struct create_partitions_request *body = request_body(req, create_partitions);
	struct create_partitions_response *answer = request_answer(req, create_partitions);

	request_items(req, &answer->results, grown_topic, body->topics.n);
	for (int32_t i = 0; i < body->topics.n; i++) {
		const struct growable_topic *in = &body->topics.items[i];
		struct grown_topic *out = &answer->results.items[i];
		struct topic *topic = store_topic(&req->sb->store, in->name);

		out->name = in->name;
		out->error_message = STR_NULL;
		out->error_code = req->fault != KERR_NONE ? req->fault : check(req, in, topic);
		if (out->error_code == KERR_INVALID_PARTITIONS)
			out->error_message = request_text(req, "The topic %s currently has %d partition(s); %d would "
							  "not be an increase.", topic != NULL ? topic->name : "",
							  topic != NULL ? topic->n_partitions : 0, in->count);
		if (out->error_code == KERR_NONE && !body->validate_only &&
		    !store_grow(&req->sb->store, topic, in->count))
			out->error_code = KERR_KAFKA_STORAGE_ERROR;
	}
	return HANDLED;
}
