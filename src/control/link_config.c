/* SPDX-License-Identifier: Apache-2.0 */
#include "control/link_config.h"

#include "base/mem.h"
#include "base/str.h"
#include "control/keys.h"
#include "control/links.h"
#include "control/seal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Changed, these would make another link of it: the topics have their names already. */
static const char *const immutable[] = { "link.mode", "connection.mode", "cluster.link.prefix" };

static bool is_immutable(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(immutable); i++)
		if (strcmp(immutable[i], name) == 0)
			return true;
	return false;
}

static const struct key_row *row_of(const char *name)
{
	const struct key_row *row = keys_find(&link_key_table, name);

	return row != NULL ? row : keys_find(&client_key_table, name);
}

/* ---- listing ---- */

static const char *derived(const struct link_wish *wish, const char *name)
{
	if (strcmp(name, "dest.cluster.id") == 0)
		return wish->destination_cluster_id;
	if (strcmp(name, "cluster.link.id") == 0)
		return wish->link_id;
	return NULL;
}

static struct link_setting setting_of(const struct link_wish *wish, const char *name, struct arena *arena)
{
	const struct key_row *row = row_of(name);
	const char *given = json_string_value(json_object_get(wish->config, name)), *own = derived(wish, name);
	struct link_setting s = {
		.name = arena_strdup(arena, name), .set = given != NULL, .sensitive = secret_setting(name),
		.read_only = is_immutable(name) || own != NULL,
	};
	const char *value = given != NULL ? given : row != NULL ? row->initial : NULL;

	if (own != NULL) {
		s.set = true;
		value = own;
	} else if (strcmp(name, "cluster.link.paused") == 0) {
		value = wish->paused ? "true" : "false";
		s.set |= wish->paused;
	}
	s.hidden = s.set && s.sensitive && value != NULL && secret_in_clear(name, value);
	s.value = s.hidden || value == NULL || value[0] == '\0' ? NULL : arena_strdup(arena, value);
	return s;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct link_setting *)a)->name, ((const struct link_setting *)b)->name);
}

/* What this version knows and uses, and whatever else was given. */
static int all_settings(const struct link_wish *wish, struct arena *arena, struct link_setting **rows)
{
	static const struct key_table *const tables[] = { &link_key_table, &client_key_table };
	int n = 0;
	const char *name;
	json_t *value;

	*rows = arena_new(arena, struct link_setting,
			  link_key_table.n + client_key_table.n + (int)json_object_size(wish->config));
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (int i = 0; i < tables[t]->n; i++) {
			const struct key_row *row = &tables[t]->rows[i];
			bool unused = row->flags & (KEY_JAVA | KEY_IGNORED | KEY_READ_ONLY);

			if (strchr(row->name, '*') == NULL && (!unused || derived(wish, row->name) != NULL))
				(*rows)[n++] = setting_of(wish, row->name, arena);
		}
	json_object_foreach(wish->config, name, value) {
		const struct key_row *row = row_of(name);

		(void)value;
		if (row == NULL || strchr(row->name, '*') != NULL ||
		    (row->flags & (KEY_JAVA | KEY_IGNORED | KEY_READ_ONLY) && derived(wish, name) == NULL))
			(*rows)[n++] = setting_of(wish, name, arena);
	}
	qsort(*rows, (size_t)n, sizeof(**rows), by_name);
	return n;
}

enum outcome link_config_list(struct session *session, const char *name, struct arena *arena, struct link_setting **rows,
			      int *n, struct err *err)
{
	const struct secret_key *key = session->conf->secret_key;
	struct props unused = { 0 };
	struct link_wish wish;
	enum seal_fault fault;
	int rc = control_log_link(session->log, name, &wish, err);

	if (rc == RC_OK) {
		*n = all_settings(&wish, arena, rows);
		if (link_unseal(&wish, key, &unused, &fault, err) != RC_OK && (key != NULL || fault != SEAL_OTHER_KEY))
			notes_add(&session->notes, "%s%s%s", err->text, err->hint[0] != '\0' ? "; " : "", err->hint);
	}
	props_fini(&unused);
	link_wish_fini(&wish);
	return rc == RC_OK ? OUTCOME_DONE : OUTCOME_FAILED;
}

