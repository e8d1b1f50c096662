/* SPDX-License-Identifier: Apache-2.0 */
/* The destination comes first: only its control log tells where the source is. What cannot be gone on with is an item of
 * its own, and the rest is still done. */
#include "control/inspect_priv.h"
#include "control/topic_rules.h"

#include "base/clock.h"
#include "control/verbs.h"

#include <string.h>
#include <strings.h>

enum { READ_MS = 20000 };

static void link_failed(struct inspection *inspection, enum side side, const struct err *err)
{
	struct inspect_item *item = inspect_add(inspection, side, "LINK");

	item->needed = true;
	inspect_failed(inspection, item, err);
	if (err->rc == RC_REFUSED)
		item->reason = "CONFIGURATION";   /* its record is not authentic */
}

/* The mirrors that krmirror works on. */
static void collect_topics(struct inspection *inspection, struct inspected *it)
{
	const struct control_log *log = it->session->log;
	const struct control_record *r = NULL;
	int n = 0;

	while ((r = control_log_next(log, RECORD_MIRROR, r)) != NULL)
		n++;
	it->topics = arena_new(inspection->arena, struct rights_topic, n);
	while ((r = control_log_next(log, RECORD_MIRROR, r)) != NULL) {
		struct mirror_state state;
		struct mirror_wish wish;
		struct err unused;
		bool wanted;

		if (strcmp(r->name, it->link) != 0)
			continue;
		wanted = control_log_mirror_state(log, r->name, r->topic, &state, &unused) == RC_OK &&
			 !mirror_is_stopped(&state);
		mirror_state_fini(&state);
		if (control_log_mirror(log, r->name, r->topic, &wish, &unused) == RC_OK && wanted)
			it->topics[it->n_topics++] = (struct rights_topic){
				.source = arena_strdup(inspection->arena, wish.source_topic),
				.destination = arena_strdup(inspection->arena, r->topic), .exists = true,
			};
		mirror_wish_fini(&wish);
	}
}

static void add_group(struct inspected *it, enum side side, const char *name, bool prefixed, bool commits)
{
	it->groups[it->n_groups++] = (struct rights_group){ side, name, prefixed, commits };
}

/* What each INCLUDE of the link's filters takes, on both sides. */
static void collect_groups(struct inspection *inspection, struct inspected *it, const struct link_conf *conf)
{
	const json_t *list = json_object_get(conf->group_filters, "groupFilters"), *entry;
	size_t i;

	it->groups = arena_new(inspection->arena, struct rights_group, 2 * (int)json_array_size(list) + 1);
	json_array_foreach(list, i, entry) {
		const char *type = json_string_value(json_object_get(entry, "filterType"));
		const char *pattern = json_string_value(json_object_get(entry, "patternType"));
		const char *name = arena_strdup(inspection->arena, json_string_value(json_object_get(entry, "name")));
		bool prefixed = strcasecmp(pattern, "PREFIXED") == 0, all = strcmp(name, "*") == 0;

		if (!conf->offset_sync || (strcasecmp(type, "INCLUDE") != 0 && strcasecmp(type, "WHITELIST") != 0))
			continue;
		add_group(it, SIDE_SOURCE, name, prefixed, false);
		if (conf->group_prefix && conf->prefix[0] != '\0') {
			name = inspect_text(inspection, "%s%s", conf->prefix, all ? "" : name);
			prefixed |= all;
		}
		add_group(it, SIDE_DESTINATION, name, prefixed, true);
	}
	if (conf->progress_group_id != NULL && conf->progress_group_id[0] != '\0')
		add_group(it, SIDE_SOURCE, arena_strdup(inspection->arena, conf->progress_group_id), false, true);
}

/* Nobody has said yet where the source is. */
static void not_dialled(struct inspection *inspection)
{
	struct inspect_item *item = inspect_add(inspection, SIDE_SOURCE, "LINK");

	item->needed = true;
	item->status = INSPECT_UNKNOWN;
	item->reason = "OTHER";
	item->detail = "the link has connection.mode=INBOUND, and waits for the one with link.mode=SOURCE that says where the "
		       "source is";
	item->hint = "create that link, of the same name";
}

