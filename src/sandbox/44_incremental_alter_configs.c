/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: set, delete, append and subtract of topic settings, all of a resource or none; 40 for names and values
 * that are not allowed, 42 the same setting twice or an unknown operation. Of the broker only
 * producer.id.expiration.ms. */
#include "sandbox/handlers.h"
#include "wire/msg/incremental_alter_configs.h"

struct outcome {
	int16_t code;
	struct str why;
};

static struct outcome refuse(struct request *req, int16_t code, const char *why)
{
	return (struct outcome){ code, request_text(req, "%s", why) };
}

static struct outcome check_form(struct request *req, const struct alterable_resource *in)
{
	for (int32_t i = 0; i < in->configs.n; i++) {
		if (in->configs.items[i].config_operation < SETTING_SET ||
		    in->configs.items[i].config_operation > SETTING_SUBTRACT)
			return refuse(req, KERR_INVALID_REQUEST, "Unknown operation type");
		for (int32_t j = 0; j < i; j++)
			if (str_eq(in->configs.items[i].name, in->configs.items[j].name))
				return refuse(req, KERR_INVALID_REQUEST, "Error due to duplicate config keys");
	}
	return (struct outcome){ KERR_NONE, STR_NULL };
}

static struct outcome alter_topic(struct request *req, const struct alterable_resource *in)
{
	struct topic *topic = store_topic(&req->sb->store, in->resource_name);
	struct topic_config config, old;
	char why[160];

	if (topic == NULL)
		return refuse(req, KERR_UNKNOWN_TOPIC_OR_PARTITION, "The topic does not exist");
	topic_config_copy(&config, &topic->config);
	for (int32_t i = 0; i < in->configs.n; i++) {
		const struct alterable_config *c = &in->configs.items[i];

		if (!topic_config_alter(&config, c->name, (enum setting_op)c->config_operation, c->value, why)) {
			topic_config_fini(&config);
			return refuse(req, KERR_INVALID_CONFIG, why);
		}
	}
	old = topic->config;
	if (!request_body(req, incremental_alter_configs)->validate_only) {
		topic->config = config;
		config = old;
	}
	topic_config_fini(&config);
	return (struct outcome){ KERR_NONE, STR_NULL };
}

static struct outcome alter_broker(struct request *req, const struct alterable_resource *in)
{
	int64_t expiry = req->sb->producer_expiry_ms;

	for (int32_t i = 0; i < in->configs.n; i++) {
		const struct alterable_config *c = &in->configs.items[i];
		char text[24];

		if (!str_is(c->name, "producer.id.expiration.ms") || c->config_operation > SETTING_DELETE)
			return refuse(req, KERR_INVALID_REQUEST,
				      "krsandbox: of the broker only producer.id.expiration.ms can be changed");
		snprintf(text, sizeof(text), "%.*s", STR_ARG(c->value));
		expiry = c->config_operation == SETTING_DELETE ? PRODUCER_EXPIRY_MS : strtoll(text, NULL, 10);
		if (expiry < 1 || expiry > INT32_MAX)
			return refuse(req, KERR_INVALID_CONFIG, "Invalid value for producer.id.expiration.ms");
	}
	if (!request_body(req, incremental_alter_configs)->validate_only)
		req->sb->producer_expiry_ms = expiry;
	return (struct outcome){ KERR_NONE, STR_NULL };
}

static struct outcome alter(struct request *req, const struct alterable_resource *in)
{
	struct outcome o = { req->fault, STR_NULL };

	if (o.code == KERR_NONE)
		o = check_form(req, in);
	if (o.code != KERR_NONE)
		return o;
	if (in->resource_type == RESOURCE_TOPIC)
		return alter_topic(req, in);
	if (in->resource_type == RESOURCE_BROKER && broker_resource_ok(req, in->resource_name))
		return alter_broker(req, in);
	return refuse(req, KERR_INVALID_REQUEST, "krsandbox alters topics and its one broker");
}

bool broker_resource_ok(const struct request *req, struct str name)
{
	char id[16];

	snprintf(id, sizeof(id), "%d", req->sb->opts.node_id);
	return name.len == 0 || str_is(name, id);
}

enum handled incremental_alter_configs_handle(struct request *req)
{
	const struct incremental_alter_configs_request *body = request_body(req, incremental_alter_configs);
	struct incremental_alter_configs_response *answer = request_answer(req, incremental_alter_configs);

	request_items(req, &answer->responses, altered_resource, body->resources.n);
	for (int32_t i = 0; i < body->resources.n; i++) {
		struct outcome o = alter(req, &body->resources.items[i]);

		answer->responses.items[i].resource_type = body->resources.items[i].resource_type;
		answer->responses.items[i].resource_name = body->resources.items[i].resource_name;
		answer->responses.items[i].error_code = o.code;
		answer->responses.items[i].error_message = o.why;
	}
	return HANDLED;
}
