/* SPDX-License-Identifier: Apache-2.0 */
/* mirror create.
 *
 * Happy path: the source topic is described; the destination has no such topic; the intention is recorded (with the
 * settings and identities); the topic is made and guarded; that it is made is recorded, with its id. Workers begin then.
 *
 * Failure modes:
 *  - killed after the intention: run again, it goes on from there. A topic that exists now and did not then is ours, if
 *    it is empty and has as many partitions;
 *  - the topic cannot be made: the intention is taken back;
 *  - two at once: both may get to the last record, one of them writes it, the other changes nothing.
 *
 * With --adopt the topic is there: it is proven (mirror_adopt.c) before the intention, guarded after it, looked at again,
 * and gets its settings last. */
#include "control/mirror_create.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/guard.h"
#include "control/verbs.h"
#include "wire/msg/kerr_codes.h"

#include <string.h>

/* --- what is recorded already -------------------------------------------------------------------------------- */

static enum outcome refused(struct err *err, const char *hint)
{
	if (hint != NULL)
		err_hint(err, "%s", hint);
	return OUTCOME_REFUSED;
}

static enum outcome other_link(const struct control_log *log, const struct mirror_create_opts *opts, struct err *err)
{
	const struct control_record *r = NULL;

	while ((r = control_log_next(log, RECORD_MIRROR, r)) != NULL) {
		struct mirror_state state;
		bool live;

		if (strcmp(r->topic, opts->topic) != 0 || strcmp(r->name, opts->link) == 0)
			continue;
		live = control_log_mirror_state(log, r->name, r->topic, &state, err) != RC_OK ||
		       !mirror_is_stopped(&state);
		mirror_state_fini(&state);
		if (live) {
			err_set(err, RC_EXISTS, "topic %s is a mirror of link %s already", opts->topic, r->name);
			return refused(err, "a topic has one link; choose another name");
		}
	}
	return OUTCOME_DONE;
}

/* Looks for the mirror in the view: c->exists with c->wish filled, or not there, or refused. */
enum outcome creation_recorded(struct creation *c, const struct control_log *log, struct err *err)
{
	const struct mirror_create_opts *opts = c->opts;
	struct mirror_state state = { 0 };
	enum outcome outcome = OUTCOME_DONE;
	int rc;

	mirror_wish_fini(&c->wish);
	c->exists = false;
	rc = control_log_mirror(log, opts->link, opts->topic, &c->wish, err);
	if (rc == RC_NOT_FOUND)
		return other_link(log, opts, err);
	if (rc != RC_OK || control_log_mirror_state(log, opts->link, opts->topic, &state, err) != RC_OK) {
		outcome = OUTCOME_FAILED;
	} else if (mirror_is_stopped(&state)) {
		err_set(err, RC_EXISTS, "mirror %s of link %s is STOPPED: the topic is an ordinary one", opts->topic,
			opts->link);
		outcome = refused(err, "forget the mirror with `krmirror mirror delete`; then take it up again with --adopt, "
				  "or delete the topic to mirror it anew");
	} else if (strcmp(c->wish.source_topic, c->source_topic) != 0) {
		err_set(err, RC_EXISTS, "mirror %s of link %s has source topic %s, not %s", opts->topic, opts->link,
			c->wish.source_topic, c->source_topic);
		outcome = refused(err, NULL);
	} else if (!c->wish.created && (c->wish.own_settings != NULL) != (opts->adopt != NULL)) {
		err_set(err, RC_EXISTS, "mirror %s of link %s is being made %s --adopt", opts->topic, opts->link,
			opts->adopt != NULL ? "without" : "with");
		outcome = refused(err, "run it again the same way, or take it back with `krmirror mirror delete`");
	} else {
		c->exists = true;
	}
	mirror_state_fini(&state);
	return outcome;
}

/* --- asking -------------------------------------------------------------------------------------------------- */

enum outcome creation_names(struct creation *c, struct err *err)
{
	const struct mirror_create_opts *opts = c->opts;
	struct link_conf conf = { 0 };
	int rc = RC_OK;

