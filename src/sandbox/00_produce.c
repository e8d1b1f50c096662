/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: one magic 2 batch per partition (87), checked as append.c says; acks -1, 0, 1 (21). With acks=0 there is
 * no answer, and an error ends the connection. Transactional batches: 53 without a transactional id. The first one of a
 * transaction in a partition is verified with the coordinator: 49 and 47 for another producer id or epoch, 48 when the
 * partition was not added (below version 12, which adds it).
 * With acks=-1 a topic whose min.insync.replicas is above 1 gets 19, as if it had more replicas and all but one were
 * gone. (A broker takes the smaller of that setting and the number of replicas, so it never refuses a topic with one.)
 * Version notes: 3 the batch format, 7 zstd, 8 error messages, 13 topic ids. Advertised from 0, as brokers do for the
 * sake of librdkafka, but served from 3. */
#include "sandbox/append.h"
#include "sandbox/batch_check.h"
#include "sandbox/bytes.h"
#include "sandbox/handlers.h"
#include "sandbox/txn.h"
#include "wire/msg/produce.h"

static int16_t check_request(const struct request *req, const struct produce_request *body)
{
	if (body->acks < -1 || body->acks > 1)
		return KERR_INVALID_REQUIRED_ACKS;
	return fault_after_write(req->fault) ? KERR_NONE : req->fault;
}

static bool is_transactional(const struct records *r)
{
	return r->len >= BATCH_HEADER_LEN && r->data[BATCH_MAGIC] == 2 &&
	       (get_i16(r->data + BATCH_ATTRIBUTES) & BATCH_TRANSACTIONAL) != 0;
}

/* A broker looks at all partitions of a request before it refuses it. */
static bool has_transactional(const struct produce_request *body)
{
	for (int32_t t = 0; t < body->topic_data.n; t++)
		for (int32_t i = 0; i < body->topic_data.items[t].partition_data.n; i++)
			if (is_transactional(&body->topic_data.items[t].partition_data.items[i].records))
				return true;
	return false;
}

/* A partition that takes part in the transaction already is not verified again. */
static int16_t verify(struct request *req, struct partition *p, const struct records *records)
{
	struct txn_claim claim = { .id = request_body(req, produce)->transactional_id };
	struct txn *txn;
	int16_t code;

	if (!is_transactional(records))
		return KERR_NONE;
	claim.producer_id = get_i64(records->data + BATCH_PRODUCER_ID);
	claim.epoch = get_i16(records->data + BATCH_PRODUCER_EPOCH);
	if (producers_in_txn(&p->producers, claim.producer_id, claim.epoch))
		return KERR_NONE;
	code = txn_code(txn_check(req->sb, &claim, &txn), 0, 1);
	if (code != KERR_NONE || txn_has_partition(txn, str_of(p->topic->name), p->index))
		return code;
	if (req->version < 12)
		return KERR_INVALID_TXN_STATE;
	txn_add_partition(txn, str_of(p->topic->name), p->index);
	return KERR_NONE;
}

static int16_t check_partition(const struct request *req, const struct topic *topic, const struct partition *p)
{
	const struct produce_request *body = request_body(req, produce);

	if (topic == NULL && req->version >= 13)
		return KERR_UNKNOWN_TOPIC_ID;
	if (p == NULL)
		return KERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (body->acks == -1 && topic->config.numbers[SETTING_MIN_INSYNC_REPLICAS] > 1)
		return KERR_NOT_ENOUGH_REPLICAS;
	return KERR_NONE;
}

static void refuse(struct produced_partition *out, int16_t code)
{
	out->error_code = code;
	out->base_offset = -1;
}

static void produce_partition(struct request *req, struct partition *p, const struct produce_partition *in,
			      struct produced_partition *out)
{
	struct appended done = append_records(req->sb, p, &in->records, req->version);

	out->error_code = done.code;
	out->base_offset = done.base_offset;
	out->log_append_time_ms = done.log_append_time_ms;
	out->log_start_offset = done.log_start_offset;
	if (done.code != KERR_NONE && done.why != NULL)
		out->error_message = str_of(done.why);
	if (fault_after_write(req->fault))
		refuse(out, req->fault);
}

static bool produce_topic(struct request *req, const struct produce_topic *in, struct produced_topic *out,
			  int16_t all)
{
	struct store *store = &req->sb->store;
	struct topic *topic = req->version >= 13 ? store_topic_by_id(store, &in->topic_id)
						 : store_topic(store, in->name);
	bool ok = true;

	out->name = in->name;
	out->topic_id = in->topic_id;
	request_items(req, &out->partition_responses, produced_partition, in->partition_data.n);
	for (int32_t i = 0; i < in->partition_data.n; i++) {
		struct produced_partition *result = &out->partition_responses.items[i];
		struct partition *p = topic_partition(topic, in->partition_data.items[i].index);
		int16_t code = all != KERR_NONE ? all : check_partition(req, topic, p);

		if (code == KERR_NONE)
			code = verify(req, p, &in->partition_data.items[i].records);
		result->index = in->partition_data.items[i].index;
		if (code != KERR_NONE)
			refuse(result, code);
		else
			produce_partition(req, p, &in->partition_data.items[i], result);
		ok &= result->error_code == KERR_NONE;
	}
	return ok;
}

enum handled produce_handle(struct request *req)
{
	const struct produce_request *body = request_body(req, produce);
	struct produce_response *answer = request_answer(req, produce);
	int16_t all = check_request(req, body);
	bool ok = true;

	if (all == KERR_NONE && has_transactional(body))
		all = body->transactional_id.len < 0 ? KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED : KERR_NONE;
	request_items(req, &answer->responses, produced_topic, body->topic_data.n);
	for (int32_t t = 0; t < body->topic_data.n; t++)
		ok &= produce_topic(req, &body->topic_data.items[t], &answer->responses.items[t], all);
	if (body->acks == 0)
		return ok ? HANDLED_SILENT : HANDLED_DROP;
	return HANDLED;
}
