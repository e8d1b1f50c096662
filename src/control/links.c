/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of links. Each is one decision on the control log, after what must be asked of clusters was asked. */
#include "control/links.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/inspect.h"
#include "control/seal.h"

#include <string.h>

/* --- create -------------------------------------------------------------------------------------------------- */

struct creating {
	struct link_wish wish;
	const struct link_conf *conf;
	const struct secret_key *key;
	bool dry_run, paused;
};

static enum outcome taken(const char *name, struct err *err)
{
	err_set(err, RC_EXISTS, "link %s exists already", name);
	err_hint(err, "`krmirror link describe %s` shows it; choose another name or delete it first", name);
	return OUTCOME_REFUSED;
}

static enum outcome other_source(const struct link_wish *inbound, const struct link_wish *wish, struct err *err)
{
	err_set(err, RC_REFUSED, "link %s was made for source cluster %s, and this is %s", wish->name,
		inbound->source_cluster_id, wish->source_cluster_id);
	err_hint(err, "delete it first, or make the pair with the right cluster");
	return OUTCOME_REFUSED;
}

/* The INBOUND link's settings of mirroring, and the new one's. */
static int join(struct creating *creating, const struct link_wish *inbound, struct err *err)
{
	struct props theirs = { 0 }, all = { 0 };
	struct link_conf conf = { 0 };
	struct notes unused = { 0 };
	enum seal_fault fault;
	int rc = link_unseal(inbound, creating->key, &theirs, &fault, err);

	props_add(&all, &creating->conf->props);
	link_mode_join(&all, &theirs);
	if (rc == RC_OK)
		rc = link_conf_read(&conf, &all, &unused, err);
	if (rc == RC_OK)
		link_seal(&creating->wish, &conf.props, creating->key);
	notes_fini(&unused);
	link_conf_fini(&conf);
	props_fini(&theirs);
	props_fini(&all);
	return rc;
}

/* A link of that name stands in the log: the INBOUND one of a pair makes way for the SOURCE one, and leaves it its id. */
static enum outcome take_over(struct control_log *log, struct creating *creating, struct err *err)
{
	struct link_wish *wish = &creating->wish, inbound;
	enum outcome outcome = OUTCOME_DONE;
	int rc = control_log_link(log, wish->name, &inbound, err);

	if (rc != RC_OK || creating->conf->mode != LINK_MODE_SOURCE || !link_wish_inbound(&inbound)) {
		outcome = taken(wish->name, err);
	} else if (!text_eq(inbound.source_cluster_id, wish->source_cluster_id) && inbound.source_cluster_id != NULL &&
		   wish->source_cluster_id != NULL) {
		outcome = other_source(&inbound, wish, err);
	} else {
		record_set(&wish->link_id, inbound.link_id);
		if (wish->source_cluster_id == NULL)
			record_set(&wish->source_cluster_id, inbound.source_cluster_id);
		wish->paused = creating->paused || inbound.paused;
		if (join(creating, &inbound, err) != RC_OK)
			outcome = outcome_of(err, SIDE_DESTINATION);
	}
	link_wish_fini(&inbound);
	return outcome;
}

static enum outcome create_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct creating *creating = arg;
	char *key = record_key_link(creating->wish.name), *state = record_key_link_state(creating->wish.name);
	const struct control_record *there = control_log_get(log, key);
	/* one that was written for another place is no link */
	bool exists = there != NULL && !link_misplaced(there->value, there->offset);
	enum outcome outcome = exists ? take_over(log, creating, err) : OUTCOME_DONE;

	if (outcome == OUTCOME_DONE && !creating->dry_run) {
		control_batch_link_anew(log, batch, &creating->wish, creating->key);
		if (control_log_get(log, state) != NULL)
			control_batch_remove(batch, state);   /* of a link that had the name before */
	}
	xfree(key);
	xfree(state);
	return outcome;
}

/* One failure ends it, and the others are told beside it. */
static enum outcome judge_doors(struct session *session, const struct inspection *inspection, struct err *err)
{
	const struct inspect_item *worst = NULL;
	enum outcome outcome = inspection_outcome(inspection);

	for (int i = 0; i < inspection->n; i++) {
		const struct inspect_item *item = &inspection->items[i];

		if (item->status == INSPECT_FAILED && item->outcome == outcome && worst == NULL)
			worst = item;
		else if (item->status != INSPECT_OK)
			notes_add(&session->notes, "%s", item->detail);
	}
	if (worst == NULL)
		return OUTCOME_DONE;
	err_set(err, worst->rc, "%s", worst->detail);
	if (worst->hint != NULL)
		err_hint(err, "%s", worst->hint);
	return outcome;
}

