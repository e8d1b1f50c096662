/* SPDX-License-Identifier: Apache-2.0 */
#include "control/conf.h"
#include "base/mem.h"
#include "control/link_conf.h"
#include "test_control.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- addresses ----------------------------------------------------------------------------------------------- */

START_TEST(addresses_are_parsed)
{
	struct endpoint *list;
	struct err err = { 0 };
	int n;

	ck_assert_int_eq(endpoints_parse(" a.example:9092, SASL_SSL://b:1 ,[::1]:65535,", &list, &n, &err), RC_OK);
	ck_assert_int_eq(n, 3);
	ck_assert_str_eq(list[0].host, "a.example");
	ck_assert_int_eq(list[0].port, 9092);
	ck_assert_str_eq(list[1].host, "b");
	ck_assert_str_eq(list[2].host, "::1");
	ck_assert_int_eq(list[2].port, 65535);
	endpoints_free(list, n);
}
END_TEST

static const char *const bad_addresses[] = {
	"a", "a:", ":1", "a:0", "a:65536", "a:1x", "::1:9092", "a b:1", "a:123456", "http://a/:1", "a:1,b",
};

START_TEST(bad_addresses_are_refused)
{
	struct endpoint *list;
	struct err err = { 0 };
	int n;

	ck_assert_int_eq(endpoints_parse(bad_addresses[_i], &list, &n, &err), RC_USAGE);
	ck_assert_ptr_null(list);
}
END_TEST

/* --- krmirror.properties ------------------------------------------------------------------------------------- */

static char path[] = "/tmp/krmirror-conf-XXXXXX";

static int load(const char *text, mode_t mode, struct conf *conf, struct notes *notes, struct err *err)
{
	struct conf_files files = { .config = path };
	FILE *f;
	int fd, rc;

	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	f = fdopen(fd, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	rc = conf_load(conf, &files, notes, err);
	unlink(path);
	return rc;
}

START_TEST(a_configuration_is_read)
{
	struct notes notes = { 0 };
	struct err err = { 0 };
	struct conf conf;

	ck_assert_msg(load("bootstrap.servers=a:1,b:2\nworker.id=w1\nbuffer.memory=64MiB\nio.engine=epoll\n"
			   "log.level=debug\nhttp.listener=\nhttp.advertised.listener=host7:9474\n",
			   0644, &conf, &notes, &err) == RC_OK, "%s", err.text);
	ck_assert_int_eq(conf.destination.n_bootstrap, 2);
	ck_assert_str_eq(conf.worker_id, "w1");
	ck_assert_str_eq(conf.control_topic, "_krmirror");
	ck_assert_int_eq(conf.control_topic_replication, -1);
	ck_assert_int_eq(conf.buffer_memory, 64 << 20);
	ck_assert_int_eq(conf.io_engine, LOOP_EPOLL);
	ck_assert_int_eq(conf.log_level, LOG_DEBUG);
	ck_assert_str_eq(conf.http_listener, "");
	ck_assert_int_eq(notes.n, 0);
	conf_fini(&conf);
}
END_TEST

START_TEST(secrets_in_exposed_files_are_told)
{
	static const char text[] = "bootstrap.servers=a:1\nsasl.jaas.config=x\n";
	struct notes notes = { 0 };
	struct err err = { 0 };
	struct conf conf;

	ck_assert_int_eq(load(text, 0600, &conf, &notes, &err), RC_OK);
	ck_assert_int_eq(notes.n, 0);
	conf_fini(&conf);
	ck_assert_int_eq(load(text, 0644, &conf, &notes, &err), RC_OK);
	ck_assert_int_eq(notes.n, 1);
	conf_fini(&conf);
	ck_assert_int_eq(load(text, 0646, &conf, &notes, &err), RC_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "writable by others"));
	conf_fini(&conf);
	notes_fini(&notes);
}
END_TEST

static const char *const bad_confs[] = {
	"worker.id=w", "bootstrap.servers=a:1\nsession.timeout.ms=1s", "bootstrap.servers=a",
	"bootstrap.servers=a:1\nsecurity.protocol=SSL\nssl.enabled.protocols=SSLv3",
	"bootstrap.servers=a:1\nsecurity.protocol=SASL_SSL",
	"bootstrap.servers=a:1\nhttp.listener=9474",
	"bootstrap.servers=a:1\nhttp.advertised.listener=127.0.0.1:9474",
	"bootstrap.servers=a:1\nhttp.advertised.listener=localhost:1", "bootstrap.servers=a:1\nlink.mode=SOURCE",
};

START_TEST(bad_configurations_are_refused)
{
	struct notes notes = { 0 };
	struct err err = { 0 };
	struct conf conf;

	ck_assert_int_eq(load(bad_confs[_i], 0600, &conf, &notes, &err), RC_USAGE);
	ck_assert_int_gt(strlen(err.text), 0);
	conf_fini(&conf);
	notes_fini(&notes);
}
END_TEST

