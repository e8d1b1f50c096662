/* SPDX-License-Identifier: Apache-2.0 */
#include "control/link_conf.h"

#include "base/mem.h"
#include "control/config_plan.h"
#include "control/filters.h"
#include "control/topic_rules.h"

#include <string.h>
#include <strings.h>

enum { PREFIX_MAX = 12, LINK_NAME_MAX = 100, TOPIC_NAME_MAX = 249, NEW_TOPICS_MS = 30000 };

static const struct key_table *const tables[] = { &link_key_table, &client_key_table, NULL };

static bool name_valid(const char *name, size_t max)
{
	size_t len = strlen(name);

	return len >= 1 && len <= max && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

bool link_name_valid(const char *name)
{
	return name_valid(name, LINK_NAME_MAX);
}

bool topic_name_valid(const char *name)
{
	return name_valid(name, TOPIC_NAME_MAX);
}

static bool flag(const struct props *props, const char *name)
{
	return keys_bool(&link_key_table, props, name);
}

static const char *text(const struct props *props, const char *name)
{
	return keys_text(&link_key_table, props, name);
}

static int32_t number(const struct props *props, const char *name)
{
	return (int32_t)keys_number(&link_key_table, props, name);
}

/* --- what this version has, and what goes together ----------------------------------------------------------- */

static int modes_check(const struct props *props, struct err *err)
{
	const char *start = text(props, "mirror.start.offset.spec");
	struct start_spec spec;

	if (!start_spec_parse(start, &spec)) {
		err_set(err, RC_USAGE, "mirror.start.offset.spec=%s is neither earliest nor latest nor a time", start);
		return err_hint(err, "a time is written like 2024-01-31T12:00:00Z");
	}
	return RC_OK;
}

static int rules_check(const struct props *props, struct err *err)
{
	struct topic_rules rules;
	int rc = topic_rules_read(&rules, props, NULL, err);

	topic_rules_fini(&rules);
	return rc == RC_OK ? config_include_check(text(props, "topic.config.sync.include"), err) : rc;
}

struct task {
	const char *enable, *filters, *period;
};

static const struct task tasks[] = {
	{ "auto.create.mirror.topics.enable", "auto.create.mirror.topics.filters", NULL },
	{ "consumer.offset.sync.enable", "consumer.offset.group.filters", "consumer.offset.sync.ms" },
	{ "acl.sync.enable", "acl.filters", "acl.sync.ms" },
};

static bool given(const struct props *props, const char *key)
{
	const char *value = key == NULL ? NULL : props_get(props, key);

	return value != NULL && value[0] != '\0';
}

static int tasks_check(const struct props *props, struct notes *notes, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++) {
		const struct task *t = &tasks[i];
		bool on = flag(props, t->enable);

		if (on && !given(props, t->filters) &&
		    !(i == 0 && given(props, "mirror.topics.regex"))) {
			err_set(err, RC_USAGE, "%s=true needs %s", t->enable, t->filters);
			return err_hint(err, "for everything, add the line %s", filters_example(t->filters));
		}
		if (!on && given(props, t->filters))
			notes_add(notes, "%s has no effect: add the line %s=true", t->filters, t->enable);
		if (on && (keys_find(&link_key_table, t->enable)->flags & KEY_LATER) != 0)
			notes_add(notes, "%s=true is recorded; this version does not do it yet", t->enable);
	}
	if (flag(props, "consumer.group.prefix.enable") && !given(props, "cluster.link.prefix"))
		notes_add(notes, "consumer.group.prefix.enable has no effect: cluster.link.prefix is not set");
	return RC_OK;
}

static int filters_all(const struct props *props, struct notes *notes, struct err *err)
{
	int rc = RC_OK;

	for (int i = 0; i < props->n && rc == RC_OK; i++) {
		const struct prop *prop = &props->items[i];
		const struct key_row *row = keys_find(&link_key_table, prop->key);
		bool quoted;
		json_t *json;

		if (row == NULL || row->type != KEY_JSON || prop->value[0] == '\0')
			continue;
		json = keys_json(prop->value, &quoted, err);
		rc = json == NULL ? err->rc : filters_check(prop->key, json, notes, err);
		if (rc != RC_OK && prop->line > 0)
			err_wrap(err, "%s:%d: %s", prop->file, prop->line, prop->key);
		else if (rc != RC_OK)
			err_wrap(err, "%s: %s", prop->file, prop->key);
		json_decref(json);
	}
	return rc;
}

static int prefix_check(const struct props *props, struct err *err)
{
	const char *prefix = text(props, "cluster.link.prefix");

	if (strlen(prefix) > PREFIX_MAX)
		return err_set(err, RC_USAGE, "cluster.link.prefix \"%s\" is longer than %d characters", prefix, PREFIX_MAX);
	if (prefix[0] != '\0' && strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
	    strlen(prefix))
		return err_set(err, RC_USAGE, "cluster.link.prefix \"%s\" cannot begin a topic name", prefix);
	return RC_OK;
}

