/* SPDX-License-Identifier: Apache-2.0 */
#include "control/seal.h"

#include "base/mem.h"
#include "control/jaas.h"
#include "control/keys.h"
#include "control/secrets.h"

#include <string.h>
#include <strings.h>

#define SEALED "${sealed:"

const char *seal_fault_word(enum seal_fault fault)
{
	static const char *const words[] = {
		[SEAL_FINE] = "", [SEAL_CONFIGURATION] = "CONFIGURATION", [SEAL_NOT_AUTHENTIC] = "NOT_AUTHENTIC",
		[SEAL_OTHER_KEY] = "OTHER_SECRET_KEY", [SEAL_REPLAYED] = "REPLAYED_RECORD",
	};

	return words[fault];
}

/* ---- what is secret ---- */

static bool has_word(const char *name)
{
	static const char *const words[] = { "password", "secret", "jaas", "credential", "token.value" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasestr(name, words[i]) != NULL)
			return true;
	return false;
}

bool secret_setting(const char *name)
{
	const struct key_row *row;

	if (strncmp(name, "local.", 6) == 0)
		name += 6;
	row = keys_find(&client_key_table, name);
	if (row != NULL && !(row->flags & KEY_JAVA))
		return row->flags & KEY_SECRET;
	return has_word(name);
}

/* Nothing but references. */
static bool only_references(const char *value)
{
	const char *p = value;

	while (strncmp(p, "${", 2) == 0 && strchr(p, '}') != NULL)
		p = strchr(p, '}') + 1;
	return *p == '\0' && secret_is_reference(value);
}

/* A login module line may have a user's name in it, and the password by reference. */
static bool login_in_clear(const char *line)
{
	struct jaas jaas;
	struct err unused;
	bool clear = jaas_parse(&jaas, line, &unused) != RC_OK;

	for (int i = 0; i < jaas.n_options && !clear; i++)
		clear = (has_word(jaas.options[i].name) || strcasestr(jaas.options[i].name, "token") != NULL) &&
			!only_references(jaas.options[i].value);
	jaas_fini(&jaas);
	return clear;
}

bool secret_in_clear(const char *name, const char *value)
{
	if (!secret_setting(name) || value[0] == '\0' || only_references(value))
		return false;
	if (strstr(name, "sasl.jaas.config") != NULL && secret_is_reference(value))
		return login_in_clear(value);
	return true;
}

int secret_exposure_check(const struct props *props, const char *path, struct notes *notes, struct err *err)
{
	enum file_exposure exposure = props_file_exposure(path);
	const char *secret = NULL;

	for (int i = 0; i < props->n && secret == NULL; i++)
		if (secret_setting(props->items[i].key) && strcmp(props->items[i].file, path) == 0)
			secret = props->items[i].key;
	if (secret == NULL || exposure == FILE_PRIVATE)
		return RC_OK;
	if (exposure == FILE_READABLE) {
		notes_add(notes, "%s: holds a secret (%s) and is readable by others; chmod o-r %s", path, secret, path);
		return RC_OK;
	}
	err_set(err, RC_USAGE, "%s: holds a secret (%s) and is writable by others", path, secret);
	return err_hint(err, "chmod o-rw %s", path);
}

int seal_check(const struct props *props, const struct secret_key *key, struct err *err)
{
	for (int i = 0; i < props->n; i++) {
		const struct prop *prop = &props->items[i];

		if (strncmp(prop->value, SEALED, strlen(SEALED)) == 0)
			return err_set(err, RC_USAGE, "%s: %s: what is sealed cannot be copied", prop->file, prop->key);
		if ((key != NULL && prop->line > 0) || !secret_in_clear(prop->key, prop->value))
			continue;
		if (prop->line == 0) {
			err_set(err, RC_USAGE, "%s: %s would show in the process list", prop->file, prop->key);
			return err_hint(err, "write %s=${file:/path:key} or ${env:NAME}, or use --config-file", prop->key);
		}
		err_set(err, RC_USAGE, "%s:%d: %s would stand in the control log in clear", prop->file, prop->line,
			prop->key);
		return err_hint(err, "write %s=${file:/path:key} or ${env:NAME}; or give every host a key that it is encrypted "
				"with: secret.key.file in krmirror.properties", prop->key);
	}
	return RC_OK;
}

/* ---- sealing a value ---- */

/* Length, then bytes: no two lists give the same text. */
static char *join(const char *const *parts, int n, size_t *len)
{
	char *all = NULL;
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		const char *part = parts[i] != NULL ? parts[i] : "";
		char head[24];
		int head_len = snprintf(head, sizeof(head), "%zu:", strlen(part));

		all = xrealloc(all, at + (size_t)head_len + strlen(part) + 1, 1);
		memcpy(all + at, head, (size_t)head_len);
		memcpy(all + at + head_len, part, strlen(part) + 1);
		at += (size_t)head_len + strlen(part);
	}
	*len = at;
	return all;
}

