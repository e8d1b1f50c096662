/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: without member and generation only while the group has no members (25 otherwise); a group that is not
 * there is made then, and 22 with a generation. Members: 25, 82, 22, and 27 between join and sync. 3 unknown
 * partition, 12 metadata over 4096 bytes. Any offset is stored. Commits never expire.
 * Version notes: 6 leader epoch, 7 instances. */
#include "sandbox/coord.h"
#include "sandbox/handlers.h"
#include "wire/msg/offset_commit.h"

enum { METADATA_MAX = 4096 };

static int16_t check(const struct offset_commit_request *body, struct coord_group *group)
{
	struct coord_member *member;
	int16_t code;

	if (group == NULL)
		return body->generation_id_or_member_epoch < 0 ? KERR_NONE : KERR_ILLEGAL_GENERATION;
	if (body->generation_id_or_member_epoch < 0 && body->member_id.len <= 0 && body->group_instance_id.len < 0)
		return group->state == COORD_EMPTY ? KERR_NONE : KERR_UNKNOWN_MEMBER_ID;
	code = coord_check_member(group, body->member_id, body->group_instance_id, &member);
	if (code != KERR_NONE)
		return code;
	if (body->generation_id_or_member_epoch != group->generation)
		return KERR_ILLEGAL_GENERATION;
	if (group->state == COORD_COMPLETING)
		return KERR_REBALANCE_IN_PROGRESS;
	if (member->join == NULL)
		coord_alive(member);
	return KERR_NONE;
}

static int16_t commit(struct request *req, struct coord_group *group, struct str topic,
		      const struct offset_commit_partition *in)
{
	struct coord_offset value = { .offset = in->committed_offset, .leader_epoch = in->committed_leader_epoch };
	bool stored;

	if (in->committed_metadata.len > METADATA_MAX)
		return KERR_OFFSET_METADATA_TOO_LARGE;
	if (store_partition(&req->sb->store, topic, in->partition_index) == NULL)
		return KERR_UNKNOWN_TOPIC_OR_PARTITION;
	value.metadata = xstrndup(in->committed_metadata.data, (size_t)MAX(in->committed_metadata.len, 0));
	stored = coord_offset_put(group, topic, in->partition_index, &value);
	xfree(value.metadata);
	return stored ? KERR_NONE : KERR_KAFKA_STORAGE_ERROR;
}

enum handled offset_commit_handle(struct request *req)
{
	const struct offset_commit_request *body = request_body(req, offset_commit);
	struct offset_commit_response *answer = request_answer(req, offset_commit);
	struct coord_group *group = coord_find(req->sb, body->group_id);
	int16_t code = req->fault;

	if (code == KERR_NONE)
		code = body->group_id.len > 0 ? check(body, group) : KERR_INVALID_GROUP_ID;
	if (code == KERR_NONE && group == NULL)
		group = coord_open(req->sb, body->group_id);
	if (code == KERR_NONE && group == NULL)
		code = KERR_KAFKA_STORAGE_ERROR;
	request_items(req, &answer->topics, committed_topic, body->topics.n);
	for (int32_t t = 0; t < body->topics.n; t++) {
		const struct offset_commit_topic *in = &body->topics.items[t];
		struct committed_topic *out = &answer->topics.items[t];

		out->name = in->name;
		request_items(req, &out->partitions, committed_partition, in->partitions.n);
		for (int32_t i = 0; i < in->partitions.n; i++) {
			out->partitions.items[i].partition_index = in->partitions.items[i].partition_index;
			out->partitions.items[i].error_code =
				code != KERR_NONE ? code : commit(req, group, in->name, &in->partitions.items[i]);
		}
	}
	return HANDLED;
}