static void notes_of_later(const struct props *props, struct notes *notes)
{
	if (strcmp(text(props, "mirror.fill.mode"), "tombstone") == 0)
		notes_add(notes, "mirror.fill.mode=tombstone counts for topics with cleanup.policy compact: in a hole beyond "
			  "mirror.fill.limit consumers see null records until compaction removes them; in other topics it "
			  "stops the partition");
	if (link_inbound(props))
		notes_add(notes, "connection.mode=INBOUND is recorded as a no-op, for krmirror always dials: `link create` "
			  "of the same name with link.mode=SOURCE, which says where the source is, takes its place");
}

/* Filters are kept as plain JSON, whatever the dialect of the file. */
static void json_normalise(struct props *props, struct notes *notes)
{
	for (int i = 0; i < props->n; i++) {
		struct prop *prop = &props->items[i];
		const struct key_row *row = keys_find(&link_key_table, prop->key);
		struct err unused;
		bool quoted;
		json_t *json;
		char *plain;

		if (row == NULL || row->type != KEY_JSON || prop->value[0] == '\0')
			continue;
		json = keys_json(prop->value, &quoted, &unused);
		if (json == NULL)
			continue;   /* cannot be: it was checked */
		plain = quoted ? json_dumps(json, JSON_COMPACT) : NULL;
		if (plain != NULL) {
			notes_add(notes, "%s: read without its outer quotes", prop->key);
			xfree(prop->value);
			prop->value = xstrdup(plain);
			xfree(plain);
		}
		json_decref(json);
	}
}

/* --- reading ------------------------------------------------------------------------------------------------- */

/* A new reference, or NULL. It was checked. */
static json_t *filter(const struct props *props, const char *name)
{
	const char *value = props_get(props, name);
	struct err unused;
	bool quoted;

	return value == NULL || value[0] == '\0' ? NULL : keys_json(value, &quoted, &unused);
}

static void read_fields(struct link_conf *conf)
{
	const struct props *props = &conf->props;
	const char *group = text(props, "mirror.progress.group.id");

	conf->paused = flag(props, "cluster.link.paused");
	conf->prefix = xstrdup(text(props, "cluster.link.prefix"));
	conf->retry_timeout_ms = number(props, "cluster.link.retry.timeout.ms");
	conf->availability_check_ms = number(props, "availability.check.ms");
	conf->availability_threshold = number(props, "availability.check.consecutive.failure.threshold");
	conf->n_fetchers = number(props, "num.cluster.link.fetchers");
	conf->fetch_max_bytes = number(props, "replica.fetch.max.bytes");
	conf->fetch_response_max_bytes = number(props, "replica.fetch.response.max.bytes");
	conf->fetch_min_bytes = number(props, "replica.fetch.min.bytes");
	conf->fetch_wait_max_ms = number(props, "replica.fetch.wait.max.ms");
	conf->fetch_backoff_ms = number(props, "replica.fetch.backoff.ms");
	CHECK(start_spec_parse(text(props, "mirror.start.offset.spec"), &conf->start));
	conf->fill_limit = keys_number(&link_key_table, props, "mirror.fill.limit");
	conf->fill_tombstones = strcmp(text(props, "mirror.fill.mode"), "tombstone") == 0;
	conf->coalesce = strcmp(text(props, "mirror.coalesce"), "auto") == 0;
	if (given(props, "mirror.fetch.rate.limit"))
		conf->rate_limit = keys_number(&link_key_table, props, "mirror.fetch.rate.limit");
	conf->readers_everyone = flag(props, "mirror.readers.everyone");
	conf->progress_group_id = group == NULL ? NULL : xstrdup(group);
	conf->offset_sync = flag(props, "consumer.offset.sync.enable");
	conf->acl_sync = flag(props, "acl.sync.enable");
	conf->auto_create = flag(props, "auto.create.mirror.topics.enable");
	conf->offset_sync_ms = number(props, "consumer.offset.sync.ms");
	conf->group_filters = filter(props, "consumer.offset.group.filters");
	conf->group_prefix = flag(props, "consumer.group.prefix.enable");
	conf->config_sync_ms = number(props, "topic.config.sync.ms");
	conf->acl_sync_ms = number(props, "acl.sync.ms");
	conf->auto_create_ms = MIN(conf->source.metadata_max_age_ms, NEW_TOPICS_MS);
	/* The keys of replica fetchers, where they were given, are those of the client. */
	if (props_find(props, "replica.socket.timeout.ms") != NULL && props_find(props, "request.timeout.ms") == NULL)
		conf->source.request_timeout_ms = number(props, "replica.socket.timeout.ms");
	if (props_find(props, "replica.socket.receive.buffer.bytes") != NULL)
		conf->source.rcvbuf = number(props, "replica.socket.receive.buffer.bytes");
}