/* --- link.config --------------------------------------------------------------------------------------------- */

int read_link(const char *text, struct link_conf *conf, struct notes *notes, struct err *err)
{
	struct props props = { 0 };
	int rc;

	ck_assert_int_eq(props_parse(&props, "link.config", text, strlen(text), err), RC_OK);
	rc = link_conf_read(conf, &props, notes, err);
	props_fini(&props);
	return rc;
}

START_TEST(a_link_configuration_is_read)
{
	struct notes notes = { 0 };
	struct err err = { 0 };
	struct link_conf conf;
	struct link_spec spec;

	ck_assert_msg(read_link("bootstrap.servers=s:1\ncluster.link.prefix=dr.\nreplica.fetch.max.bytes=2MiB\n"
				"replica.socket.timeout.ms=7s\n"
				"acl.filters=\"{\\\\\"aclFilters\\\\\":[]}\"\n", &conf, &notes, &err) == RC_OK, "%s", err.text);
	ck_assert_str_eq(conf.prefix, "dr.");
	ck_assert_int_eq(conf.fetch_max_bytes, 2 << 20);
	ck_assert_int_eq(conf.source.request_timeout_ms, 7000);
	ck_assert_str_eq(props_get(&conf.props, "acl.filters"), "{\"aclFilters\":[]}");
	link_conf_spec(&conf, "l", "abc", &spec);
	ck_assert_str_eq(spec.source.side, "source");
	ck_assert_str_eq(spec.source.cluster_id, "abc");
	ck_assert_int_eq(spec.availability_check_ms, 60000);
	link_conf_fini(&conf);
	notes_fini(&notes);
}
END_TEST

struct refused {
	const char *text, *says;
};

static const struct refused refusals[] = {
	{ "client.id=x", "no source cluster" },
	{ "bootstrap.servers=s:1\nsecurity.protocol=TLS", "PLAINTEXT" },
	{ "bootstrap.servers=s:1\nlink.mode=SOURCE", "no source cluster: local.bootstrap.servers" },
	{ "link.mode=SOURCE\nlocal.bootstrap.servers=s:1\nconnection.mode=INBOUND", "does not go with" },
	{ "link.mode=SOURCE\nlocal.bootstrap.servers=s", "is no server address" },
	{ "link.mode=SOURCE\nlocal.bootstrap.server=s:1", "behind local.: link.config:2: unknown key" },
	{ "link.mode=SOURCE\nlocal.bootstrap.servers=s:1\nlocal.link.mode=SOURCE", "unknown key" },
	{ "link.mode=SOURCE\nlocal.bootstrap.servers=s:1\nlocal.security.protocol=TLS", "PLAINTEXT" },
	{ "bootstrap.servers=s:1\nlink.mode=BIDIRECTIONAL", "two links in one" },
	{ "bootstrap.servers=s:1\nbroker.address.map=s:1=1.1.1.1:1,x", "broker.address.map: entry 2, \"x\"" },
	{ "bootstrap.servers=s:1\nmirror.start.offset.spec=newest", "neither earliest nor latest" },
	{ "bootstrap.servers=s:1\ncluster.link.prefix=abcdefghijklm", "longer than 12" },
	{ "bootstrap.servers=s:1\ncluster.link.prefix=a/b", "cannot begin" },
	{ "bootstrap.servers=s:1\nacl.sync.enable=true", "needs acl.filters" },
	{ "bootstrap.servers=s:1\nauto.create.mirror.topics.enable=true", "needs auto.create.mirror.topics.filters" },
};

START_TEST(what_a_link_cannot_have_is_refused)
{
	const struct refused *r = &refusals[_i];
	struct notes notes = { 0 };
	struct err err = { 0 };
	struct link_conf conf;

	ck_assert_int_eq(read_link(r->text, &conf, &notes, &err), RC_USAGE);
	ck_assert_msg(strstr(err.text, r->says) != NULL, "%s", err.text);
	link_conf_fini(&conf);
	notes_fini(&notes);
}
END_TEST

START_TEST(a_link_at_the_source_has_the_sources_settings_behind_local)
{
	struct notes notes = { 0 };
	struct err err = { 0 };
	struct link_conf conf;
	struct link_spec spec;

	ck_assert_msg(read_link("link.mode=source\nbootstrap.servers=d:1,e:1\nclient.id=d\nsecurity.protocol=SASL_SSL\n"
				"local.bootstrap.servers=s:1\nlocal.client.id=s\nlocal.listener.name=X\n"
				"local.broker.address.map=s:1=10.0.0.1:2\n", &conf, &notes, &err) == RC_OK, "%s", err.text);
	ck_assert_int_eq(conf.mode, LINK_MODE_SOURCE);
	ck_assert_str_eq(props_get(&conf.props, "local.bootstrap.servers"), "s:1");
	ck_assert_int_eq(notes.n, 1);   /* of local.listener.name */
	link_conf_spec(&conf, "l", NULL, &spec);
	ck_assert_int_eq(spec.source.n_bootstrap, 1);
	ck_assert_str_eq(spec.source.bootstrap[0].host, "s");
	ck_assert_str_eq(spec.source.client_id, "s");
	ck_assert_ptr_null(spec.source.tls);
	ck_assert_str_eq(address_map_find(&spec.source.addresses, "s", 1)->host, "10.0.0.1");
	link_conf_fini(&conf);
	notes_fini(&notes);
}
END_TEST