/* What a sealed value is bound to. */
static char *bound_to(const char *link, const char *servers, const char *local_servers, const char *name, size_t *len)
{
	const char *const parts[] = { "krmirror secret 1", link, servers, local_servers, name };

	return join(parts, ARRAY_LEN(parts), len);
}

static const char *config_text(const json_t *config, const char *name)
{
	return json_string_value(json_object_get(config, name));
}

static char *seal_value(const struct secret_key *key, const char *plain, struct bytes_view bound)
{
	size_t len = strlen(plain);
	uint8_t *sealed = xmalloc(len + AEAD_EXTRA);
	char *base64, *text;

	aead_seal(key->sealing, bound, (struct bytes_view){ plain, len }, sealed);
	base64 = base64_encode((struct bytes_view){ sealed, len + AEAD_EXTRA });
	text = xasprintf(SEALED "%s}", base64);
	xfree(base64);
	xfree(sealed);
	return text;
}

/* NULL: it cannot be opened. */
static char *open_value(const struct secret_key *key, const char *text, struct bytes_view bound)
{
	size_t n = strlen(text), len = 0;
	char *base64, *plain = NULL;
	uint8_t *sealed;

	if (n < strlen(SEALED) + 1 || text[n - 1] != '}')
		return NULL;
	base64 = xstrndup(text + strlen(SEALED), n - strlen(SEALED) - 1);
	sealed = base64_decode(base64, &len);
	if (sealed != NULL && len >= AEAD_EXTRA) {
		plain = xcalloc(1, len - AEAD_EXTRA + 1);
		if (!aead_open(key->sealing, bound, (struct bytes_view){ sealed, len }, (uint8_t *)plain)) {
			xfree(plain);
			plain = NULL;
		}
	}
	xfree(base64);
	xfree(sealed);
	return plain;
}

static bool is_sealed(const char *value)
{
	return strncmp(value, SEALED, strlen(SEALED)) == 0;
}

/* ---- signing a record ---- */

/* Whoever pauses a link needs no key; `v` and append_id are of the writing, not of the wish. */
static void strip(json_t *value)
{
	static const char *const unsigned_fields[] = { "v", "append_id", "paused", "mac" };
	const char *name;
	json_t *field;
	void *tmp;

	for (size_t i = 0; i < ARRAY_LEN(unsigned_fields); i++)
		json_object_del(value, unsigned_fields[i]);
	json_object_foreach_safe(value, tmp, name, field)
		if (json_is_null(field))
			json_object_del(value, name);   /* absent and null are the same */
}

static void sign(const json_t *record, const char *link, const struct secret_key *key, uint8_t mac[SHA256_LEN])
{
	json_t *value = json_copy((json_t *)(uintptr_t)record);
	size_t len;
	char *text, *all;

	strip(value);
	text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENSURE_ASCII);
	CHECK(text != NULL);
	all = join((const char *const[]){ "krmirror link 1", link, text }, 3, &len);
	hmac_sha256(key->signing, (struct bytes_view){ all, len }, mac);
	xfree(text);
	xfree(all);
	json_decref(value);
}

void link_sign(json_t *value, const char *link, const struct secret_key *key, int64_t at)
{
	uint8_t mac[SHA256_LEN];
	char *text;

	CHECK(json_object_set_new(value, "at", json_integer(at)) == 0);
	sign(value, link, key, mac);
	text = base64_encode((struct bytes_view){ mac, sizeof(mac) });
	CHECK(json_object_set_new(value, "mac", json_string(text)) == 0);
	xfree(text);
}

bool link_misplaced(const json_t *value, int64_t offset)
{
	const json_t *at = json_object_get(value, "at");

	return json_is_integer(at) && json_integer_value(at) != offset;
}

void link_seal(struct link_wish *wish, const struct props *props, const struct secret_key *key)
{
	const char *servers = props_get(props, "bootstrap.servers");
	const char *local_servers = props_get(props, "local.bootstrap.servers");
	char *text;

	json_decref(wish->config);
	wish->config = json_object();
	for (int i = 0; i < props->n; i++) {
		const struct prop *prop = &props->items[i];
		size_t len;
		char *bound = bound_to(wish->name, servers, local_servers, prop->key, &len);

		if (key != NULL && secret_in_clear(prop->key, prop->value))
			text = seal_value(key, prop->value, (struct bytes_view){ bound, len });
		else
			text = xstrdup(prop->value);
		CHECK(json_object_set_new(wish->config, prop->key, json_string(text)) == 0);
		xfree(text);
		xfree(bound);
	}
	record_set(&wish->key_id, key != NULL ? key->id : NULL);
	record_set(&wish->mac, NULL);
	wish->at = wish->replayed = wish->replayed_ms = -1;
}

