/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: all settings of a topic, or those asked for, with the source of each value (1 the topic, 5 the default)
 * and on request its synonyms. Of the broker (its id, or "" for the cluster's defaults) only what krsandbox itself acts
 * on. 3 unknown topic, 42 other resources.
 * Version notes: 1 sources, 3 types and documentation (null). */
#include "sandbox/handlers.h"
#include "wire/msg/describe_configs.h"

static bool wanted(const struct describable_resource *in, const char *name)
{
	if (in->configuration_keys.n < 0)
		return true;
	for (int32_t i = 0; i < in->configuration_keys.n; i++)
		if (str_is(in->configuration_keys.items[i], name))
			return true;
	return false;
}

static void tell(struct request *req, struct described_config *out, const char *name, const char *value, int8_t source)
{
	out->name = str_of(name);
	out->value = request_text(req, "%s", value);
	out->config_source = source;
	out->documentation = STR_NULL;
	if (!request_body(req, describe_configs)->include_synonyms)
		return;
	request_items(req, &out->synonyms, config_synonym, 1);
	out->synonyms.items[0].name = out->name;
	out->synonyms.items[0].value = out->value;
	out->synonyms.items[0].source = source;
}

static void describe_topic(struct request *req, const struct describable_resource *in, const struct topic *topic,
			   struct described_resource *out)
{
	request_items(req, &out->configs, described_config, N_SETTINGS);
	out->configs.n = 0;
	for (int i = 0; i < N_SETTINGS; i++) {
		struct described_config *c = &out->configs.items[out->configs.n];

		if (!wanted(in, setting_at(i)->name))
			continue;
		tell(req, c, setting_at(i)->name, topic_config_get(&topic->config, i),
		     topic->config.values[i] != NULL ? SOURCE_TOPIC : SOURCE_DEFAULT);
		c->config_type = (int8_t)setting_at(i)->type;
		out->configs.n++;
	}
}

static void tell_broker(struct request *req, const struct describable_resource *in, struct described_resource *out,
			const struct broker_setting *setting)
{
	struct described_config *c = &out->configs.items[out->configs.n];

	if (!wanted(in, setting->name))
		return;
	tell(req, c, setting->name, request_text(req, "%lld", (long long)setting->value).data, setting->source);
	c->read_only = setting->source == SOURCE_STATIC;
	c->config_type = SETTING_INT;
	out->configs.n++;
}

static void describe_broker(struct request *req, const struct describable_resource *in,
			    struct described_resource *out)
{
	struct sandbox *sb = req->sb;
	struct broker_setting settings[] = {
		{ "broker.id", sb->opts.node_id, SOURCE_STATIC },
		{ "node.id", sb->opts.node_id, SOURCE_STATIC },
		{ "num.partitions", 1, SOURCE_DEFAULT },
		{ "default.replication.factor", 1, SOURCE_DEFAULT },
		{ "group.initial.rebalance.delay.ms", sb->opts.rebalance_delay_ms, SOURCE_STATIC },
		{ "producer.id.expiration.ms", sb->producer_expiry_ms, SOURCE_DYNAMIC_DEFAULT },
	};

	request_items(req, &out->configs, described_config, (int32_t)ARRAY_LEN(settings));
	out->configs.n = 0;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		tell_broker(req, in, out, &settings[i]);
}

static void describe(struct request *req, const struct describable_resource *in, struct described_resource *out)
{
	const struct topic *topic;

	out->resource_type = in->resource_type;
	out->resource_name = in->resource_name;
	out->error_code = req->fault;
	out->error_message = STR_NULL;
	if (out->error_code != KERR_NONE)
		return;
	if (in->resource_type == RESOURCE_TOPIC) {
		topic = store_topic(&req->sb->store, in->resource_name);
		if (topic == NULL)
			out->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
		else
			describe_topic(req, in, topic, out);
	} else if (in->resource_type == RESOURCE_BROKER && broker_resource_ok(req, in->resource_name)) {
		describe_broker(req, in, out);
	} else {
		out->error_code = KERR_INVALID_REQUEST;
		out->error_message = str_of("krsandbox describes topics and its one broker");
	}
}

enum handled describe_configs_handle(struct request *req)
{
	const struct describe_configs_request *body = request_body(req, describe_configs);
	struct describe_configs_response *answer = request_answer(req, describe_configs);

	request_items(req, &answer->results, described_resource, body->resources.n);
	for (int32_t i = 0; i < body->resources.n; i++)
		describe(req, &body->resources.items[i], &answer->results.items[i]);
	return HANDLED;
}