struct identifying {
	const struct link_create_opts *opts;
	struct link_conf *conf;
	struct arena *arena;
	struct link_info *info;   /* gets who was dialled */
};

static void note_dialled(const struct inspection *inspection, const struct identifying *in)
{
	const char **brokers[2];
	int n[2] = { 0 };

	for (int side = 0; side < 2; side++)
		brokers[side] = arena_new(in->arena, const char *, inspection->n + 1);
	for (int i = 0; i < inspection->n; i++)
		if (inspection->items[i].address != NULL)
			brokers[inspection->items[i].side][n[inspection->items[i].side]++] = inspection->items[i].address;
	in->info->source_brokers = brokers[SIDE_SOURCE];
	in->info->n_source_brokers = n[SIDE_SOURCE];
	in->info->destination_brokers = brokers[SIDE_DESTINATION];
	in->info->n_destination_brokers = n[SIDE_DESTINATION];
}

void link_hint_servers(const struct link_conf *conf, enum outcome outcome, struct err *err)
{
	if (outcome == OUTCOME_SOURCE_UNREACHABLE && err->hint[0] == '\0')
		err_hint(err, "check %s of the link (%s); --no-validate records it without asking",
			 link_servers_key(&conf->props), conf->source.bootstrap_text);
}

/* Every listener of both clusters; *id is the source's (xfree). */
static enum outcome dial_both(struct session *session, const struct identifying *in, char **id, struct err *err)
{
	const struct link_conf *conf = in->conf;
	struct inspection inspection = { .arena = in->arena };
	const char *source = NULL;
	enum outcome outcome;

	inspect_listeners(session, &inspection, SIDE_SOURCE, &conf->source, NULL, &source);
	inspect_listeners(session, &inspection, SIDE_DESTINATION, &session->conf->destination,
			  cluster_id(session->destination), NULL);
	outcome = judge_doors(session, &inspection, err);
	note_dialled(&inspection, in);
	inspection_fini(&inspection);
	link_hint_servers(conf, outcome, err);
	record_set(id, source);
	return outcome;
}

enum outcome link_dial_source(struct session *session, const struct link_conf *conf, char **id, struct err *err)
{
	struct arena arena;
	struct inspection inspection = { .arena = &arena };
	const char *source = NULL;
	enum outcome outcome;

	arena_init(&arena, 0);
	inspect_listeners(session, &inspection, SIDE_SOURCE, &conf->source, NULL, &source);
	outcome = judge_doors(session, &inspection, err);
	record_set(id, source);
	inspection_fini(&inspection);
	arena_fini(&arena);
	return outcome;
}

enum outcome link_check_apart(const char *source, const char *destination, struct err *err)
{
	if (!text_eq(source, destination))
		return OUTCOME_DONE;
	err_set(err, RC_REFUSED, "source and destination are the same cluster (%s)", source);
	err_hint(err, "bootstrap.servers of the link (local.bootstrap.servers with link.mode=SOURCE) must lead to the source, "
		 "those of krmirror.properties to the destination");
	return OUTCOME_REFUSED;
}

/* With link.mode=SOURCE the link's own keys are the destination's, and must mean the one that all is recorded at. */
enum outcome link_check_destination(struct session *session, const struct link_conf *conf, struct err *err)
{
	struct secret_rules rules = conf_secret_rules(session->conf);
	const char *ours = cluster_id(session->destination);
	enum outcome outcome = OUTCOME_DONE;
	struct client_conf client = { 0 };
	char *id = NULL;

	if (client_conf_read(&client, &conf->props, err) != RC_OK)
		outcome = OUTCOME_USAGE;
	else if (client.n_bootstrap > 0 && client_conf_secure(&client, &conf->props, &rules, err) != RC_OK)
		outcome = OUTCOME_USAGE;
	else if (client.n_bootstrap > 0)
		outcome = session_probe(session, &client, SIDE_DESTINATION, &id, err);
	if (id != NULL && strcmp(id, ours) != 0) {
		err_set(err, RC_REFUSED, "bootstrap.servers of this link, which has link.mode=SOURCE, lead to cluster %s; the "
			"destination of krmirror.properties is %s", id, ours);
		err_hint(err, "krmirror keeps links at the destination: -c or --bootstrap-server must lead there; where the "
			 "source is, say with --source-bootstrap-server or local.bootstrap.servers");
		outcome = OUTCOME_REFUSED;
	}
	xfree(id);
	client_conf_fini(&client);
	return outcome;
}

