/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets at rest: the key file, what is sealed and signed, and what is refused. */
#include "test_control.h"

#include "base/mem.h"
#include "control/seal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct secret_key key, other;
static char path[40];

static void setup(void)
{
	uint8_t raw[SECRET_KEY_LEN] = { 1 };
	int fd;

	secret_key_derive(&key, raw);
	raw[0] = 2;
	secret_key_derive(&other, raw);
	memcpy(path, "/tmp/krmirror-key-XXXXXX", 25);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	unlink(path);
}

/* ---- the key file ---- */

static int load(size_t len, mode_t mode, struct notes *notes, struct err *err)
{
	struct secret_key *got;
	FILE *f = fopen(path, "w");
	int rc;

	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < len; i++)
		putc((int)i, f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
	rc = secret_key_load(&got, path, notes, err);
	ck_assert_int_eq(rc == RC_OK, got != NULL);
	secret_key_free(got);
	return rc;
}

START_TEST(a_key_file_has_32_bytes)
{
	struct notes notes = { 0 };
	struct err err = { 0 };
	struct secret_key *none;

	ck_assert_int_eq(load(32, 0600, &notes, &err), RC_OK);
	ck_assert_int_eq(notes.n, 0);
	ck_assert_int_eq(load(31, 0600, &notes, &err), RC_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "shorter than a key of 32 raw bytes"));
	ck_assert_ptr_nonnull(strstr(err.hint, "/dev/urandom"));
	ck_assert_int_eq(load(33, 0600, &notes, &err), RC_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "longer"));
	ck_assert_int_eq(load(0, 0600, &notes, &err), RC_USAGE);
	ck_assert_int_eq(secret_key_load(&none, "/nowhere/key", &notes, &err), RC_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
	ck_assert_int_eq(secret_key_load(&none, "/tmp", &notes, &err), RC_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "no regular file"));
	ck_assert_int_eq(load(32, 0644, &notes, &err), RC_OK);
	ck_assert_int_eq(notes.n, 1);
	ck_assert_ptr_nonnull(strstr(notes.lines[0], "readable by others"));
	ck_assert_int_eq(load(32, 0646, &notes, &err), RC_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "writable by others"));
	notes_fini(&notes);
}
END_TEST

/* ---- records ---- */

enum { PLACE = 5 };

/* As the log does it, and read back from there. */
static void sign(struct link_wish *wish, const struct secret_key *with)
{
	json_t *value = link_wish_encode(wish);
	struct link_wish got;
	struct err err = { 0 };

	link_sign(value, wish->name, with, PLACE);
	ck_assert_msg(link_wish_decode(&got, wish->name, value, &err) == RC_OK, "%s", err.text);
	json_decref(value);
	link_wish_fini(wish);
	*wish = got;
	wish->offset = PLACE;
}

static void make(struct link_wish *wish, const struct secret_key *with)
{
	struct props props = { 0 };

	link_wish_init(wish, "east");
	wish->link_id = xstrdup("id");
	wish->created_ms = 7;
	props_set(&props, "bootstrap.servers", "a:1", "f", 1);
	props_set(&props, "ssl.key.password", "of the key", "f", 2);
	props_set(&props, "ssl.keystore.password", "${env:KRMIRROR_A}", "f", 3);
	props_set(&props, "local.ssl.key.password", "of the local one", "f", 4);
	link_seal(wish, &props, with);
	if (with != NULL)
		sign(wish, with);
	props_fini(&props);
}

/* Through the text of a record, as the log has it. */
static void write_and_read(struct link_wish *wish)
{
	json_t *value = link_wish_encode(wish);
	struct link_wish got;
	struct err err = { 0 };

	ck_assert_int_eq(json_object_set_new(value, "append_id", json_string("00")), 0);
	ck_assert_msg(link_wish_decode(&got, "east", value, &err) == RC_OK, "%s", err.text);
	json_decref(value);
	link_wish_fini(wish);
	*wish = got;
}

static enum seal_fault opens(const struct link_wish *wish, const struct secret_key *with, const char *says)
{
	struct props props = { 0 };
	struct err err = { 0 };
	enum seal_fault fault;
	int rc = link_unseal(wish, with, &props, &fault, &err);

	ck_assert_int_eq(rc == RC_OK, fault == SEAL_FINE);
	if (rc == RC_OK) {
		ck_assert_str_eq(props_get(&props, "ssl.key.password"), "of the key");
		ck_assert_str_eq(props_get(&props, "ssl.keystore.password"), "${env:KRMIRROR_A}");
		ck_assert_str_eq(props_get(&props, "local.ssl.key.password"), "of the local one");
	} else {
		ck_assert_int_eq(props.n, 0);
		ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
	}
	props_fini(&props);
	return fault;
}

