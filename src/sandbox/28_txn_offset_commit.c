/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: the offsets count when the transaction is committed, which must have the group (48). A member is checked
 * as by OffsetCommit (25, 82, 22), but a request without member and generation is taken whoever is in the group.
 * 3 unknown partition, 12 metadata over 4096 bytes.
 * Version notes: 2 leader epoch, 3 member. */
#include "sandbox/handlers.h"
#include "sandbox/txn.h"
#include "wire/msg/txn_offset_commit.h"

enum { METADATA_MAX = 4096 };

static int16_t check_member(const struct txn_offset_commit_request *body, const struct coord_group *group)
{
	struct coord_member *member;
	int16_t code;

	if (group == NULL)
		return body->generation_id < 0 ? KERR_NONE : KERR_ILLEGAL_GENERATION;
	if (body->generation_id < 0 && body->member_id.len <= 0 && body->group_instance_id.len < 0)
		return KERR_NONE;
	code = coord_check_member(group, body->member_id, body->group_instance_id, &member);
	if (code != KERR_NONE)
		return code;
	return body->generation_id == group->generation ? KERR_NONE : KERR_ILLEGAL_GENERATION;
}

static int16_t check(struct request *req, struct txn **txn)
{
	const struct txn_offset_commit_request *body = request_body(req, txn_offset_commit);
	const struct txn_claim claim = { body->transactional_id, body->producer_id, body->producer_epoch };
	int16_t code = req->fault;

	if (code == KERR_NONE && body->group_id.len <= 0)
		code = KERR_INVALID_GROUP_ID;
	if (code == KERR_NONE)
		code = txn_code(txn_check(req->sb, &claim, txn), 0, 1);
	if (code == KERR_NONE && !txn_has_group(*txn, body->group_id))
		code = KERR_INVALID_TXN_STATE;
	if (code == KERR_NONE)
		code = check_member(body, coord_find(req->sb, body->group_id));
	return code;
}

static int16_t keep(struct request *req, struct txn *txn, struct str topic, const struct txn_offset_partition *in)
{
	struct coord_offset value = { .partition = in->partition_index, .offset = in->committed_offset,
				      .leader_epoch = in->committed_leader_epoch };
	bool kept;

	if (in->committed_metadata.len > METADATA_MAX)
		return KERR_OFFSET_METADATA_TOO_LARGE;
	if (store_partition(&req->sb->store, topic, in->partition_index) == NULL)
		return KERR_UNKNOWN_TOPIC_OR_PARTITION;
	value.metadata = xstrndup(in->committed_metadata.data, (size_t)MAX(in->committed_metadata.len, 0));
	kept = txn_put_offset(txn, request_body(req, txn_offset_commit)->group_id, topic, &value);
	xfree(value.metadata);
	return kept ? KERR_NONE : KERR_KAFKA_STORAGE_ERROR;
}

enum handled txn_offset_commit_handle(struct request *req)
{
	const struct txn_offset_commit_request *body = request_body(req, txn_offset_commit);
	struct txn_offset_commit_response *answer = request_answer(req, txn_offset_commit);
	struct txn *txn = NULL;
	int16_t code = check(req, &txn);

	request_items(req, &answer->topics, committed_txn_topic, body->topics.n);
	for (int32_t t = 0; t < body->topics.n; t++) {
		const struct txn_offset_topic *in = &body->topics.items[t];
		struct committed_txn_topic *out = &answer->topics.items[t];

		out->name = in->name;
		request_items(req, &out->partitions, committed_txn_partition, in->partitions.n);
		for (int32_t i = 0; i < in->partitions.n; i++) {
			out->partitions.items[i].partition_index = in->partitions.items[i].partition_index;
			out->partitions.items[i].error_code =
				code != KERR_NONE ? code : keep(req, txn, in->name, &in->partitions.items[i]);
		}
	}
	return HANDLED;
}