	if (!topic_name_valid(opts->topic) || (opts->source_topic != NULL && !topic_name_valid(opts->source_topic)))
		rc = err_set(err, RC_USAGE, "\"%s\" is no name for a topic", opts->source_topic != NULL &&
			     !topic_name_valid(opts->source_topic) ? opts->source_topic : opts->topic);
	if (rc == RC_OK)
		rc = session_link_conf(c->session, opts->link, &conf, err);
	if (rc == RC_OK)
		rc = link_conf_source_topic(&conf, opts->topic, &c->source_topic, err);
	if (rc == RC_OK && opts->source_topic != NULL)
		record_set(&c->source_topic, opts->source_topic);
	c->heads.spec = conf.start;
	c->heads.fill_limit = conf.fill_limit;
	c->heads.fill_tombstones = conf.fill_tombstones;
	link_conf_fini(&conf);
	if (rc == RC_USAGE || rc == RC_REFUSED)
		return outcome_of(err, SIDE_DESTINATION);
	return rc == RC_OK ? OUTCOME_DONE : OUTCOME_FAILED;
}

static enum outcome ask_source(struct creation *c, struct admin_configs *configs, struct err *err)
{
	int64_t deadline = c->session->deadline_ns;
	enum outcome outcome = session_source(c->session, c->opts->link, deadline, &c->source, err);
	int rc;

	if (outcome != OUTCOME_DONE)
		return outcome;
	rc = admin_topic(c->source, c->source_topic, deadline, c->arena, &c->source_meta, err);
	if (rc == RC_NOT_FOUND)
		err_hint(err, "check the name (%s) and that krmirror's principal may DESCRIBE it", c->source_topic);
	if (rc == RC_OK && c->source_meta.internal)
		rc = err_set(err, RC_REFUSED, "source: %s is an internal topic of the cluster", c->source_topic);
	if (rc == RC_OK)
		rc = admin_describe_configs(c->source, c->source_topic, deadline, c->arena, configs, err);
	return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_SOURCE);
}

/* Where the partitions begin; recorded when it is chosen here and not by the source. */
static enum outcome plan_heads(struct creation *c, struct err *err)
{
	enum outcome outcome;

	c->heads.n = c->source_meta.n_partitions;
	c->heads.starts = arena_new(c->arena, int64_t, c->heads.n);
	outcome = mirror_heads_find(c->source, c->source_topic, &c->heads, c->session->deadline_ns, err);
	if (outcome == OUTCOME_DONE)
		c->start_offsets = mirror_heads_record(&c->heads);
	return outcome;
}

/* The mode of the link is not for every topic. */
static void tell_fill_mode(struct creation *c)
{
	const char *policy = json_string_value(json_object_get(c->settings.create, "cleanup.policy"));

	if (c->heads.fill_tombstones && (policy == NULL || strstr(policy, "compact") == NULL))
		notes_add(&c->session->notes, "%s is not compacted: mirror.fill.mode=tombstone does not count for it, and a "
			  "hole beyond mirror.fill.limit stops its partition", c->opts->topic);
}

enum outcome creation_known_settings(struct session *session, struct arena *arena, struct admin_configs *known,
				     struct err *err)
{
	int rc = admin_describe_configs(session->destination, session->conf->control_topic, session->deadline_ns, arena,
					known, err);

	return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

enum outcome creation_settings(struct creation *c, const struct admin_configs *source, const struct admin_configs *known,
			       struct err *err)
{
	struct settings_in in = { source, known, c->opts->config };

	if (settings_plan(&in, &c->settings, err) != RC_OK)
		return OUTCOME_USAGE;
	tell_fill_mode(c);
	return OUTCOME_DONE;
}

enum outcome creation_topic_there(const char *topic, struct err *err)
{
	err_set(err, RC_EXISTS, "destination: topic %s exists already", topic);
	return refused(err, "krmirror makes the topic itself; delete it if nobody needs it, or choose another name; --adopt "
		       "takes it over if it is a prefix of the source's");
}

/* Before the intention: nobody's topic may be there. */
static enum outcome must_be_absent(struct creation *c, struct err *err)
{
	struct admin_topic topic;
	int rc = admin_topic(c->session->destination, c->opts->topic, c->session->deadline_ns, c->arena, &topic, err);