START_TEST(what_was_sealed_is_opened_and_never_in_clear)
{
	struct link_wish wish;
	json_t *value;
	char *text;

	make(&wish, &key);
	write_and_read(&wish);
	value = link_wish_encode(&wish);
	text = json_dumps(value, 0);
	ck_assert_ptr_null(strstr(text, "of the"));
	ck_assert_ptr_nonnull(strstr(text, "${env:KRMIRROR_A}"));
	xfree(text);
	json_decref(value);
	ck_assert_int_eq(opens(&wish, &key, ""), SEAL_FINE);
	wish.paused = true;   /* by whoever has no key */
	write_and_read(&wish);
	ck_assert_int_eq(opens(&wish, &key, ""), SEAL_FINE);
	link_wish_fini(&wish);
}
END_TEST

START_TEST(another_key_or_none_is_said)
{
	struct link_wish wish;

	make(&wish, &key);
	ck_assert_int_eq(opens(&wish, &other, "another key"), SEAL_OTHER_KEY);
	ck_assert_int_eq(opens(&wish, NULL, "has no key"), SEAL_OTHER_KEY);
	link_wish_fini(&wish);
}
END_TEST

/* Copied elsewhere in the log it is known, with a key and without; its place is signed. */
START_TEST(a_record_holds_at_its_own_place_only)
{
	struct link_wish wish;

	make(&wish, &key);
	ck_assert_int_eq(opens(&wish, &key, ""), SEAL_FINE);
	wish.offset = PLACE + 1;
	ck_assert_int_eq(opens(&wish, &key, "written for offset 5 of the control log and stands at 6"), SEAL_REPLAYED);
	ck_assert_int_eq(opens(&wish, NULL, "written for offset 5"), SEAL_REPLAYED);
	wish.at = PLACE + 1;
	ck_assert_int_eq(opens(&wish, &key, "not what was signed"), SEAL_NOT_AUTHENTIC);
	wish.at = -1;
	ck_assert_int_eq(opens(&wish, &key, "not what was signed"), SEAL_NOT_AUTHENTIC);
	link_wish_fini(&wish);
}
END_TEST

START_TEST(what_was_changed_is_not_authentic)
{
	static const char *const names[] = { "bootstrap.servers", "ssl.key.password", "ssl.keystore.password", "new.key" };
	struct link_wish wish;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		make(&wish, &key);
		json_object_set_new(wish.config, names[i], json_string("evil:1"));
		ck_assert_int_eq(opens(&wish, &key, "not what was signed"), SEAL_NOT_AUTHENTIC);
		link_wish_fini(&wish);
	}
	make(&wish, &key);
	record_set(&wish.source_cluster_id, "another");
	ck_assert_int_eq(opens(&wish, &key, "not what was signed"), SEAL_NOT_AUTHENTIC);
	link_wish_fini(&wish);
	make(&wish, &key);
	xfree(wish.name);
	wish.name = xstrdup("west");
	ck_assert_int_eq(opens(&wish, &key, "not what was signed"), SEAL_NOT_AUTHENTIC);
	record_set(&wish.mac, "AAAA");
	ck_assert_int_eq(opens(&wish, &key, "not what was signed"), SEAL_NOT_AUTHENTIC);
	record_set(&wish.mac, "***");
	ck_assert_int_eq(opens(&wish, &key, "not what was signed"), SEAL_NOT_AUTHENTIC);
	record_set(&wish.mac, NULL);
	ck_assert_int_eq(opens(&wish, &key, "not signed"), SEAL_NOT_AUTHENTIC);
	link_wish_fini(&wish);
}
END_TEST

/* Even signed, a sealed value is of one link, one list of servers and one setting. */
START_TEST(a_sealed_value_cannot_be_moved)
{
	struct link_wish from, to;
	struct props props = { 0 };
	const char *stolen;

	make(&from, &key);
	stolen = json_string_value(json_object_get(from.config, "ssl.key.password"));
	link_wish_init(&to, "east");
	to.link_id = xstrdup("id");
	props_set(&props, "bootstrap.servers", "evil:1", "f", 1);
	props_set(&props, "client.id", "x", "f", 1);
	link_seal(&to, &props, &key);
	sign(&to, &key);
	json_object_set_new(to.config, "ssl.key.password", json_string(stolen));
	ck_assert_int_eq(opens(&to, &key, "not what was signed"), SEAL_NOT_AUTHENTIC);
	/* by somebody who could sign */
	props_set(&props, "ssl.key.password", stolen, "f", 1);
	link_seal(&to, &props, NULL);
	ck_assert_int_eq(opens(&to, NULL, "has no key"), SEAL_OTHER_KEY);
	props_fini(&props);
	link_wish_fini(&from);
	link_wish_fini(&to);
}
END_TEST

