/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: -1 is the high watermark; beyond it, or below -1: 1; below the log start: nothing happens. A topic that
 * is compacted without delete: 44 (before 4.2 every topic without delete). Memory of whole batches below the new start
 * is free at once. */
#include "sandbox/handlers.h"
#include "wire/msg/delete_records.h"

static size_t count_batches(const struct plog *log)
{
	return plog_find(log, INT64_MAX);
}

static int16_t delete_records(struct sandbox *sb, struct partition *p, int64_t offset)
{
	size_t bytes = p->log.bytes, n = count_batches(&p->log);

	if (topic_config_compacts(&p->topic->config) && !topic_config_deletes(&p->topic->config))
		return KERR_POLICY_VIOLATION;
	if (offset == -1)
		offset = p->log.end_offset;
	if (offset < 0 || offset > p->log.end_offset)
		return KERR_OFFSET_OUT_OF_RANGE;
	if (offset > p->log.start_offset) {
		plog_delete_to(&p->log, offset);
		aborted_delete_to(&p->aborted, offset);
	}
	store_release(&sb->store, bytes - p->log.bytes + (n - count_batches(&p->log)) * BATCH_COST);
	return KERR_NONE;
}

enum handled delete_records_handle(struct request *req)
{
	const struct delete_records_request *body = request_body(req, delete_records);
	struct delete_records_response *answer = request_answer(req, delete_records);

	request_items(req, &answer->topics, deleted_records_topic, body->topics.n);
	for (int32_t t = 0; t < body->topics.n; t++) {
		const struct delete_records_topic *in = &body->topics.items[t];
		struct deleted_records_topic *out = &answer->topics.items[t];

		out->name = in->name;
		request_items(req, &out->partitions, deleted_records_partition, in->partitions.n);
		for (int32_t i = 0; i < in->partitions.n; i++) {
			struct deleted_records_partition *result = &out->partitions.items[i];
			struct partition *p = store_partition(&req->sb->store, in->name,
							      in->partitions.items[i].partition_index);

			result->partition_index = in->partitions.items[i].partition_index;
			result->low_watermark = -1;
			result->error_code = req->fault;
			if (result->error_code == KERR_NONE)
				result->error_code = p == NULL ? KERR_UNKNOWN_TOPIC_OR_PARTITION :
					delete_records(req->sb, p, in->partitions.items[i].offset);
			if (result->error_code == KERR_NONE)
				result->low_watermark = p->log.start_offset;
		}
	}
	return HANDLED;
}
