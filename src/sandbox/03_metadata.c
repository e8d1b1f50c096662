/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: topics are never made by asking (auto.create.topics.enable is off): 3; a name that cannot be: 17; an
 * unknown id: 100. A null list (version 0: an empty one) means all topics. The one node is broker, controller, leader,
 * replica and ISR of everything.
 * Version notes: 1 null list, 2 cluster id, 7 leader epoch, 8 operations, 10 topic ids, 12 asking by id. */
#include "sandbox/handlers.h"
#include "wire/msg/metadata.h"

static void describe_partition(struct request *req, const struct partition *p, struct partition_metadata *out)
{
	int32_t *node = request_alloc(req, sizeof(*node));

	*node = req->sb->opts.node_id;
	out->partition_index = p->index;
	out->leader_id = *node;
	out->leader_epoch = p->leader_epoch;
	out->replica_nodes.items = out->isr_nodes.items = node;
	out->replica_nodes.n = out->isr_nodes.n = 1;
}

static void describe_topic(struct request *req, const struct topic *topic, struct topic_metadata *out)
{
	out->name = str_of(topic->name);
	out->topic_id = topic->id;
	if (request_body(req, metadata)->include_topic_authorized_operations)
		out->topic_authorized_operations = OPERATIONS_TOPIC;
	request_items(req, &out->partitions, partition_metadata, topic->n_partitions);
	for (int32_t i = 0; i < topic->n_partitions; i++)
		describe_partition(req, topic->partitions[i], &out->partitions.items[i]);
}

static void answer_topic(struct request *req, const struct metadata_topic *in, struct topic_metadata *out)
{
	bool by_name = in->name.len >= 0;
	const struct topic *topic = by_name ? store_topic(&req->sb->store, in->name)
					    : store_topic_by_id(&req->sb->store, &in->topic_id);

	out->name = by_name || req->version >= 12 ? in->name : str_of("");
	out->topic_id = in->topic_id;
	if (req->fault != KERR_NONE)
		out->error_code = req->fault;
	else if (topic != NULL)
		describe_topic(req, topic, out);
	else if (!by_name)
		out->error_code = KERR_UNKNOWN_TOPIC_ID;
	else
		out->error_code = topic_name_ok(in->name) ? KERR_UNKNOWN_TOPIC_OR_PARTITION
							  : KERR_INVALID_TOPIC_EXCEPTION;
}

enum handled metadata_handle(struct request *req)
{
	const struct metadata_request *body = request_body(req, metadata);
	struct metadata_response *answer = request_answer(req, metadata);
	const struct store *store = &req->sb->store;
	bool all = body->topics.n < 0 || (req->version == 0 && body->topics.n == 0);

	request_items(req, &answer->brokers, broker_metadata, 1);
	answer->brokers.items[0].node_id = req->sb->opts.node_id;
	answer->brokers.items[0].host = str_of(req->sb->host);
	answer->brokers.items[0].port = req->sb->opts.port;
	answer->cluster_id = str_of(req->sb->cluster_id);
	answer->controller_id = req->sb->opts.node_id;
	if (body->include_cluster_authorized_operations)
		answer->cluster_authorized_operations = OPERATIONS_CLUSTER;
	request_items(req, &answer->topics, topic_metadata, all ? store->n_topics : body->topics.n);
	for (int32_t i = 0; i < answer->topics.n; i++)
		if (all)
			describe_topic(req, store->topics[i], &answer->topics.items[i]);
		else
			answer_topic(req, &body->topics.items[i], &answer->topics.items[i]);
	return HANDLED;
}
