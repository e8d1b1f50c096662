/* SPDX-License-Identifier: Apache-2.0 */
/* Versions, topics, configuration, faults. */
#include "box.h"

#include "sandbox/bytes.h"
#include "wire/msg/api_versions.h"
#include "wire/msg/create_partitions.h"
#include "wire/msg/create_topics.h"
#include "wire/msg/delete_topics.h"
#include "wire/msg/describe_acls.h"
#include "wire/msg/describe_cluster.h"
#include "wire/msg/describe_configs.h"
#include "wire/msg/fetch.h"
#include "wire/msg/heartbeat.h"
#include "wire/msg/incremental_alter_configs.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/metadata.h"

static struct box box;

static void setup(void)
{
	box_open(&box, 0);
}

static void teardown(void)
{
	box_close(&box);
}

START_TEST(versions)
{
	struct api_versions_request *req = box_request(&box, api_versions);
	const struct api_versions_response *res;
	/* ApiVersions v77, correlation 9, no client id. */
	static const uint8_t future[] = { 0, 18, 0, 77, 0, 0, 0, 9, 255, 255, 0 };

	req->client_software_name = str_of("a-b.c");
	req->client_software_version = str_of("1");
	res = box_call(&box, api_versions, 3, req);
	ck_assert_int_eq(res->error_code, 0);
	ck_assert_int_gt(res->api_keys.n, 20);
	ck_assert_int_eq(res->api_keys.items[0].api_key, 0);
	ck_assert_int_eq(res->api_keys.items[0].max_version, 13);
	req->client_software_name = str_of("-bad");
	ck_assert_int_eq(box_call(&box, api_versions, 3, req)->error_code, KERR_INVALID_REQUEST);
	box_feed(&box, 0, future, sizeof(future));
	res = box_reply(&box, 0, &api_versions_api, 0);
	ck_assert_int_eq(res->error_code, KERR_UNSUPPORTED_VERSION);
	ck_assert_int_eq(res->api_keys.n, 1);
	ck_assert_int_eq(res->api_keys.items[0].api_key, 18);
	ck_assert_int_eq(res->api_keys.items[0].max_version, 4);
	ck_assert(!box.clients[0].dropped);
}
END_TEST