/* ---- reading a record ---- */

static bool mac_holds(const struct link_wish *wish, const struct secret_key *key)
{
	json_t *value = link_wish_encode(wish);
	uint8_t mac[SHA256_LEN], *given;
	size_t len = 0;
	bool good;

	sign(value, wish->name, key, mac);
	json_decref(value);
	given = base64_decode(wish->mac, &len);
	good = given != NULL && len == sizeof(mac) && digest_eq(given, mac);
	xfree(given);
	return good;
}

static enum seal_fault judge(const struct link_wish *wish, const struct secret_key *key, struct err *err)
{
	if (wish->at >= 0 && wish->offset >= 0 && wish->at != wish->offset) {
		err_set(err, RC_REFUSED, "the record of link %s was written for offset %lld of the control log and stands at "
			"%lld: an older one, written again past krmirror", wish->name, (long long)wish->at,
			(long long)wish->offset);
		err_hint(err, "find out who may write to the control log; then `krmirror link configuration update %s "
			 "--config-file FILE` with all of its settings", wish->name);
		return SEAL_REPLAYED;
	}
	if (key == NULL)
		return SEAL_FINE;
	if (wish->mac == NULL || wish->key_id == NULL) {
		err_set(err, RC_REFUSED, "the record of link %s is not signed: it was written past krmirror, or "
			"where secret.key.file is not set", wish->name);
		err_hint(err, "if it is right: `krmirror link configuration update %s --config-file FILE` with all of its "
			 "settings, on a host with the key", wish->name);
		return SEAL_NOT_AUTHENTIC;
	}
	if (strcmp(wish->key_id, key->id) != 0) {
		err_set(err, RC_USAGE, "the record of link %s was written with another key (%.16s) than that of secret.key.file "
			"(%s)", wish->name, wish->key_id, key->id);
		err_hint(err, "give this host the key that the others have; after `krmirror link rekey` the new one");
		return SEAL_OTHER_KEY;
	}
	if (mac_holds(wish, key))
		return SEAL_FINE;
	err_set(err, RC_REFUSED, "the record of link %s is not what was signed: it was changed past krmirror", wish->name);
	err_hint(err, "find out who may write to the control log; then `krmirror link configuration update %s --config-file "
		 "FILE` with all of its settings", wish->name);
	return SEAL_NOT_AUTHENTIC;
}

static enum seal_fault open_one(const struct link_wish *wish, const struct secret_key *key, const char *name,
				char **plain, struct err *err)
{
	const char *value = config_text(wish->config, name);
	size_t len;
	char *bound;

	*plain = NULL;
	if (!is_sealed(value)) {
		if (!secret_in_clear(name, value)) {
			*plain = xstrdup(value);
			return SEAL_FINE;
		}
		err_set(err, RC_USAGE, "%s of link %s stands in the control log in clear: it was written past krmirror", name,
			wish->name);
		return SEAL_CONFIGURATION;
	}
	if (key == NULL) {
		err_set(err, RC_USAGE, "%s of link %s is encrypted, and this host has no key", name, wish->name);
		err_hint(err, "secret.key.file in krmirror.properties: the key (%.16s) that the other hosts have",
			 wish->key_id != NULL ? wish->key_id : "?");
		return SEAL_OTHER_KEY;
	}
	bound = bound_to(wish->name, config_text(wish->config, "bootstrap.servers"),
			 config_text(wish->config, "local.bootstrap.servers"), name, &len);
	*plain = open_value(key, value, (struct bytes_view){ bound, len });
	xfree(bound);
	if (*plain != NULL)
		return SEAL_FINE;
	err_set(err, RC_USAGE, "%s of link %s cannot be decrypted: it is not of this link, these servers and this key", name,
		wish->name);
	return SEAL_CONFIGURATION;
}

int link_unseal(const struct link_wish *wish, const struct secret_key *key, struct props *props, enum seal_fault *fault,
		struct err *err)
{
	struct props opened = { 0 };
	const char *name;
	json_t *value;
	char *plain;

	*fault = judge(wish, key, err);
	json_object_foreach(wish->config, name, value) {
		if (*fault != SEAL_FINE)
			break;
		*fault = open_one(wish, key, name, &plain, err);
		if (*fault == SEAL_FINE)
			props_set(&opened, name, plain, "the control log", 1);
		xfree_secret(plain);
	}
	if (*fault == SEAL_FINE)
		props_add(props, &opened);
	props_fini(&opened);
	return *fault == SEAL_FINE ? RC_OK : err->rc;
}