	if (rc == RC_OK)
		return creation_topic_there(c->opts->topic, err);
	return rc == RC_NOT_FOUND ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

/* --- the intention ------------------------------------------------------------------------------------------- */

static void fill(struct creation *c, struct mirror_wish *wish)
{
	*wish = (struct mirror_wish){
		.link = xstrdup(c->opts->link), .topic = xstrdup(c->opts->topic),
		.source_topic = xstrdup(c->source_topic), .source_topic_id = c->source_meta.id,
		.n_partitions = c->source_meta.n_partitions, .wish = WISH_MIRROR, .wish_ms = -1,
		.created_ms = clock_wall_ms(), .replication_factor = c->opts->replication_factor,
		.start_offsets = json_incref(c->start_offsets),
		.settings = json_incref(c->settings.promotion), .create_settings = json_incref(c->settings.create),
		.given_settings = json_object_size(c->settings.given) > 0 ? json_incref(c->settings.given) : NULL,
		.own_settings = json_incref(c->adoption.own_settings),
	};
}

enum outcome creation_intend(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct creation *c = arg;
	char *link = record_key_link(c->opts->link), *state = record_key_mirror_state(c->opts->link, c->opts->topic);
	enum outcome outcome = creation_recorded(c, log, err);

	if (outcome == OUTCOME_DONE && !c->exists && control_log_get(log, link) == NULL) {
		err_set(err, RC_NOT_FOUND, "there is no link %s", c->opts->link);
		outcome = OUTCOME_FAILED;
	}
	if (outcome == OUTCOME_DONE && !c->exists && c->opts->by_task &&
	    mirror_is_forgotten(log, c->opts->link, c->opts->topic)) {
		err_set(err, RC_EXISTS, "the mirror %s was deleted; it is not made again by itself", c->opts->topic);
		outcome = refused(err, NULL);
	}
	if (outcome == OUTCOME_DONE && !c->exists &&
	    mirror_remember(log, batch, c->opts->link, c->opts->topic, err) != RC_OK)
		outcome = OUTCOME_FAILED;
	if (outcome == OUTCOME_DONE && !c->exists) {
		mirror_wish_fini(&c->wish);
		fill(c, &c->wish);
		control_batch_mirror(batch, &c->wish);
		if (control_log_get(log, state) != NULL)
			control_batch_remove(batch, state);
	}
	xfree(link);
	xfree(state);
	return outcome;
}

enum outcome creation_unintend(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct creation *c = arg;
	struct mirror_wish now;
	char *key = record_key_mirror(c->opts->link, c->opts->topic);

	if (control_log_mirror(log, c->opts->link, c->opts->topic, &now, err) == RC_OK && !now.created)
		control_batch_remove(batch, key);
	mirror_wish_fini(&now);
	xfree(key);
	return OUTCOME_DONE;
}

/* The reason for it stays the error that is told. */
static void unintend(struct creation *c)
{
	struct err unused;

	if (control_log_update(c->session->log, creation_unintend, c, c->session->deadline_ns, NULL, &unused) !=
	    OUTCOME_DONE)
		notes_add(&c->session->notes, "the intention to mirror %s stays recorded (%s); krmirror mirror delete %s",
			  c->opts->topic, unused.text, c->opts->topic);
}

/* --- the topic ----------------------------------------------------------------------------------------------- */

struct admin_new_topic creation_topic(struct creation *c)
{
	const json_t *settings = c->wish.create_settings != NULL ? c->wish.create_settings : c->settings.create;
	size_t n = json_object_size(settings), i = 0;
	struct admin_setting *list = arena_new(c->arena, struct admin_setting, n + 1);
	struct admin_new_topic topic = {
		.name = c->opts->topic, .n_partitions = c->source_meta.n_partitions,
		.replication_factor = c->opts->replication_factor, .settings = list, .n_settings = (int)n,
	};
	const char *key;
	json_t *value;

	if (c->wish.topic != NULL) {
		topic.n_partitions = c->wish.n_partitions;
		topic.replication_factor = c->wish.replication_factor;
	}
	json_object_foreach((json_t *)(uintptr_t)settings, key, value)
		list[i++] = (struct admin_setting){ key, json_string_value(value) };
	return topic;
}

static int make_topic(struct creation *c, bool validate_only, struct err *err)
{
	struct admin_new_topic topic = creation_topic(c);

	return admin_create_topic(c->session->destination, &topic, validate_only, c->session->deadline_ns, &c->destination_id,
				  err);
}

/* A topic that came after the intention: ours if nothing was written to it. */
enum outcome creation_take_over(struct creation *c, struct err *err)
{
	struct session *session = c->session;
	struct ends_of what = { c->opts->topic, c->wish.n_partitions, ADMIN_LATEST, ADMIN_LOG_END, 0 };
	int64_t *ends = arena_new(c->arena, int64_t, what.n);
	struct admin_topic topic;

	if (admin_topic(session->destination, c->opts->topic, session->deadline_ns, c->arena, &topic, err) != RC_OK)
		return outcome_of(err, SIDE_DESTINATION);
	if (topic.n_partitions != what.n)
		return creation_topic_there(c->opts->topic, err);
	if (topic_ends(session->destination, &what, session->deadline_ns, ends, err) != RC_OK)
		return outcome_of(err, SIDE_DESTINATION);
	for (int32_t i = 0; i < what.n; i++)
		if (ends[i] != 0)
			return creation_topic_there(c->opts->topic, err);
	c->destination_id = topic.id;
	return OUTCOME_DONE;
}

enum outcome creation_learn_id(struct creation *c, struct err *err)
{
	struct session *session = c->session;
	struct admin_topic topic;
	int rc;