static enum outcome identify(struct session *session, const struct identifying *in, struct link_wish *wish,
			     struct err *err)
{
	const struct link_create_opts *opts = in->opts;
	struct secret_rules rules = conf_secret_rules(session->conf);
	enum outcome outcome = OUTCOME_DONE;
	bool asks = !opts->no_validate;

	if (asks && link_conf_secure(in->conf, &rules, err) != RC_OK) {
		if (!link_leave_to_worker(session, in->conf, err))
			return OUTCOME_USAGE;
		in->info->left_to_worker = true;
		asks = false;
	}
	if (asks && in->conf->mode == LINK_MODE_SOURCE)
		outcome = link_check_destination(session, in->conf, err);
	if (outcome != OUTCOME_DONE)
		return outcome;
	if (!asks || in->conf->inbound)
		record_set(&wish->source_cluster_id, opts->source_cluster_id);
	else
		outcome = dial_both(session, in, &wish->source_cluster_id, err);
	if (outcome != OUTCOME_DONE)
		return outcome;
	if (opts->source_cluster_id != NULL && strcmp(opts->source_cluster_id, wish->source_cluster_id) != 0) {
		err_set(err, RC_REFUSED, "the source is cluster %s, not %s", wish->source_cluster_id,
			opts->source_cluster_id);
		return OUTCOME_REFUSED;
	}
	record_set(&wish->destination_cluster_id, cluster_id(session->destination));
	return link_check_apart(wish->source_cluster_id, wish->destination_cluster_id, err);
}

/* Workers that have the key will not use a link that was made without it. */
static void note_unsigned(struct session *session, const struct link_wish *wish)
{
	const struct control_record *r = NULL;

	while (wish->key_id == NULL && (r = control_log_next(session->log, RECORD_LINK, r)) != NULL)
		if (json_is_string(json_object_get(r->value, "mac"))) {
			notes_add(&session->notes, "other links are signed, this one is not: workers with secret.key.file will "
				  "not use it; set it here too");
			return;
		}
}

static void new_id(char **id)
{
	char text[UUID_TEXT_LEN + 1];
	struct uuid uuid;

	random_bytes(uuid.b, sizeof(uuid.b));
	uuid_text(&uuid, text);
	record_set(id, text);
}

enum outcome link_create(struct session *session, const struct link_create_opts *opts, struct arena *arena,
			 struct link_info *info, struct err *err)
{
	struct link_conf conf = { 0 };
	struct creating creating = { .dry_run = opts->dry_run, .conf = &conf, .key = session->conf->secret_key };
	struct identifying identifying = { opts, &conf, arena, info };
	enum outcome outcome;

	if (!link_name_valid(opts->name)) {
		err_set(err, RC_USAGE, "\"%s\" is no name for a link", opts->name);
		err_hint(err, "1 to 100 letters, digits, dots, underscores and hyphens");
		return OUTCOME_USAGE;
	}
	outcome = link_conf_read(&conf, opts->config, &session->notes, err) == RC_OK &&
		  seal_check(opts->config, session->conf->secret_key, err) == RC_OK ? OUTCOME_DONE : OUTCOME_USAGE;
	link_wish_init(&creating.wish, opts->name);
	if (outcome == OUTCOME_DONE)
		outcome = identify(session, &identifying, &creating.wish, err);
	if (outcome == OUTCOME_DONE) {
		new_id(&creating.wish.link_id);
		creating.wish.paused = creating.paused = conf.paused;
		creating.wish.created_ms = clock_wall_ms();
		link_seal(&creating.wish, &conf.props, session->conf->secret_key);
		note_unsigned(session, &creating.wish);
		outcome = control_log_update(session->log, create_decide, &creating, session->deadline_ns, NULL, err);
	}
	if (outcome == OUTCOME_DONE)
		*info = (struct link_info){
			.link_name = arena_strdup(arena, opts->name),
			.link_id = arena_strdup(arena, creating.wish.link_id),
			.source_cluster = arena_strdup(arena, creating.wish.source_cluster_id),
			.destination_cluster = arena_strdup(arena, creating.wish.destination_cluster_id),
			.state = link_state_name(creating.wish.paused ? LINK_PAUSED : LINK_ACTIVE),
			.paused = creating.wish.paused, .inbound = conf.inbound,
			.last_contact_ms = -1,
			.source_brokers = info->source_brokers, .n_source_brokers = info->n_source_brokers,
			.destination_brokers = info->destination_brokers,
			.n_destination_brokers = info->n_destination_brokers,
			.left_to_worker = info->left_to_worker,
		};
	link_wish_fini(&creating.wish);
	link_conf_fini(&conf);
	return outcome;
}