/* ---- changing ---- */

static int check_immutable(const struct props *now, const struct props *next, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(immutable) && now->n > 0; i++) {
		const char *before = keys_text(&link_key_table, now, immutable[i]);
		const char *after = keys_text(&link_key_table, next, immutable[i]);

		if (strcasecmp(before, after) == 0)
			continue;
		err_set(err, RC_USAGE, "%s of a link cannot be changed: it is %s, and what was made with it rests on it",
			immutable[i], before[0] != '\0' ? before : "not set");
		return err_hint(err, "make another link with it: krmirror link create NAME");
	}
	return RC_OK;
}

static int unset_one(const char *name, struct props *next, struct err *err)
{
	const char *near;

	if (row_of(name) == NULL && props_find(next, name) == NULL) {
		near = keys_nearest(&link_key_table, name);
		err_set(err, RC_USAGE, "--delete-config: unknown key \"%s\" in link.config", name);
		return near != NULL ? err_hint(err, "did you mean %s?", near) : err->rc;
	}
	props_remove(next, name);
	return RC_OK;
}

static int unset_all(const char *list, struct props *next, struct err *err)
{
	struct str item;
	int rc = RC_OK;

	while (rc == RC_OK && str_item(&list, &item)) {
		char *name = xstrndup(item.data, (size_t)item.len);

		rc = unset_one(name, next, err);
		xfree(name);
	}
	return rc;
}

int link_config_apply(const struct props *now, const struct link_config_change *change, struct props *next,
		      struct err *err)
{
	int rc;

	props_add(next, now);
	rc = unset_all(change->unset, next, err);
	for (int i = 0; i < change->set->n && rc == RC_OK; i++) {
		const struct prop *prop = &change->set->items[i];

		if (keys_find(&client_key_table, prop->key) == NULL && keys_find(&link_key_table, prop->key) != NULL &&
		    (strcmp(prop->key, "dest.cluster.id") == 0 || strcmp(prop->key, "cluster.link.id") == 0))
			continue;   /* as `list` shows them */
		/* The option is of the source, whichever key has it in this link. */
		props_set(next, strcmp(prop->file, "--source-bootstrap-server") == 0 ? link_servers_key(next) : prop->key,
			  prop->value, prop->file, prop->line);
	}
	return rc == RC_OK ? check_immutable(now, next, err) : rc;
}

static bool paused_given(const struct link_config_change *change)
{
	const char *list = change->unset;
	struct str item;

	while (str_item(&list, &item))
		if (str_is(item, "cluster.link.paused"))
			return true;
	return props_find(change->set, "cluster.link.paused") != NULL;
}

struct updating {
	const struct link_config_change *change;
	struct link_wish before;     /* what the decision rests on */
	struct link_wish wish;
	const struct link_conf *conf;
	const struct secret_key *key;
};

static enum outcome update_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct updating *u = arg;
	struct link_wish now;
	int rc = control_log_link(log, u->change->name, &now, err);

	if (rc == RC_OK && (!json_equal(now.config, u->before.config) || !text_eq(now.mac, u->before.mac))) {
		rc = err_set(err, RC_REFUSED, "link %s was changed by somebody else meanwhile", now.name);
		err_hint(err, "look at it with `krmirror link configuration list %s`, then run it again", now.name);
	}
	if (rc == RC_OK && !u->change->dry_run) {
		record_set(&now.source_cluster_id, u->wish.source_cluster_id);
		record_set(&now.destination_cluster_id, u->wish.destination_cluster_id);
		if (paused_given(u->change))
			now.paused = u->conf->paused;
		link_seal(&now, &u->conf->props, u->key);
		control_batch_link_anew(log, batch, &now, u->key);
	}
	link_wish_fini(&now);
	return rc == RC_OK ? OUTCOME_DONE : rc == RC_REFUSED ? OUTCOME_REFUSED : OUTCOME_FAILED;
}

/* How a source is reached and logged in to. */
static bool is_connection(const char *name)
{
	static const char *const names[] = {
		"bootstrap.servers", "broker.address.map", "client.dns.lookup", "security.protocol",
	};

	if (strncmp(name, "local.", 6) == 0)
		name += 6;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strncmp(name, "sasl.", 5) == 0 || strncmp(name, "ssl.", 4) == 0;
}