	do
		rc = admin_topic(session->destination, c->opts->topic, session->deadline_ns, c->arena, &topic, err);
	while (rc == RC_NOT_FOUND && clock_mono_ns() < session->deadline_ns);
	if (rc != RC_OK)
		return outcome_of(err, SIDE_DESTINATION);
	c->destination_id = topic.id;
	return OUTCOME_DONE;
}

static enum outcome have_topic(struct creation *c, struct err *err)
{
	int rc = make_topic(c, false, err);
	enum outcome outcome;

	if (rc == RC_EXISTS)
		outcome = creation_take_over(c, err);
	else if (rc == RC_OK)
		outcome = uuid_is_zero(&c->destination_id) ? creation_learn_id(c, err) : OUTCOME_DONE;
	else
		outcome = outcome_of(err, SIDE_DESTINATION);
	/* What the cluster refused will be refused again; what is only not known may have been done. */
	if (rc == RC_KAFKA || rc == RC_AUTH || outcome == OUTCOME_REFUSED)
		unintend(c);
	/* Records in the topic: those of a worker, because another run recorded the creation meanwhile. */
	if (outcome == OUTCOME_REFUSED) {
		struct err unused;

		if (creation_recorded(c, c->session->log, &unused) == OUTCOME_DONE && c->exists && c->wish.created)
			return OUTCOME_DONE;
	}
	return outcome;
}

/* --- the end ------------------------------------------------------------------------------------------------- */

enum outcome creation_created(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct creation *c = arg;
	enum outcome outcome = creation_recorded(c, log, err);

	if (outcome == OUTCOME_DONE && !c->exists) {
		err_set(err, RC_NOT_FOUND, "the mirror %s was deleted while it was made", c->opts->topic);
		return OUTCOME_FAILED;
	}
	if (outcome != OUTCOME_DONE || c->wish.created)
		return outcome;
	c->wish.created = true;
	c->wish.destination_topic_id = c->destination_id;
	if (c->adoption.adopted_end != NULL) {
		json_decref(c->wish.adopted_end);
		json_decref(c->wish.producer_epochs);
		c->wish.adopted_end = json_incref(c->adoption.adopted_end);
		c->wish.producer_epochs = json_incref(c->adoption.producer_epochs);
	}
	control_batch_mirror(batch, &c->wish);
	return OUTCOME_DONE;
}

/* Somebody wrote to it: it stays as it was. */
static void give_back(struct creation *c)
{
	struct mirror_wish now;
	struct err unused;

	if (control_log_mirror(c->session->log, c->opts->link, c->opts->topic, &now, &unused) == RC_OK && !now.created) {
		if (adopt_undo(c->session, &now, &unused) == OUTCOME_DONE)
			unintend(c);
		else
			notes_add(&c->session->notes, "%s: what was changed stays (%s); krmirror mirror delete %s takes it "
				  "back", c->opts->topic, unused.text, c->opts->topic);
	}
	mirror_wish_fini(&now);
}

static void tell_guard(struct creation *c)
{
	struct mirror_wish now;
	struct err unused;

	if (control_log_mirror(c->session->log, c->opts->link, c->opts->topic, &now, &unused) == RC_OK && now.guard == NULL)
		notes_add(&c->session->notes, "%s: the destination has no authorizer that keeps others from writing to it; "
			  "what somebody writes is found at the next append", c->opts->topic);
	mirror_wish_fini(&now);
}

static enum outcome adopt(struct creation *c, bool *changed, struct err *err)
{
	struct control_log *log = c->session->log;
	int64_t deadline = c->session->deadline_ns;
	struct guard_of guard = { .link = c->opts->link, .topic = c->opts->topic, .again = true };
	enum outcome outcome = control_log_update(log, creation_intend, c, deadline, NULL, err);