START_TEST(what_is_not_served_ends_the_connection)
{
	static const uint8_t unknown[] = { 0, 99, 0, 0, 0, 0, 0, 9, 255, 255 };
	static const uint8_t version[] = { 0, 12, 0, 50, 0, 0, 0, 9, 255, 255 };
	static const uint8_t old_produce[] = { 0, 0, 0, 2, 0, 0, 0, 9, 255, 255, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t broken[] = { 0, 12, 0, 0, 0, 0, 0, 9, 255, 255, 0 };
	static const struct { const uint8_t *frame; size_t len; } cases[] = {
		{ unknown, sizeof(unknown) }, { version, sizeof(version) }, { old_produce, sizeof(old_produce) },
		{ broken, sizeof(broken) }, { broken, 3 }, { broken, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		box_feed(&box, 0, cases[i].frame, cases[i].len);
		ck_assert(box.clients[0].dropped);
		ck_assert(!box_has_reply(&box, 0));
		box_reconnect(&box, 0);
	}
}
END_TEST

START_TEST(metadata_names_the_one_node)
{
	struct metadata_request *req = box_request(&box, metadata);
	const struct metadata_response *res;

	req->topics.n = -1;
	req->include_topic_authorized_operations = true;
	res = box_call(&box, metadata, 9, req);
	ck_assert_int_eq(res->brokers.n, 1);
	ck_assert(str_is(res->brokers.items[0].host, "localhost"));
	ck_assert_int_eq(res->cluster_id.len, 22);
	ck_assert_int_eq(res->topics.n, 1);
	ck_assert_int_eq(res->topics.items[0].partitions.n, 3);
	ck_assert_int_eq(res->topics.items[0].partitions.items[2].leader_id, 1);
	ck_assert_int_eq(res->topics.items[0].topic_authorized_operations, 3576);
	box_items(&box, &req->topics, metadata_topic, 2);
	req->topics.items[0].name = str_of("none");
	req->topics.items[1].name = str_of("a b");
	req->allow_auto_topic_creation = true;
	res = box_call(&box, metadata, 9, req);
	ck_assert_int_eq(res->topics.items[0].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(res->topics.items[1].error_code, KERR_INVALID_TOPIC_EXCEPTION);
	req->topics.n = 1;
	req->topics.items[0].name = STR_NULL;
	req->topics.items[0].topic_id.b[3] = 1;
	ck_assert_int_eq(box_call(&box, metadata, 12, req)->topics.items[0].error_code, KERR_UNKNOWN_TOPIC_ID);
}
END_TEST

struct creation {
	const char *name;
	int32_t partitions;
	int16_t factor;
	const char *config, *value;
	int16_t code;
};

static int16_t create(const struct creation *c, bool validate_only)
{
	struct create_topics_request *req = box_request(&box, create_topics);

	req->validate_only = validate_only;
	box_items(&box, &req->topics, creatable_topic, 1);
	req->topics.items[0].name = str_of(c->name);
	req->topics.items[0].num_partitions = c->partitions;
	req->topics.items[0].replication_factor = c->factor;
	if (c->config != NULL) {
		box_items(&box, &req->topics.items[0].configs, creatable_config, 1);
		req->topics.items[0].configs.items[0].name = str_of(c->config);
		req->topics.items[0].configs.items[0].value = str_of(c->value);
	}
	return box_call(&box, create_topics, 7, req)->topics.items[0].error_code;
}

START_TEST(topics_are_created_or_refused)
{
	static const struct creation cases[] = {
		{ "a.b", 4, 1, NULL, NULL, KERR_NONE },
		{ "a.b", 4, 1, NULL, NULL, KERR_TOPIC_ALREADY_EXISTS },
		{ "a_b", 4, 1, NULL, NULL, KERR_INVALID_TOPIC_EXCEPTION },
		{ "", 1, 1, NULL, NULL, KERR_INVALID_TOPIC_EXCEPTION },
		{ "..", 1, 1, NULL, NULL, KERR_INVALID_TOPIC_EXCEPTION },
		{ "x/y", 1, 1, NULL, NULL, KERR_INVALID_TOPIC_EXCEPTION },
		{ "p", 0, 1, NULL, NULL, KERR_INVALID_PARTITIONS },
		{ "p", -2, 1, NULL, NULL, KERR_INVALID_PARTITIONS },
		{ "p", INT32_MAX, 1, NULL, NULL, KERR_POLICY_VIOLATION },
		{ "p", 1, 2, NULL, NULL, KERR_INVALID_REPLICATION_FACTOR },
		{ "p", 1, 0, NULL, NULL, KERR_INVALID_REPLICATION_FACTOR },
		{ "p", 1, 1, "no.such", "1", KERR_INVALID_CONFIG },
		{ "p", 1, 1, "retention.ms", "x", KERR_INVALID_CONFIG },
		{ "p", 1, 1, "retention.ms", NULL, KERR_INVALID_CONFIG },
		{ "p", 1, 1, "cleanup.policy", "wipe", KERR_INVALID_CONFIG },
		{ "p", 1, 1, "compression.type", "gzip", KERR_INVALID_CONFIG },
		{ "p", -1, -1, "cleanup.policy", "compact,delete", KERR_NONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool fresh = cases[i].code == KERR_NONE;

		if (fresh)
			ck_assert_int_eq(create(&cases[i], true), KERR_NONE);
		ck_assert_msg(create(&cases[i], false) == cases[i].code, "case %zu", i);
	}
}
END_TEST

START_TEST(the_same_name_again_is_another_topic)
{
	struct metadata_request *meta = box_request(&box, metadata);
	struct delete_topics_request *del = box_request(&box, delete_topics);
	struct uuid first, second;

	meta->topics.n = -1;
	box_produce(&box, 0, box_batch(&box, 3));
	first = box_call(&box, metadata, 10, meta)->topics.items[0].topic_id;
	box_items(&box, &del->topics, deletable_topic, 1);
	del->topics.items[0].topic_id = first;
	ck_assert_int_eq(box_call(&box, delete_topics, 6, del)->responses.items[0].error_code, 0);
	ck_assert_int_eq(box_call(&box, delete_topics, 6, del)->responses.items[0].error_code, KERR_UNKNOWN_TOPIC_ID);
	ck_assert_int_eq(create(&(struct creation){ .name = "t", .partitions = 3, .factor = 1 }, false), 0);
	second = box_call(&box, metadata, 10, meta)->topics.items[0].topic_id;
	ck_assert(!uuid_eq(&first, &second));
	ck_assert_int_eq(box_end(&box, 0), 0);
}
END_TEST

static int16_t grow(int32_t count)
{
	struct create_partitions_request *req = box_request(&box, create_partitions);

	box_items(&box, &req->topics, growable_topic, 1);
	req->topics.items[0].name = str_of("t");
	req->topics.items[0].count = count;
	req->topics.items[0].assignments.n = -1;
	return box_call(&box, create_partitions, 3, req)->results.items[0].error_code;
}

START_TEST(topics_grow_and_never_shrink)
{
	ck_assert_int_eq(grow(3), KERR_INVALID_PARTITIONS);
	ck_assert_int_eq(grow(2), KERR_INVALID_PARTITIONS);
	ck_assert_int_eq(grow(10001), KERR_POLICY_VIOLATION);
	ck_assert_int_eq(grow(5), KERR_NONE);
	ck_assert_int_eq(box_produce(&box, 4, box_batch(&box, 1)).code, 0);
}
END_TEST

static const struct described_config *config_of(const char *name)
{
	struct describe_configs_request *req = box_request(&box, describe_configs);
	const struct describe_configs_response *res;

	box_items(&box, &req->resources, describable_resource, 1);
	req->resources.items[0].resource_type = 2;
	req->resources.items[0].resource_name = str_of("t");
	box_one(&box, &req->resources.items[0].configuration_keys, str_of(name));
	req->include_synonyms = true;
	res = box_call(&box, describe_configs, 4, req);
	ck_assert_int_eq(res->results.items[0].error_code, 0);
	ck_assert_int_eq(res->results.items[0].configs.n, 1);
	return &res->results.items[0].configs.items[0];
}

START_TEST(settings_are_kept_and_told)
{
	ck_assert(str_is(config_of("retention.ms")->value, "604800000"));
	ck_assert_int_eq(config_of("retention.ms")->config_source, 5);
	ck_assert_int_eq(box_set(&box, "retention.ms", "-1"), 0);
	ck_assert(str_is(config_of("retention.ms")->value, "-1"));
	ck_assert_int_eq(config_of("retention.ms")->config_source, 1);
	ck_assert_int_eq(config_of("retention.ms")->synonyms.n, 1);
	ck_assert_int_eq(box_set(&box, "retention.ms", "-2"), KERR_INVALID_CONFIG);
	ck_assert_int_eq(box_set(&box, "retention.ms", NULL), 0);
	ck_assert_int_eq(config_of("retention.ms")->config_source, 5);
	ck_assert_int_eq(box_set(&box, "nothing", "1"), KERR_INVALID_CONFIG);
}
END_TEST

START_TEST(lists_are_appended_and_subtracted)
{
	struct incremental_alter_configs_request *req = box_request(&box, incremental_alter_configs);

	box_items(&box, &req->resources, alterable_resource, 1);
	req->resources.items[0].resource_type = 2;
	req->resources.items[0].resource_name = str_of("t");
	box_items(&box, &req->resources.items[0].configs, alterable_config, 1);
	req->resources.items[0].configs.items[0].name = str_of("cleanup.policy");
	req->resources.items[0].configs.items[0].value = str_of("compact");
	req->resources.items[0].configs.items[0].config_operation = 2;
	ck_assert_int_eq(box_call(&box, incremental_alter_configs, 1, req)->responses.items[0].error_code, 0);
	ck_assert(str_is(config_of("cleanup.policy")->value, "delete,compact"));
	req->resources.items[0].configs.items[0].value = str_of("delete");
	req->resources.items[0].configs.items[0].config_operation = 3;
	ck_assert_int_eq(box_call(&box, incremental_alter_configs, 1, req)->responses.items[0].error_code, 0);
	ck_assert(str_is(config_of("cleanup.policy")->value, "compact"));
	req->resources.items[0].configs.items[0].name = str_of("retention.ms");
	ck_assert_int_eq(box_call(&box, incremental_alter_configs, 1, req)->responses.items[0].error_code,
			 KERR_INVALID_CONFIG);
}
END_TEST

START_TEST(there_is_no_authorizer)
{
	ck_assert_int_eq(box_call(&box, describe_acls, 2, box_request(&box, describe_acls))->error_code,
			 KERR_SECURITY_DISABLED);
}
END_TEST

START_TEST(describe_cluster_tells_the_id)
{
	const struct describe_cluster_response *res =
		box_call(&box, describe_cluster, 0, box_request(&box, describe_cluster));

	ck_assert(str_is(res->cluster_id, sandbox_cluster_id(box.sb)));
	ck_assert_int_eq(res->brokers.items[0].broker_id, 1);
}
END_TEST

static void fault(const char *spec)
{
	struct err err;

	ck_assert_int_eq(sandbox_fault_add(box.sb, spec, &err), RC_OK);
}

START_TEST(faults_answer_with_their_error)
{
	fault("Produce:NOT_LEADER_OR_FOLLOWER:2");
	fault("Produce:REQUEST_TIMED_OUT:1");
	ck_assert_int_eq(box_produce(&box, 0, box_batch(&box, 1)).code, KERR_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(box_produce(&box, 0, box_batch(&box, 1)).code, KERR_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(box_end(&box, 0), 0);
	/* Appended and not told. */
	ck_assert_int_eq(box_produce(&box, 0, box_batch(&box, 1)).code, KERR_REQUEST_TIMED_OUT);
	ck_assert_int_eq(box_end(&box, 0), 1);
	ck_assert_int_eq(box_produce(&box, 0, box_batch(&box, 1)).base_offset, 1);
}
END_TEST

START_TEST(faults_drop_and_delay)
{
	struct metadata_request *meta = box_request(&box, metadata);

	meta->topics.n = -1;
	fault("Metadata:drop:1");
	fault("Metadata:drop-after:1");
	fault("Metadata:NONE:1:250");
	for (int i = 0; i < 2; i++) {
		box_send(&box, 1, &metadata_api, 9, meta);
		ck_assert(box.clients[1].dropped);
		box_reconnect(&box, 1);
	}
	box_send(&box, 1, &metadata_api, 9, meta);
	box_wait(&box, 249);
	ck_assert(!box_has_reply(&box, 1));
	box_wait(&box, 1);
	box_reply(&box, 1, &metadata_api, 9);
}
END_TEST

START_TEST(faults_that_are_not_understood)
{
	static const char *const bad[] = { "", "Produce", "Nothing:drop", "Produce:WHAT", "Produce:drop:0",
					   "Produce:drop:1:x", "Produce:drop:1:1:1", "Produce:drop:-3" };
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_int_eq(sandbox_fault_add(box.sb, bad[i], &err), RC_USAGE);
		ck_assert_uint_gt(strlen(err.text), 0);
	}
}
END_TEST

START_TEST(the_same_seed_gives_the_same_ids)
{
	char first[32];

	snprintf(first, sizeof(first), "%s", sandbox_cluster_id(box.sb));
	ck_assert_uint_eq(strlen(first), 22);
	box_close(&box);
	box_open(&box, 0);
	ck_assert_str_eq(first, sandbox_cluster_id(box.sb));
}
END_TEST

TCase *admin_tests(void)
{
	TCase *tc = tcase_create("admin");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, versions);
	tcase_add_test(tc, what_is_not_served_ends_the_connection);
	tcase_add_test(tc, metadata_names_the_one_node);
	tcase_add_test(tc, topics_are_created_or_refused);
	tcase_add_test(tc, the_same_name_again_is_another_topic);
	tcase_add_test(tc, topics_grow_and_never_shrink);
	tcase_add_test(tc, settings_are_kept_and_told);
	tcase_add_test(tc, lists_are_appended_and_subtracted);
	tcase_add_test(tc, there_is_no_authorizer);
	tcase_add_test(tc, describe_cluster_tells_the_id);
	tcase_add_test(tc, faults_answer_with_their_error);
	tcase_add_test(tc, faults_drop_and_delay);
	tcase_add_test(tc, faults_that_are_not_understood);
	tcase_add_test(tc, the_same_seed_gives_the_same_ids);
	return tc;
}
