/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: 3 unknown name, 100 unknown id, 42 both or neither. Fetches that wait on the topic are answered.
 * Version notes: 1 to 5 names only, 6 names or ids. */
#include "sandbox/fetch_wait.h"
#include "sandbox/handlers.h"
#include "wire/msg/delete_topics.h"

static void delete_one(struct request *req, const struct deletable_topic *in, struct deleted_topic *out)
{
	struct store *store = &req->sb->store;
	bool by_name = in->name.len >= 0;
	struct topic *topic = by_name ? store_topic(store, in->name) : store_topic_by_id(store, &in->topic_id);

	out->name = in->name;
	out->topic_id = in->topic_id;
	out->error_code = req->fault;
	if (out->error_code != KERR_NONE)
		return;
	if (by_name != uuid_is_zero(&in->topic_id)) {
		out->error_code = KERR_INVALID_REQUEST;
		return;
	}
	if (topic == NULL) {
		out->error_code = by_name ? KERR_UNKNOWN_TOPIC_OR_PARTITION : KERR_UNKNOWN_TOPIC_ID;
		return;
	}
	out->name = request_text(req, "%s", topic->name);
	out->topic_id = topic->id;
	store_unlink(store, topic);
	for (int32_t i = 0; i < topic->n_partitions; i++)
		fetch_wait_end(topic->partitions[i]);
	store_free(store, topic);
}

enum handled delete_topics_handle(struct request *req)
{
	const struct delete_topics_request *body = request_body(req, delete_topics);
	struct delete_topics_response *answer = request_answer(req, delete_topics);
	bool names = req->version < 6;
	int32_t n = names ? body->topic_names.n : body->topics.n;

	request_items(req, &answer->responses, deleted_topic, n);
	for (int32_t i = 0; i < n; i++) {
		struct deletable_topic by_name = { .name = names ? body->topic_names.items[i] : STR_NULL };

		delete_one(req, names ? &by_name : &body->topics.items[i], &answer->responses.items[i]);
	}
	return HANDLED;
}