static bool mirrors_widely(const struct link_conf *conf)
{
	struct topic_rules rules;
	struct err unused;
	bool wide = topic_rules_read(&rules, &conf->props, NULL, &unused) == RC_OK && conf->auto_create &&
		    topic_rules_are_wide(&rules);

	topic_rules_fini(&rules);
	return wide;
}

static void look_at_source(struct inspection *inspection, struct inspected *it, const struct link_wish *wish)
{
	struct secret_rules rules = conf_secret_rules(it->session->conf);
	struct link_conf conf = { 0 };
	const char *line;
	struct err err;

	if (link_conf_of(wish, it->session->conf->secret_key, &conf, &err) != RC_OK ||
	    link_conf_secure(&conf, &rules, &err) != RC_OK) {
		link_failed(inspection, SIDE_SOURCE, &err);
		link_conf_fini(&conf);
		return;
	}
	if (conf.inbound) {
		not_dialled(inspection);
		link_conf_fini(&conf);
		return;
	}
	line = props_get(conf.mode == LINK_MODE_SOURCE ? &conf.local : &conf.props, "sasl.jaas.config");
	it->prefix = arena_strdup(inspection->arena, conf.prefix);
	collect_groups(inspection, it, &conf);
	it->wide = mirrors_widely(&conf);
	it->reached[SIDE_SOURCE] = inspect_listeners(it->session, inspection, SIDE_SOURCE, &conf.source,
						     wish->source_cluster_id, NULL);
	inspect_login_flows(inspection, SIDE_SOURCE, &conf.source);
	inspect_grantee(inspection, SIDE_SOURCE, &conf.source);
	/* A reference to anything at all could stand where the name should. */
	if (line != NULL && secret_is_reference(line) && !secret_is_one_reference(line)) {
		inspection->grantee[SIDE_SOURCE].principal = "User:PRINCIPAL";
		inspection->grantee[SIDE_SOURCE].note = "PRINCIPAL: the user name that sasl.jaas.config refers to";
	}
	link_conf_fini(&conf);
}

/* The control log, and what it says of the link. False with err: there is no such link. */
static bool read_link(struct inspection *inspection, struct inspected *it, const char *name, struct err *err)
{
	struct session *session = it->session;
	int64_t deadline_ns = session->deadline_ns;
	struct link_wish wish;
	enum outcome outcome;
	int rc;

	session->deadline_ns = MIN(deadline_ns, clock_mono_ns() + READ_MS * NS_PER_MS);
	outcome = session_connect(session, err);
	session->deadline_ns = deadline_ns;
	if (outcome != OUTCOME_DONE) {
		err_wrap(err, "the link cannot be read, and so the source was not looked at");
		link_failed(inspection, SIDE_DESTINATION, err);
		return true;
	}
	rc = control_log_link(session->log, name, &wish, err);
	if (rc == RC_OK) {
		it->link = name;
		collect_topics(inspection, it);
		look_at_source(inspection, it, &wish);
	} else if (rc != RC_NOT_FOUND) {
		link_failed(inspection, SIDE_DESTINATION, err);
	}
	link_wish_fini(&wish);
	return rc != RC_NOT_FOUND;
}

enum outcome inspect_link(struct session *session, const char *link, struct inspection *inspection, struct err *err)
{
	struct inspected it = { .session = session, .prefix = "" };
	const struct client_conf *destination = &session->conf->destination;

	it.reached[SIDE_DESTINATION] =
		inspect_listeners(session, inspection, SIDE_DESTINATION, destination, NULL, NULL);
	inspect_login_flows(inspection, SIDE_DESTINATION, destination);
	inspect_grantee(inspection, SIDE_DESTINATION, destination);
	if (it.reached[SIDE_DESTINATION] && !read_link(inspection, &it, link, err))
		return OUTCOME_FAILED;
	inspect_worker_flows(inspection, session);
	inspect_rights(inspection, &it);
	inspect_writers(inspection, &it);
	inspection_sort(inspection);
	return OUTCOME_DONE;
}