/* --- pause and resume ---------------------------------------------------------------------------------------- */

struct pausing {
	const char *name;
	bool paused;
};

static enum outcome pause_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct pausing *pausing = arg;
	struct link_wish wish;

	if (control_log_link(log, pausing->name, &wish, err) != RC_OK) {
		link_wish_fini(&wish);
		return OUTCOME_FAILED;
	}
	if (wish.paused != pausing->paused) {
		wish.paused = pausing->paused;
		if (wish.at >= 0)
			control_batch_pause(batch, wish.name, wish.paused);   /* its record is not for another place */
		else
			control_batch_link(batch, &wish, NULL);
	}
	link_wish_fini(&wish);
	return OUTCOME_DONE;
}

enum outcome link_pause(struct session *session, const char *name, bool *changed, struct err *err)
{
	struct pausing pausing = { name, true };

	return control_log_update(session->log, pause_decide, &pausing, session->deadline_ns, changed, err);
}

enum outcome link_resume(struct session *session, const char *name, bool *changed, struct err *err)
{
	struct pausing pausing = { name, false };

	return control_log_update(session->log, pause_decide, &pausing, session->deadline_ns, changed, err);
}

/* --- delete -------------------------------------------------------------------------------------------------- */

static bool is_stopped(const struct control_log *log, const struct control_record *mirror)
{
	struct mirror_state state;
	struct err unused;
	bool stopped = control_log_mirror_state(log, mirror->name, mirror->topic, &state, &unused) == RC_OK &&
		       state.status == MIRROR_STOPPED;

	mirror_state_fini(&state);
	return stopped;
}

static enum outcome delete_allowed(const struct control_log *log, const char *name, struct err *err)
{
	const struct control_record *r = NULL;
	char *key = record_key_link(name);
	bool exists = control_log_get(log, key) != NULL;

	xfree(key);
	if (!exists) {
		err_set(err, RC_NOT_FOUND, "there is no link %s", name);
		err_hint(err, "`krmirror link list` shows the links");
		return OUTCOME_FAILED;
	}
	while ((r = control_log_next(log, RECORD_MIRROR, r)) != NULL)
		if (strcmp(r->name, name) == 0 && !is_stopped(log, r)) {
			err_set(err, RC_REFUSED, "link %s has a mirror that is not STOPPED: %s", name, r->topic);
			err_hint(err, "promote its mirrors first: krmirror promote --all --link %s --wait", name);
			return OUTCOME_REFUSED;
		}
	return OUTCOME_DONE;
}

static void remove_all(const struct control_log *log, struct control_batch *batch, const char *name,
		       enum record_kind kind)
{
	const struct control_record *r = NULL;

	while ((r = control_log_next(log, kind, r)) != NULL)
		if (strcmp(r->name, name) == 0)
			control_batch_remove(batch, r->key);
}

static enum outcome delete_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const char *name = arg;
	enum outcome outcome = delete_allowed(log, name, err);

	if (outcome != OUTCOME_DONE)
		return outcome;
	remove_all(log, batch, name, RECORD_LINK);
	remove_all(log, batch, name, RECORD_PAUSE);
	remove_all(log, batch, name, RECORD_MIRROR);
	remove_all(log, batch, name, RECORD_LINK_STATE);
	remove_all(log, batch, name, RECORD_MIRROR_STATE);
	remove_all(log, batch, name, RECORD_SYNC);
	return OUTCOME_DONE;
}

enum outcome link_delete_check(struct session *session, const char *name, struct err *err)
{
	return delete_allowed(session->log, name, err);
}

enum outcome link_delete(struct session *session, const char *name, struct err *err)
{
	char *copy = xstrdup(name);
	enum outcome outcome = control_log_update(session->log, delete_decide, copy, session->deadline_ns, NULL, err);

	xfree(copy);
	if (outcome == OUTCOME_DONE)
		session_source_drop(session, name);
	return outcome;
}
