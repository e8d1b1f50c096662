/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: 17 a name that cannot be or that differs from another only in '.' and '_', 36 exists, 37 and 38 counts
 * (-1 is the default of 1; there is one node), 39 assignments, 40 configuration, 42 the same topic twice or counts
 * beside assignments, 44 over 10,000 partitions, 56 the memory limit.
 * Version notes: 4 defaults by -1, 5 counts and configuration in the answer, 7 topic ids. */
#include "sandbox/handlers.h"
#include "wire/msg/create_topics.h"

struct outcome {
	int16_t code;
	struct str why;
};

static struct outcome refuse(struct request *req, int16_t code, const char *why)
{
	return (struct outcome){ code, request_text(req, "%s", why) };
}

static struct outcome check_assignments(struct request *req, const struct creatable_topic *in, int32_t *n)
{
	uint8_t *seen = request_alloc(req, (size_t)in->assignments.n);

	if (in->num_partitions != -1 || in->replication_factor != -1)
		return refuse(req, KERR_INVALID_REQUEST,
			      "A manual partition assignment was specified, but counts were not -1");
	if (in->assignments.n > PARTITIONS_MAX)
		return refuse(req, KERR_POLICY_VIOLATION, "Excessively large number of partitions per request");
	for (int32_t i = 0; i < in->assignments.n; i++) {
		const struct creatable_assignment *a = &in->assignments.items[i];

		if (a->broker_ids.n != 1 || a->broker_ids.items[0] != req->sb->opts.node_id)
			return refuse(req, KERR_INVALID_REPLICA_ASSIGNMENT,
				      "The assignment names brokers that are not there: krsandbox is one node");
		if (a->partition_index < 0 || a->partition_index >= in->assignments.n || seen[a->partition_index]++)
			return refuse(req, KERR_INVALID_REPLICA_ASSIGNMENT,
				      "Partitions must be a consecutive series from 0");
	}
	*n = in->assignments.n;
	return (struct outcome){ KERR_NONE, STR_NULL };
}

static struct outcome check_counts(struct request *req, const struct creatable_topic *in, int32_t *n)
{
	if (in->assignments.n > 0)
		return check_assignments(req, in, n);
	if (in->num_partitions == 0 || in->num_partitions < -1)
		return refuse(req, KERR_INVALID_PARTITIONS, "Number of partitions must be larger than 0, or -1");
	if (in->num_partitions > PARTITIONS_MAX)
		return refuse(req, KERR_POLICY_VIOLATION, "Excessively large number of partitions per request");
	if (in->replication_factor == 0 || in->replication_factor < -1)
		return refuse(req, KERR_INVALID_REPLICATION_FACTOR, "Replication factor must be larger than 0, or -1");
	if (in->replication_factor > 1)
		return refuse(req, KERR_INVALID_REPLICATION_FACTOR,
			      "Unable to replicate the partition: only 1 broker is registered");
	*n = in->num_partitions == -1 ? 1 : in->num_partitions;
	return (struct outcome){ KERR_NONE, STR_NULL };
}

static struct outcome check_name(struct request *req, const struct creatable_topic *in)
{
	const struct create_topics_request *body = request_body(req, create_topics);
	int same = 0;

	for (int32_t i = 0; i < body->topics.n; i++)
		same += str_eq(body->topics.items[i].name, in->name);
	if (same > 1)
		return refuse(req, KERR_INVALID_REQUEST, "Duplicate topic name");
	if (!topic_name_ok(in->name))
		return refuse(req, KERR_INVALID_TOPIC_EXCEPTION, "The topic name is not valid");
	if (store_topic(&req->sb->store, in->name) != NULL)
		return (struct outcome){ KERR_TOPIC_ALREADY_EXISTS,
					 request_text(req, "Topic '%.*s' already exists.", STR_ARG(in->name)) };
	if (store_collision(&req->sb->store, in->name) != NULL)
		return refuse(req, KERR_INVALID_TOPIC_EXCEPTION, "The topic name collides with an existing topic");
	return (struct outcome){ KERR_NONE, STR_NULL };
}

static struct outcome read_config(struct request *req, const struct creatable_topic *in, struct topic_config *config)
{
	char why[160];

	for (int32_t i = 0; i < in->configs.n; i++)
		if (!topic_config_alter(config, in->configs.items[i].name, SETTING_SET, in->configs.items[i].value,
					why))
			return refuse(req, KERR_INVALID_CONFIG, why);
	return (struct outcome){ KERR_NONE, STR_NULL };
}

static void tell_config(struct request *req, const struct topic_config *config, struct created_topic *out)
{
	request_items(req, &out->configs, created_config, N_SETTINGS);
	for (int i = 0; i < N_SETTINGS; i++) {
		out->configs.items[i].name = str_of(setting_at(i)->name);
		out->configs.items[i].value = request_text(req, "%s", topic_config_get(config, i));
		out->configs.items[i].config_source = config->values[i] != NULL ? SOURCE_TOPIC : SOURCE_DEFAULT;
	}
}

static struct outcome create(struct request *req, const struct creatable_topic *in, struct topic_config *config,
			     struct created_topic *out)
{
	struct outcome o = check_name(req, in);
	int32_t n = 0;
	struct topic *topic;

	if (o.code == KERR_NONE)
		o = check_counts(req, in, &n);
	if (o.code == KERR_NONE)
		o = read_config(req, in, config);
	if (o.code != KERR_NONE)
		return o;
	out->topic_id = sandbox_uuid(req->sb);
	out->num_partitions = n;
	out->replication_factor = 1;
	tell_config(req, config, out);
	if (request_body(req, create_topics)->validate_only) {
		out->topic_id = (struct uuid){ { 0 } };
		return o;
	}
	topic = store_add(&req->sb->store, in->name, &out->topic_id, n, config);
	return topic != NULL ? o : refuse(req, KERR_KAFKA_STORAGE_ERROR, "krsandbox: the memory limit is reached");
}

enum handled create_topics_handle(struct request *req)
{
	const struct create_topics_request *body = request_body(req, create_topics);
	struct create_topics_response *answer = request_answer(req, create_topics);

	request_items(req, &answer->topics, created_topic, body->topics.n);
	for (int32_t i = 0; i < body->topics.n; i++) {
		struct created_topic *out = &answer->topics.items[i];
		struct topic_config config;
		struct outcome o = { req->fault, STR_NULL };

		topic_config_init(&config);
		out->name = body->topics.items[i].name;
		if (o.code == KERR_NONE)
			o = create(req, &body->topics.items[i], &config, out);
		topic_config_fini(&config);
		out->error_code = o.code;
		out->error_message = o.why;
	}
	return HANDLED;
}