	if (outcome != OUTCOME_DONE || c->wish.created)
		return outcome;
	outcome = guard_set(c->session, &guard, err);
	if (outcome == OUTCOME_DONE)
		outcome = adopt_still(&c->adoption, err);
	if (outcome == OUTCOME_DONE)
		outcome = adopt_settings(&c->adoption, c->wish.create_settings, err);
	if (outcome == OUTCOME_REFUSED)
		give_back(c);
	if (outcome != OUTCOME_DONE)
		return outcome;
	tell_guard(c);
	c->destination_id = c->adoption.destination_id;
	return control_log_update(log, creation_created, c, c->session->deadline_ns, changed, err);
}

/* The proof comes before anything is recorded or changed. */
static enum outcome prove(struct creation *c, struct err *err)
{
	c->adoption.session = c->session;
	c->adoption.source = c->source;
	c->adoption.link = c->opts->link;
	c->adoption.topic = c->opts->topic;
	c->adoption.source_topic = c->source_topic;
	c->adoption.n_source = c->source_meta.n_partitions;
	c->adoption.opts = c->opts->adopt;
	c->adoption.arena = c->arena;
	return adopt_prove(&c->adoption, c->exists ? c->wish.create_settings : c->settings.create, err);
}

static enum outcome carry_out(struct creation *c, bool *changed, struct err *err)
{
	struct control_log *log = c->session->log;
	int64_t deadline = c->session->deadline_ns;
	struct guard_of guard = { .link = c->opts->link, .topic = c->opts->topic, .fresh = true, .again = true };
	enum outcome outcome = control_log_update(log, creation_intend, c, deadline, NULL, err);

	if (outcome != OUTCOME_DONE || c->wish.created)
		return outcome;
	outcome = have_topic(c, err);
	if (outcome == OUTCOME_DONE)
		outcome = guard_set(c->session, &guard, err);
	if (outcome != OUTCOME_DONE)
		return outcome;
	return control_log_update(log, creation_created, c, deadline, changed, err);
}

static enum outcome plan(struct creation *c, struct err *err)
{
	struct admin_configs source, known;
	enum outcome outcome = creation_names(c, err);

	if (outcome == OUTCOME_DONE)
		outcome = creation_recorded(c, c->session->log, err);
	/* The same live mirror again: nothing to ask. */
	if (outcome != OUTCOME_DONE || (c->exists && c->wish.created))
		return outcome;
	outcome = ask_source(c, &source, err);
	if (outcome == OUTCOME_DONE)
		outcome = creation_known_settings(c->session, c->arena, &known, err);
	if (outcome == OUTCOME_DONE)
		outcome = creation_settings(c, &source, &known, err);
	if (outcome == OUTCOME_DONE && c->opts->adopt != NULL)
		return prove(c, err);
	if (outcome == OUTCOME_DONE)
		outcome = plan_heads(c, err);
	if (outcome == OUTCOME_DONE && !c->exists)
		outcome = must_be_absent(c, err);
	return outcome;
}

static enum outcome dry(struct creation *c, struct err *err)
{
	if (c->opts->adopt != NULL)
		return OUTCOME_DONE;
	mirror_heads_tell(&c->heads, &c->session->notes);
	if (make_topic(c, true, err) == RC_OK)
		return OUTCOME_DONE;
	return outcome_of(err, SIDE_DESTINATION);
}

static void tell(struct creation *c, struct mirror_created *created)
{
	struct err unused;
	int workers = 0;

	created->link_name = arena_strdup(c->arena, c->opts->link);
	created->mirror_topic_name = arena_strdup(c->arena, c->opts->topic);
	created->source_topic_name = arena_strdup(c->arena, c->source_topic);
	created->num_partition = c->wish.topic != NULL ? c->wish.n_partitions : c->source_meta.n_partitions;
	if (c->opts->adopt != NULL)
		created->adopted_end = json_incref(c->adoption.adopted_end != NULL ? c->adoption.adopted_end :
						   c->wish.adopted_end);
	if (!c->opts->by_task && session_workers(c->session, &workers, &unused) == OUTCOME_DONE)
		created->no_worker = workers == 0;
}

void creation_fini(struct creation *c)
{
	adopt_fini(&c->adoption);
	mirror_wish_fini(&c->wish);
	json_decref(c->start_offsets);
	json_decref(c->settings.create);
	json_decref(c->settings.promotion);
	json_decref(c->settings.given);
	xfree(c->source_topic);
}

enum outcome mirror_create_topic(struct session *session, const struct mirror_create_opts *opts, struct arena *arena,
				 struct mirror_created *created, struct err *err)
{
	struct creation c = { .session = session, .opts = opts, .arena = arena };
	enum outcome outcome;

	*created = (struct mirror_created){ 0 };
	outcome = plan(&c, err);
	if (outcome == OUTCOME_DONE && !(c.exists && c.wish.created))
		outcome = opts->dry_run ? dry(&c, err) : opts->adopt != NULL ? adopt(&c, &created->changed, err) :
			  carry_out(&c, &created->changed, err);
	if (outcome == OUTCOME_DONE)
		tell(&c, created);
	creation_fini(&c);
	return outcome;
}
