/* SPDX-License-Identifier: Apache-2.0 */
/* References, what of the host they may name, and login module lines. */
#include "test_control.h"

#include "base/mem.h"
#include "control/jaas.h"
#include "control/link_conf.h"
#include "control/secrets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[32], allowed[64], file[96], outside[64], trap[96], text[300];

static void write_file(const char *path, const char *content)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(content, f);
	fclose(f);
}

static void setup(void)
{
	memcpy(folder, "/tmp/krmirror-secrets-XXXXXX", 29);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(allowed, sizeof(allowed), "%s/in", folder);
	snprintf(file, sizeof(file), "%s/file", allowed);
	snprintf(outside, sizeof(outside), "%s/in-not", folder);
	snprintf(trap, sizeof(trap), "%s/link", allowed);
	ck_assert_int_eq(mkdir(allowed, 0700), 0);
	write_file(file, "password=of the file\nempty=\n");
	write_file(outside, "password=of the host\n");
	ck_assert_int_eq(symlink(outside, trap), 0);
	setenv("KRMIRROR_TEST", "of the environment", 1);
	setenv("OTHER_TEST", "of somebody else", 1);
}

static void teardown(void)
{
	unlink(trap);
	unlink(file);
	unlink(outside);
	rmdir(allowed);
	rmdir(folder);
}

static void resolves(const struct secret_rules *rules, const char *value, const char *want)
{
	struct err err = { 0 };
	char *got = NULL;

	ck_assert_msg(secret_resolve(rules, value, &got, &err) == RC_OK, "%s", err.text);
	ck_assert_str_eq(got, want);
	xfree(got);
}

static void refused(const struct secret_rules *rules, const char *value, const char *says)
{
	struct err err = { 0 };
	char *got = NULL;

	ck_assert_msg(secret_resolve(rules, value, &got, &err) == RC_USAGE, "%s", value);
	ck_assert_ptr_null(got);
	ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
	ck_assert_msg(strstr(err.text, "of the host") == NULL && strstr(err.text, "somebody") == NULL, "%s", err.text);
}

START_TEST(references_stand_anywhere)
{
	resolves(NULL, "plain ${not.one} $", "plain ${not.one} $");
	resolves(NULL, "${env:KRMIRROR_TEST}", "of the environment");
	snprintf(text, sizeof(text), "a \"${file:%s:password}\" b ${env:OTHER_TEST}${file:%s:empty}", file, file);
	resolves(NULL, text, "a \"of the file\" b of somebody else");
	refused(NULL, "${file:/nowhere:key}", "/nowhere");
	refused(NULL, "${file:/nowhere}", "write ${file:/path:key}");
	snprintf(text, sizeof(text), "${file:%s:other}", file);
	refused(NULL, text, "no such key");
	refused(NULL, "${env:KRMIRROR_NOT_SET}", "no such environment variable");
	ck_assert(secret_is_reference("x${env:A}"));
	ck_assert(!secret_is_reference("${a} ${b:c} ${env:"));
}
END_TEST

START_TEST(links_name_only_what_is_allowed)
{
	struct secret_rules rules = {
		.files_allowed = allowed, .env_allowed = "KRMIRROR_*, EXACT", .urls_allowed = "https://a/token,https://b",
	};
	struct secret_rules nothing = { 0 };
	struct err err;


	snprintf(text, sizeof(text), "${file:%s:password}", file);
	resolves(&rules, text, "of the file");
	refused(&nothing, text, "secret.files.allowed");
	resolves(&rules, "${env:KRMIRROR_TEST}", "of the environment");
	refused(&rules, "${env:OTHER_TEST}", "does not allow");
	refused(&nothing, "${env:KRMIRROR_TEST}", "does not allow");
	/* a neighbour whose name begins alike, the way up, a link that leads out, no absolute path */
	snprintf(text, sizeof(text), "${file:%s:password}", outside);
	refused(&rules, text, "secret.files.allowed");
	snprintf(text, sizeof(text), "${file:%s/../in-not:password}", allowed);
	refused(&rules, text, "secret.files.allowed");
	snprintf(text, sizeof(text), "${file:%s:password}", trap);
	refused(&rules, text, "secret.files.allowed");
	refused(&rules, "${file:etc/passwd:root}", "secret.files.allowed");
	ck_assert_int_eq(secret_url_check(&rules, "https://a/token", &err), RC_OK);
	ck_assert_int_eq(secret_url_check(&rules, "https://a/token2", &err), RC_USAGE);
	ck_assert_int_eq(secret_url_check(&nothing, "https://a/token", &err), RC_USAGE);
	ck_assert_int_eq(secret_url_check(&rules, "file:///etc/passwd", &err), RC_USAGE);
	snprintf(text, sizeof(text), "file://%s", file);
	ck_assert_int_eq(secret_url_check(&rules, text, &err), RC_OK);
}
END_TEST

/* ---- sasl.jaas.config ---- */