/* With SOURCE, what stands behind "local." are client settings too. */
static int names_check(const struct props *props, struct notes *notes, struct err *err)
{
	static const struct key_table *const of_clients[] = { &client_key_table, NULL };
	struct props own = { 0 }, local = { 0 };
	int rc;

	if (link_mode_of(props) != LINK_MODE_SOURCE)
		return keys_check(tables, props, false, notes, err);
	link_mode_split(props, &own, &local);
	rc = keys_check(tables, &own, false, notes, err);
	if (rc == RC_OK && keys_check(of_clients, &local, false, notes, err) != RC_OK)
		rc = err_wrap(err, "behind local.");
	props_fini(&own);
	props_fini(&local);
	return rc;
}

static int check(const struct props *props, struct notes *notes, struct err *err)
{
	int rc = names_check(props, notes, err);

	if (rc == RC_OK)
		rc = link_mode_check(props, err);
	if (rc == RC_OK)
		rc = modes_check(props, err);
	if (rc == RC_OK)
		rc = tasks_check(props, notes, err);
	if (rc == RC_OK)
		rc = prefix_check(props, err);
	if (rc == RC_OK)
		rc = filters_all(props, notes, err);
	if (rc == RC_OK)
		rc = rules_check(props, err);
	return rc;
}

static const struct props *source_props(const struct link_conf *conf)
{
	return conf->mode == LINK_MODE_SOURCE ? &conf->local : &conf->props;
}

static int read_source(struct link_conf *conf, struct err *err)
{
	const char *key = link_servers_key(&conf->props);
	struct props own = { 0 };
	int rc;

	conf->mode = link_mode_of(&conf->props);
	conf->inbound = link_inbound(&conf->props);
	if (conf->mode == LINK_MODE_SOURCE)
		link_mode_split(&conf->props, &own, &conf->local);
	props_fini(&own);
	rc = client_conf_read(&conf->source, source_props(conf), err);
	if (rc != RC_OK || conf->inbound || conf->source.n_bootstrap > 0)
		return rc;
	err_set(err, RC_USAGE, "no source cluster: %s is not set in the link's configuration", key);
	return err_hint(err, "set %s in link.config, or give --source-bootstrap-server%s", key,
			conf->mode == LINK_MODE_SOURCE ? "; with link.mode=SOURCE bootstrap.servers is the destination's" : "");
}

int link_conf_read(struct link_conf *conf, const struct props *props, struct notes *notes, struct err *err)
{
	int rc;

	*conf = (struct link_conf){ 0 };
	rc = check(props, notes, err);
	if (rc != RC_OK)
		return rc;
	notes_of_later(props, notes);
	props_add(&conf->props, props);
	json_normalise(&conf->props, notes);
	rc = read_source(conf, err);
	if (rc == RC_OK)
		read_fields(conf);
	return rc;
}

int link_conf_secure(struct link_conf *conf, const struct secret_rules *rules, struct err *err)
{
	return conf->inbound ? RC_OK : client_conf_secure(&conf->source, source_props(conf), rules, err);
}

void link_conf_fini(struct link_conf *conf)
{
	props_fini(&conf->props);
	props_fini(&conf->local);
	client_conf_fini(&conf->source);
	xfree(conf->prefix);
	xfree(conf->progress_group_id);
	json_decref(conf->group_filters);
	*conf = (struct link_conf){ 0 };
}

void link_conf_spec(const struct link_conf *conf, const char *name, const char *source_cluster_id,
		    struct link_spec *spec)
{
	*spec = (struct link_spec){
		.name = name,
		.source_cluster_id = source_cluster_id,
		.fetch_max_bytes = conf->fetch_max_bytes,
		.fetch_response_max_bytes = conf->fetch_response_max_bytes,
		.fetch_min_bytes = conf->fetch_min_bytes,
		.fetch_wait_max_ms = conf->fetch_wait_max_ms,
		.fetch_backoff_ms = conf->fetch_backoff_ms,
		.n_fetchers = conf->n_fetchers,
		.fill_limit = conf->fill_limit,
		.fill_tombstones = conf->fill_tombstones,
		.coalesce = conf->coalesce,
		.rate_limit = conf->rate_limit,
		.availability_check_ms = conf->availability_check_ms,
	};
	client_conf_opts(&conf->source, "source", source_cluster_id, &spec->source);
}

int link_conf_source_topic(const struct link_conf *conf, const char *topic, char **source, struct err *err)
{
	struct topic_rules rules;
	const char *format = text(&conf->props, "mirror.topic.rename.format");
	int rc = topic_rules_read(&rules, &conf->props, NULL, err);

	*source = rc == RC_OK ? topic_rules_source(&rules, topic) : NULL;
	topic_rules_fini(&rules);
	if (rc != RC_OK || *source != NULL)
		return rc;
	if (strncmp(topic, conf->prefix, strlen(conf->prefix)) != 0 || topic[strlen(conf->prefix)] == '\0') {
		err_set(err, RC_USAGE, "mirror topic \"%s\" does not carry the link's prefix \"%s\"", topic, conf->prefix);
		return err_hint(err, "name it %s%s", conf->prefix, topic);
	}
	return err_set(err, RC_USAGE, "mirror topic \"%s\" does not have the form of the link's "
		       "mirror.topic.rename.format, \"%s%s\"", topic, conf->prefix, format);
}