START_TEST(a_link_that_waits_needs_no_servers)
{
	struct secret_rules rules = { 0 };
	struct notes notes = { 0 };
	struct err err = { 0 };
	struct link_conf conf;

	ck_assert_msg(read_link("link.mode=DESTINATION\nconnection.mode=INBOUND\nbootstrap.servers=\n"
				"security.protocol=SASL_SSL\nsasl.jaas.config=${file:/none:x}\n", &conf, &notes, &err) == RC_OK,
		      "%s", err.text);
	ck_assert(conf.inbound);
	ck_assert_int_eq(link_conf_secure(&conf, &rules, &err), RC_OK);
	ck_assert_ptr_null(conf.source.auth);
	link_conf_fini(&conf);
	notes_fini(&notes);
}
END_TEST

START_TEST(the_link_that_waited_leaves_what_it_says_of_mirroring)
{
	static const char waiting[] = "link.mode=DESTINATION\nconnection.mode=INBOUND\nbootstrap.servers=placeholder:1\n"
				      "sasl.jaas.config=x\nlocal.client.id=x\ncluster.link.prefix=dr.\n"
				      "availability.check.ms=2000\n";
	static const char dialling[] = "link.mode=SOURCE\navailability.check.ms=3000\n";
	struct props a = { 0 }, b = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(props_parse(&a, "a", waiting, strlen(waiting), &err), RC_OK);
	ck_assert_int_eq(props_parse(&b, "b", dialling, strlen(dialling), &err), RC_OK);
	link_mode_join(&b, &a);
	ck_assert_int_eq(b.n, 3);
	ck_assert_str_eq(props_get(&b, "cluster.link.prefix"), "dr.");
	ck_assert_str_eq(props_get(&b, "availability.check.ms"), "3000");
	ck_assert_str_eq(props_get(&b, "link.mode"), "SOURCE");
	props_fini(&a);
	props_fini(&b);
}
END_TEST

START_TEST(names_follow_the_rules)
{
	char longest[102];

	memset(longest, 'a', sizeof(longest) - 1);
	longest[101] = '\0';
	ck_assert(link_name_valid("a-b_c.d9"));
	ck_assert(!link_name_valid(""));
	ck_assert(!link_name_valid("a/b"));
	ck_assert(!link_name_valid(".."));
	ck_assert(!link_name_valid("a b"));
	ck_assert(!link_name_valid(longest));
	ck_assert(topic_name_valid(longest));
}
END_TEST

START_TEST(a_prefix_is_taken_off_for_the_source)
{
	struct link_conf conf = { .prefix = xstrdup("dr.") };
	struct err err = { 0 };
	char *source = NULL;

	props_set(&conf.props, "cluster.link.prefix", "dr.", "test", 1);

	ck_assert_int_eq(link_conf_source_topic(&conf, "dr.orders", &source, &err), RC_OK);
	ck_assert_str_eq(source, "orders");
	xfree(source);
	ck_assert_int_eq(link_conf_source_topic(&conf, "orders", &source, &err), RC_USAGE);
	ck_assert_int_eq(link_conf_source_topic(&conf, "dr.", &source, &err), RC_USAGE);
	link_conf_fini(&conf);
}
END_TEST

TCase *conf_tests(void)
{
	TCase *tc = tcase_create("conf");

	tcase_add_test(tc, addresses_are_parsed);
	tcase_add_loop_test(tc, bad_addresses_are_refused, 0, ARRAY_LEN(bad_addresses));
	tcase_add_test(tc, a_configuration_is_read);
	tcase_add_test(tc, secrets_in_exposed_files_are_told);
	tcase_add_loop_test(tc, bad_configurations_are_refused, 0, ARRAY_LEN(bad_confs));
	tcase_add_test(tc, a_link_configuration_is_read);
	tcase_add_loop_test(tc, what_a_link_cannot_have_is_refused, 0, ARRAY_LEN(refusals));
	tcase_add_test(tc, a_link_at_the_source_has_the_sources_settings_behind_local);
	tcase_add_test(tc, a_link_that_waits_needs_no_servers);
	tcase_add_test(tc, the_link_that_waited_leaves_what_it_says_of_mirroring);
	tcase_add_test(tc, names_follow_the_rules);
	tcase_add_test(tc, a_prefix_is_taken_off_for_the_source);
	return tc;
}