START_TEST(login_modules)
{
	struct err err = { 0 };
	struct jaas jaas;

	ck_assert_int_eq(jaas_parse(&jaas, "org.apache.kafka.common.security.plain.PlainLoginModule required\n"
				    "  username=\"al\\\"ice\" password='a;b=c' tokenauth=true ;\n", &err), RC_OK);
	ck_assert(jaas_is(&jaas, "PlainLoginModule"));
	ck_assert(!jaas_is(&jaas, "LoginModule"));
	ck_assert_str_eq(jaas_option(&jaas, "username"), "al\"ice");
	ck_assert_str_eq(jaas_option(&jaas, "password"), "a;b=c");
	ck_assert_str_eq(jaas_option(&jaas, "tokenauth"), "true");
	ck_assert_ptr_null(jaas_option(&jaas, "principal"));
	jaas_fini(&jaas);
	ck_assert_int_eq(jaas_parse(&jaas, "Module required;", &err), RC_OK);
	ck_assert_int_eq(jaas.n_options, 0);
	jaas_fini(&jaas);
}
END_TEST

START_TEST(bad_login_modules)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "", "a login module's class is expected at character 1" },
		{ "Module", "the word required is expected at character 7" },
		{ "Module needed;", "the word required" },
		{ "Module required", "or a semicolon, is expected at character 16" },
		{ "Module required username;", "an equals sign is expected at character 25" },
		{ "Module required username=;", "a value is expected" },
		{ "Module required password=\"hunter2;", "the end of a quoted value" },
		{ "Module required password=\"hunter2\\\";", "the end of a quoted value" },
		{ "Module required; Other required;", "one login module" },
	};
	struct err err = { 0 };
	struct jaas jaas;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_msg(jaas_parse(&jaas, cases[i].line, &err) == RC_USAGE, "%s", cases[i].line);
		ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s", err.text);
		ck_assert_ptr_null(strstr(err.text, "hunter2"));
	}
}
END_TEST

/* ---- what a link's messages may show ---- */

static int login(const char *const words[4], struct err *err)
{
	const struct secret_rules rules = { .files_allowed = allowed, .env_allowed = "KRMIRROR_*", .urls_allowed = "" };
	struct notes notes = { 0 };
	struct props props = { 0 };
	struct link_conf conf;
	int rc;

	*err = (struct err){ 0 };
	props_set(&props, "bootstrap.servers", "one:1", "test", 1);
	props_set(&props, "security.protocol", "SASL_SSL", "test", 2);
	props_set(&props, "sasl.mechanism", words[0], "test", 3);
	props_set(&props, "sasl.jaas.config", words[1], "test", 4);
	if (words[2] != NULL)
		props_set(&props, words[2], words[3], "test", 5);
	rc = link_conf_read(&conf, &props, &notes, err);
	if (rc == RC_OK)
		rc = link_conf_secure(&conf, &rules, err);
	link_conf_fini(&conf);
	notes_fini(&notes);
	props_fini(&props);
	return rc;
}

#define PLAIN_LINE "x.PlainLoginModule required username=\"a\" password=\"${env:KRMIRROR_TEST}\";"

START_TEST(no_message_tells_a_secret)
{
	static const char *const cases[][4] = {
		{ "${env:KRMIRROR_TEST}", PLAIN_LINE, NULL, NULL },
		{ "", PLAIN_LINE, NULL, NULL },
		{ "PLAIN", PLAIN_LINE, "ssl.enabled.protocols", "${env:KRMIRROR_TEST}" },
		{ "PLAIN", PLAIN_LINE, "ssl.truststore.location", "${env:KRMIRROR_TEST}" },
		{ "PLAIN", "${env:KRMIRROR_TEST}", NULL, NULL },
		{ "PLAIN", "${env:KRMIRROR_TEST} required;", NULL, NULL },
		{ "OAUTHBEARER", "x.OAuthBearerLoginModule required;", "sasl.oauthbearer.token.endpoint.url",
		  "https://${env:KRMIRROR_TEST}" },
		{ "GSSAPI", "x.Krb5LoginModule required keyTab=\"/${env:KRMIRROR_TEST}\" principal=a;", NULL, NULL },
		{ "GSSAPI", "x.Krb5LoginModule required principal=\"${env:KRMIRROR_TEST}\";", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err;

		ck_assert_int_eq(login(cases[i], &err), RC_USAGE);
		ck_assert_msg(strstr(err.text, "of the env") == NULL && strstr(err.hint, "of the env") == NULL, "%s", err.text);
	}
}
END_TEST

START_TEST(secrets_themselves_may_be_references)
{
	static const char *const word[4] = { "PLAIN", PLAIN_LINE }, *const line[4] = { "PLAIN", "${env:KRMIRROR_LINE}" };
	struct err err;

	ck_assert_msg(login(word, &err) == RC_OK, "%s", err.text);
	setenv("KRMIRROR_LINE", "x.PlainLoginModule required username=a password=b;", 1);
	ck_assert_msg(login(line, &err) == RC_OK, "%s", err.text);
}
END_TEST

TCase *secrets_tests(void)
{
	TCase *tcase = tcase_create("secrets");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, references_stand_anywhere);
	tcase_add_test(tcase, links_name_only_what_is_allowed);
	tcase_add_test(tcase, login_modules);
	tcase_add_test(tcase, bad_login_modules);
	tcase_add_test(tcase, no_message_tells_a_secret);
	tcase_add_test(tcase, secrets_themselves_may_be_references);
	return tcase;
}