static bool connection_differs(const struct props *a, const struct props *b)
{
	for (int i = 0; i < a->n; i++)
		if (is_connection(a->items[i].key) && !text_eq(a->items[i].value, props_get(b, a->items[i].key)))
			return true;
	return false;
}

struct asking {
	struct link_conf *conf;
	bool replaced;      /* all settings are new */
	bool connection;    /* those of the connection are */
	bool *unchecked;    /* set where only a worker can log in */
};

/* Logs in with the new settings; the source must be the one that it was. Where the connection is another every listener
 * must be right, as for a new link; else a broker that is down is no reason against another setting. */
static enum outcome ask_source(struct session *session, const struct asking *asking, struct link_wish *wish, struct err *err)
{
	struct link_conf *conf = asking->conf;
	struct secret_rules rules = conf_secret_rules(session->conf);
	const char *own = cluster_id(session->destination);
	enum outcome outcome = OUTCOME_DONE;
	char *id = NULL;

	if (conf->inbound)
		return OUTCOME_DONE;
	if (link_conf_secure(conf, &rules, err) != RC_OK) {
		*asking->unchecked = link_leave_to_worker(session, conf, err);
		return *asking->unchecked ? OUTCOME_DONE : OUTCOME_USAGE;
	}
	if (conf->mode == LINK_MODE_SOURCE)
		outcome = link_check_destination(session, conf, err);
	if (outcome == OUTCOME_DONE && asking->connection)
		outcome = link_dial_source(session, conf, &id, err);
	else if (outcome == OUTCOME_DONE)
		outcome = session_probe(session, &conf->source, SIDE_SOURCE, &id, err);
	link_hint_servers(conf, outcome, err);
	if (outcome == OUTCOME_DONE && !asking->replaced && wish->source_cluster_id != NULL &&
	    strcmp(wish->source_cluster_id, id) != 0) {
		err_set(err, RC_REFUSED, "these settings lead to cluster %s, and the link's source is cluster %s", id,
			wish->source_cluster_id);
		err_hint(err, "a link stays with its source; make another one for the other cluster");
		outcome = OUTCOME_REFUSED;
	}
	if (outcome == OUTCOME_DONE)
		outcome = link_check_apart(id, own, err);
	if (outcome == OUTCOME_DONE) {
		record_set(&wish->source_cluster_id, id);
		record_set(&wish->destination_cluster_id, own);
	}
	xfree(id);
	return outcome;
}

/* The settings now. A record that cannot be trusted counts as none, where the change is a whole configuration. */
static int settings_now(struct session *session, const struct link_config_change *change, const struct link_wish *wish,
			struct props *now, bool *replaced, struct err *err)
{
	enum seal_fault fault;
	int rc = link_unseal(wish, session->conf->secret_key, now, &fault, err);

	*replaced = (fault == SEAL_NOT_AUTHENTIC || fault == SEAL_CONFIGURATION || fault == SEAL_REPLAYED) &&
		    props_find(change->set, link_servers_key(change->set)) != NULL;
	if (*replaced) {
		notes_add(&session->notes, "all settings of link %s are replaced by these: %s", wish->name, err->text);
		return RC_OK;
	}
	if (rc == RC_OK && wish->mac != NULL && session->conf->secret_key == NULL) {
		err_set(err, RC_USAGE, "link %s is signed, and this host has no key to sign a change with", wish->name);
		return err_hint(err, "secret.key.file in krmirror.properties: the key that the other hosts have");
	}
	return rc;
}