START_TEST(without_a_key_nothing_secret_is_recorded_or_read)
{
	struct link_wish wish;

	make(&wish, NULL);
	ck_assert_ptr_null(wish.mac);
	ck_assert_int_eq(opens(&wish, NULL, "in clear"), SEAL_CONFIGURATION);
	ck_assert_int_eq(opens(&wish, &key, "not signed"), SEAL_NOT_AUTHENTIC);
	link_wish_fini(&wish);
}
END_TEST

/* ---- what may be given ---- */

static int given(const char *name, const char *value, int line, const struct secret_key *with, struct err *err)
{
	struct props props = { 0 };
	int rc;

	props_set(&props, name, value, line == 0 ? "--config" : "link.config", line);
	rc = seal_check(&props, with, err);
	props_fini(&props);
	return rc;
}

START_TEST(secrets_are_told_from_references)
{
	static const struct {
		const char *name, *value;
		bool clear;
	} rows[] = {
		{ "ssl.key.password", "p", true },
		{ "ssl.key.password", "${file:/a:b}", false },
		{ "ssl.key.password", "x${file:/a:b}", true },
		{ "ssl.key.password", "", false },
		{ "ssl.keystore.key", "-----BEGIN", true },
		{ "ssl.keystore.certificate.chain", "-----BEGIN", false },
		{ "sasl.jaas.config", "a.PlainLoginModule required username=\"u\" password=\"p\";", true },
		{ "sasl.jaas.config", "a.PlainLoginModule required username=\"u\" password=\"${env:KRMIRROR_P}\";", false },
		{ "sasl.jaas.config", "a.PlainLoginModule required username=\"${env:KRMIRROR_U}\" password=\"p\";", true },
		{ "sasl.jaas.config", "a.OAuthBearerLoginModule required clientId=\"${env:I}\" clientSecret=\"s\";", true },
		{ "sasl.jaas.config", "${file:/a:line}", false },
		{ "local.sasl.jaas.config", "a.PlainLoginModule required password=\"p\";", true },
		{ "sasl.oauthbearer.client.credentials.client.secret", "p", true },
		{ "bootstrap.servers", "a:1", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(secret_in_clear(rows[i].name, rows[i].value) == rows[i].clear, "%s=%s", rows[i].name,
			      rows[i].value);
}
END_TEST

START_TEST(secrets_are_refused_with_both_ways_out)
{
	struct err err = { 0 };

	ck_assert_int_eq(given("ssl.key.password", "p", 3, NULL, &err), RC_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "link.config:3: ssl.key.password"));
	ck_assert_ptr_nonnull(strstr(err.hint, "${file:/path:key}"));
	ck_assert_ptr_nonnull(strstr(err.hint, "secret.key.file"));
	ck_assert_int_eq(given("ssl.key.password", "p", 3, &key, &err), RC_OK);
	ck_assert_int_eq(given("ssl.key.password", "p", 0, &key, &err), RC_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "process list"));
	ck_assert_int_eq(given("ssl.key.password", "${env:KRMIRROR_P}", 0, NULL, &err), RC_OK);
	ck_assert_int_eq(given("ssl.key.password", "${sealed:AAAA}", 3, &key, &err), RC_USAGE);
}
END_TEST

TCase *seal_tests(void)
{
	TCase *tc = tcase_create("seal");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_key_file_has_32_bytes);
	tcase_add_test(tc, what_was_sealed_is_opened_and_never_in_clear);
	tcase_add_test(tc, another_key_or_none_is_said);
	tcase_add_test(tc, a_record_holds_at_its_own_place_only);
	tcase_add_test(tc, what_was_changed_is_not_authentic);
	tcase_add_test(tc, a_sealed_value_cannot_be_moved);
	tcase_add_test(tc, without_a_key_nothing_secret_is_recorded_or_read);
	tcase_add_test(tc, secrets_are_told_from_references);
	tcase_add_test(tc, secrets_are_refused_with_both_ways_out);
	return tc;
}
