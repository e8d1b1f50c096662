/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: the largest known epoch that is not above the asked one, and where it ended; -1 and -1 when the asked one
 * is above all. 74 and 75 for current_leader_epoch. */
#include "sandbox/handlers.h"
#include "wire/msg/offset_for_leader_epoch.h"

static void answer_partition(struct request *req, struct str topic, const struct leader_epoch_partition *in,
			     struct epoch_end_partition *out)
{
	const struct partition *p = store_partition(&req->sb->store, topic, in->partition);

	out->partition = in->partition;
	out->error_code = req->fault;
	if (out->error_code == KERR_NONE)
		out->error_code = p == NULL ? KERR_UNKNOWN_TOPIC_OR_PARTITION
					    : partition_check_epoch(p, in->current_leader_epoch);
	if (out->error_code == KERR_NONE)
		plog_epoch_end(&p->log, in->leader_epoch, &out->leader_epoch, &out->end_offset);
}

enum handled offset_for_leader_epoch_handle(struct request *req)
{
	const struct offset_for_leader_epoch_request *body = request_body(req, offset_for_leader_epoch);
	struct offset_for_leader_epoch_response *answer = request_answer(req, offset_for_leader_epoch);

	request_items(req, &answer->topics, epoch_end_topic, body->topics.n);
	for (int32_t t = 0; t < body->topics.n; t++) {
		const struct leader_epoch_topic *in = &body->topics.items[t];
		struct epoch_end_topic *out = &answer->topics.items[t];

		out->topic = in->topic;
		request_items(req, &out->partitions, epoch_end_partition, in->partitions.n);
		for (int32_t i = 0; i < in->partitions.n; i++)
			answer_partition(req, in->topic, &in->partitions.items[i], &out->partitions.items[i]);
	}
	return HANDLED;
}