static enum outcome update(struct session *session, struct updating *u, struct link_conf *conf, bool *changed,
			   bool *unchecked, struct err *err)
{
	const struct link_config_change *change = u->change;
	struct props now = { 0 }, next = { 0 };
	enum outcome outcome = OUTCOME_DONE;
	bool replaced = false, connection;
	int rc = settings_now(session, change, &u->before, &now, &replaced, err);

	if (rc == RC_OK)
		rc = link_config_apply(&now, change, &next, err);
	if (rc == RC_OK)
		rc = link_conf_read(conf, &next, &session->notes, err);
	if (rc == RC_OK)
		rc = seal_check(change->set, u->key, err);
	if (rc != RC_OK)
		outcome = rc == RC_REFUSED ? OUTCOME_REFUSED : OUTCOME_USAGE;
	connection = replaced || connection_differs(&now, &conf->props) || connection_differs(&conf->props, &now);
	*changed = replaced || !props_equal(&now, &conf->props) ||
		   (paused_given(change) && conf->paused != u->before.paused);
	if (outcome == OUTCOME_DONE && *changed && !change->no_validate)
		outcome = ask_source(session, &(struct asking){ conf, replaced, connection, unchecked }, &u->wish, err);
	if (outcome == OUTCOME_DONE && *changed)
		outcome = control_log_update(session->log, update_decide, u, session->deadline_ns, NULL, err);
	props_fini(&now);
	props_fini(&next);
	return outcome;
}

enum outcome link_config_update(struct session *session, const struct link_config_change *change, bool *changed,
				bool *unchecked, struct err *err)
{
	struct link_conf conf = { 0 };
	struct updating u = { .change = change, .conf = &conf, .key = session->conf->secret_key };
	enum outcome outcome = OUTCOME_FAILED;

	*changed = false;
	if (control_log_link(session->log, change->name, &u.before, err) == RC_OK &&
	    control_log_link(session->log, change->name, &u.wish, err) == RC_OK)
		outcome = update(session, &u, &conf, changed, unchecked, err);
	if (outcome == OUTCOME_DONE)
		session_source_drop(session, change->name);
	link_wish_fini(&u.before);
	link_wish_fini(&u.wish);
	link_conf_fini(&conf);
	return outcome;
}

/* ---- another key ---- */

struct rekeying {
	const struct secret_key *from, *to;
	struct control_log *log;
	int changed, already;
};

static bool has_key(const struct link_wish *wish, const struct secret_key *key)
{
	struct props unused = { 0 };
	enum seal_fault fault;
	struct err err;
	bool has = link_unseal(wish, key, &unused, &fault, &err) == RC_OK;

	props_fini(&unused);
	return has;
}

static int rekey_one(struct rekeying *r, struct link_wish *wish, struct control_batch *batch, struct err *err)
{
	struct props props = { 0 };
	enum seal_fault fault;
	int rc;

	/* One that an older version signed gets its place. */
	if (wish->at >= 0 && has_key(wish, r->to)) {
		r->already++;
		return RC_OK;
	}
	rc = link_unseal(wish, r->from, &props, &fault, err);
	if (rc == RC_OK && r->from == NULL && wish->mac != NULL) {
		rc = err_set(err, RC_REFUSED, "link %s is signed with the key %.16s, which this host does not have", wish->name,
			     wish->key_id != NULL ? wish->key_id : "?");
		err_hint(err, "secret.key.file in krmirror.properties names the key of before");
	}
	if (rc == RC_OK) {
		link_seal(wish, &props, r->to);
		control_batch_link_anew(r->log, batch, wish, r->to);
		r->changed++;
	}
	props_fini(&props);
	return rc;
}

static enum outcome rekey_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct control_record *record = NULL;
	struct rekeying *r = arg;
	int rc = RC_OK;

	r->changed = r->already = 0;
	r->log = log;
	while (rc == RC_OK && (record = control_log_next(log, RECORD_LINK, record)) != NULL) {
		struct link_wish wish;

		rc = control_log_link(log, record->name, &wish, err);
		if (rc == RC_OK)
			rc = rekey_one(r, &wish, batch, err);
		link_wish_fini(&wish);
	}
	return rc == RC_OK ? OUTCOME_DONE : rc == RC_UNSUPPORTED ? OUTCOME_FAILED : OUTCOME_REFUSED;
}

enum outcome link_rekey(struct session *session, const struct secret_key *key, int *changed, int *already,
			struct err *err)
{
	struct rekeying r = { .from = session->conf->secret_key, .to = key };
	enum outcome outcome = control_log_update(session->log, rekey_decide, &r, session->deadline_ns, NULL, err);

	*changed = r.changed;
	*already = r.already;
	return outcome;
}
