/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: -1 and no error for what was not committed and for groups that are not there; a null list of topics means
 * all that is committed. With require_stable 88 where a transaction is about to commit an offset.
 * Version notes: 2 null topics, 5 leader epoch, 8 several groups in one request, 9 member (not looked at). */
#include "sandbox/coord.h"
#include "sandbox/handlers.h"
#include "sandbox/txn.h"
#include "wire/msg/offset_fetch.h"

/* What is asked of one group, whatever the version. */
struct asked {
	struct str group_id;
	const struct offset_fetch_group_topic *topics;
	int32_t n;                      /* -1: all */
	bool stable;
};

static void tell(struct request *req, const struct coord_offset *o, struct fetched_offsets_group_partition *out)
{
	out->committed_offset = o != NULL ? o->offset : -1;
	out->committed_leader_epoch = o != NULL ? o->leader_epoch : -1;
	out->metadata = o != NULL ? request_text(req, "%s", o->metadata) : str_of("");
}

/* One partition of an answer. o NULL: nothing is committed. */
static void tell_partition(struct request *req, const struct asked *asked, struct str topic, int32_t index,
			   const struct coord_offset *o, struct fetched_offsets_group_partition *out)
{
	bool pending = asked->stable && txn_offset_pending(req->sb, asked->group_id, topic, index);

	tell(req, pending ? NULL : o, out);
	out->partition_index = index;
	out->error_code = pending ? KERR_UNSTABLE_OFFSET_COMMIT : KERR_NONE;
}

static void tell_some(struct request *req, const struct coord_group *group, const struct asked *asked,
		      struct fetched_offsets_group *out)
{
	request_items(req, &out->topics, fetched_offsets_group_topic, asked->n);
	for (int32_t t = 0; t < asked->n; t++) {
		const struct offset_fetch_group_topic *in = &asked->topics[t];
		struct fetched_offsets_group_topic *topic = &out->topics.items[t];

		topic->name = in->name;
		request_items(req, &topic->partitions, fetched_offsets_group_partition, in->partition_indexes.n);
		for (int32_t i = 0; i < in->partition_indexes.n; i++) {
			int32_t index = in->partition_indexes.items[i];

			tell_partition(req, asked, in->name, index,
				       group != NULL ? coord_offset(group, in->name, index) : NULL,
				       &topic->partitions.items[i]);
		}
	}
}

static void tell_all(struct request *req, const struct asked *asked, const struct coord_group *group,
		     struct fetched_offsets_group *out)
{
	struct fetched_offsets_group_topic *topic = NULL;
	struct coord_offset **all;
	size_t n;

	if (group == NULL)
		return;
	all = coord_offsets(group, &n);
	request_items(req, &out->topics, fetched_offsets_group_topic, (int32_t)n);
	out->topics.n = 0;
	for (size_t i = 0; i < n; i++) {
		if (topic == NULL || !str_is(topic->name, all[i]->topic)) {
			size_t same = i;

			while (same < n && strcmp(all[same]->topic, all[i]->topic) == 0)
				same++;
			topic = &out->topics.items[out->topics.n++];
			topic->name = request_text(req, "%s", all[i]->topic);
			request_items(req, &topic->partitions, fetched_offsets_group_partition, (int32_t)(same - i));
			topic->partitions.n = 0;
		}
		tell_partition(req, asked, topic->name, all[i]->partition, all[i],
			       &topic->partitions.items[topic->partitions.n++]);
	}
	xfree(all);
}

static void answer_group(struct request *req, const struct asked *asked, struct fetched_offsets_group *out)
{
	const struct coord_group *group = coord_find(req->sb, asked->group_id);

	out->group_id = asked->group_id;
	out->error_code = req->fault;
	if (out->error_code != KERR_NONE)
		return;
	if (asked->n >= 0)
		tell_some(req, group, asked, out);
	else
		tell_all(req, asked, group, out);
}

static void copy_partition(const struct fetched_offsets_group_partition *from, struct fetched_offsets_partition *to)
{
	to->partition_index = from->partition_index;
	to->committed_offset = from->committed_offset;
	to->committed_leader_epoch = from->committed_leader_epoch;
	to->metadata = from->metadata;
	to->error_code = from->error_code;
}

/* Up to version 7: one group, whose topics stand in the answer itself. */
static void answer_single(struct request *req)
{
	const struct offset_fetch_request *body = request_body(req, offset_fetch);
	struct offset_fetch_response *answer = request_answer(req, offset_fetch);
	struct asked asked = { .group_id = body->group_id, .n = body->topics.n,
			       .stable = body->require_stable };
	struct offset_fetch_group_topic *topics = request_alloc(req, sizeof(*topics) * (size_t)MAX(asked.n, 1));
	struct fetched_offsets_group group = { 0 };

	for (int32_t t = 0; t < asked.n; t++) {
		topics[t].name = body->topics.items[t].name;
		topics[t].partition_indexes.items = body->topics.items[t].partition_indexes.items;
		topics[t].partition_indexes.n = body->topics.items[t].partition_indexes.n;
	}
	asked.topics = topics;
	answer_group(req, &asked, &group);
	answer->error_code = group.error_code;
	request_items(req, &answer->topics, fetched_offsets_topic, group.topics.n);
	for (int32_t t = 0; t < group.topics.n; t++) {
		struct fetched_offsets_topic *out = &answer->topics.items[t];

		out->name = group.topics.items[t].name;
		request_items(req, &out->partitions, fetched_offsets_partition, group.topics.items[t].partitions.n);
		for (int32_t i = 0; i < out->partitions.n; i++)
			copy_partition(&group.topics.items[t].partitions.items[i], &out->partitions.items[i]);
	}
}

enum handled offset_fetch_handle(struct request *req)
{
	const struct offset_fetch_request *body = request_body(req, offset_fetch);
	struct offset_fetch_response *answer = request_answer(req, offset_fetch);

	if (req->version < 8) {
		answer_single(req);
		return HANDLED;
	}
	request_items(req, &answer->groups, fetched_offsets_group, body->groups.n);
	for (int32_t i = 0; i < body->groups.n; i++) {
		struct asked asked = {
			.group_id = body->groups.items[i].group_id,
			.topics = body->groups.items[i].topics.items,
			.n = body->groups.items[i].topics.n,
			.stable = body->require_stable,
		};

		answer_group(req, &asked, &answer->groups.items[i]);
	}
	return HANDLED;
}
