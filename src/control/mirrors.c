/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of mirrors that are one decision on the control log: pause, resume, delete. Creation is in
 * mirror_create.c. */
#include "control/mirrors.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/guard.h"
#include "control/mirror_adopt.h"
#include "control/verbs.h"

#include <string.h>

enum verb { VERB_PAUSE, VERB_RESUME, VERB_DELETE };

struct change {
	const char *link, *topic;
	enum verb verb;
};

bool mirror_is_stopped(const struct mirror_state *state)
{
	return state->status == MIRROR_STOPPED;
}

static enum outcome finished(const struct change *change, const struct mirror_state *state, struct err *err)
{
	err_set(err, RC_REFUSED, "mirror %s of link %s is STOPPED (%s): the topic is an ordinary one", change->topic,
		change->link, state->stopped_how == NULL ? "stopped" : state->stopped_how);
	err_hint(err, "`krmirror mirror delete %s` forgets the mirror; the topic stays", change->topic);
	return OUTCOME_REFUSED;
}

static bool has_failures(const struct mirror_state *state)
{
	for (int i = 0; i < state->n_partitions; i++)
		if (state->partitions[i].reason != NULL || strcmp(state->partitions[i].state, "FAILED") == 0)
			return true;
	return false;
}

static enum outcome pause_or_resume(const struct change *change, struct mirror_wish *wish,
				    const struct mirror_state *state, struct control_batch *batch, struct err *err)
{
	bool pause = change->verb == VERB_PAUSE;

	if (mirror_is_stopped(state))
		return finished(change, state, err);
	if (wish->wish != WISH_MIRROR) {
		err_set(err, RC_REFUSED, "mirror %s of link %s is being %s", change->topic, change->link,
			wish->wish == WISH_FAILOVER ? "failed over" : "promoted");
		err_hint(err, "`krmirror mirror describe %s` shows how far it is", change->topic);
		return OUTCOME_REFUSED;
	}
	if (wish->paused == pause && (pause || !has_failures(state)))
		return OUTCOME_DONE;
	wish->paused = pause;
	if (!pause)
		wish->resumes++;
	control_batch_mirror(batch, wish);
	return OUTCOME_DONE;
}

static enum outcome delete_allowed(const struct change *change, const struct mirror_wish *wish,
				   const struct mirror_state *state, struct err *err)
{
	/* An intention whose topic was never made is nothing to protect. */
	if (!wish->created || mirror_is_stopped(state))
		return OUTCOME_DONE;
	err_set(err, RC_REFUSED, "mirror %s of link %s is %s, not STOPPED", change->topic, change->link,
		mirror_status_name(state->status));
	err_hint(err, "promote it first, or, without its source, fail it over: krmirror promote %s --link %s --wait",
		 change->topic, change->link);
	return OUTCOME_REFUSED;
}

static int change_forgotten(const struct control_log *log, struct control_batch *batch, const struct change *change,
			    bool forgotten, struct err *err)
{
	struct sync_record sync;
	int rc = control_log_sync(log, change->link, &sync, err);
	bool is = rc == RC_OK && json_object_get(sync.forgotten, change->topic) != NULL;

	if (rc == RC_OK && is != forgotten) {
		/* what was read belongs to the view */
		json_t *now = sync.forgotten != NULL ? json_copy(sync.forgotten) : json_object();

		if (forgotten)
			json_object_set_new(now, change->topic, json_integer(clock_wall_ms()));
		else
			json_object_del(now, change->topic);
		json_decref(sync.forgotten);
		sync.forgotten = now;
		control_batch_sync(batch, &sync);
	}
	sync_record_fini(&sync);
	return rc;
}

int mirror_remember(const struct control_log *log, struct control_batch *batch, const char *link, const char *topic,
		    struct err *err)
{
	struct change change = { .link = link, .topic = topic };

	return change_forgotten(log, batch, &change, false, err);
}

bool mirror_is_forgotten(const struct control_log *log, const char *link, const char *topic)
{
	struct sync_record sync;
	struct err unused;
	bool is = control_log_sync(log, link, &sync, &unused) == RC_OK && json_object_get(sync.forgotten, topic) != NULL;

	sync_record_fini(&sync);
	return is;
}

static void delete_records(const struct control_log *log, const struct change *change, struct control_batch *batch)
{
	char *wish = record_key_mirror(change->link, change->topic);
	char *state = record_key_mirror_state(change->link, change->topic);

	control_batch_remove(batch, wish);
	if (control_log_get(log, state) != NULL)
		control_batch_remove(batch, state);
	xfree(wish);
	xfree(state);
}

static enum outcome decide_on(const struct control_log *log, const struct change *change, struct mirror_wish *wish,
			      const struct mirror_state *state, struct control_batch *batch, struct err *err)
{
	enum outcome outcome;

	if (change->verb != VERB_DELETE)
		return pause_or_resume(change, wish, state, batch, err);
	outcome = delete_allowed(change, wish, state, err);
	if (outcome == OUTCOME_DONE && batch != NULL)
		delete_records(log, change, batch);
	if (outcome == OUTCOME_DONE && batch != NULL && change_forgotten(log, batch, change, true, err) != RC_OK)
		return OUTCOME_FAILED;
	return outcome;
}

static enum outcome decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct change *change = arg;
	struct mirror_wish wish = { 0 };
	struct mirror_state state = { 0 };
	enum outcome outcome = OUTCOME_FAILED;

	if (control_log_mirror(log, change->link, change->topic, &wish, err) == RC_OK &&
	    control_log_mirror_state(log, change->link, change->topic, &state, err) == RC_OK)
		outcome = decide_on(log, change, &wish, &state, batch, err);
	mirror_wish_fini(&wish);
	mirror_state_fini(&state);
	return outcome;
}

/* A creation that was cut short may have left ACLs of the guard, and an adopted topic the settings of a mirror. */
static enum outcome lift(struct session *session, const struct change *change, struct err *err)
{
	struct mirror_wish wish = { 0 };
	enum outcome outcome = OUTCOME_DONE;

	if (control_log_mirror(session->log, change->link, change->topic, &wish, err) == RC_OK && !wish.created)
		outcome = adopt_undo(session, &wish, err);
	mirror_wish_fini(&wish);
	return outcome;
}

static enum outcome carry_out(struct session *session, struct change *change, bool *changed, struct err *err)
{
	char *link;
	enum outcome outcome = session_resolve(session, change->link, change->topic, &link, err);

	if (outcome != OUTCOME_DONE)
		return outcome;
	change->link = link;
	if (change->verb == VERB_DELETE)
		outcome = lift(session, change, err);
	if (outcome == OUTCOME_DONE)
		outcome = control_log_update(session->log, decide, change, session->deadline_ns, changed, err);
	xfree(link);
	return outcome;
}

enum outcome mirror_pause(struct session *session, const char *link, const char *topic, bool *changed,
			  struct err *err)
{
	struct change change = { link, topic, VERB_PAUSE };

	return carry_out(session, &change, changed, err);
}

enum outcome mirror_resume(struct session *session, const char *link, const char *topic, bool *changed,
			   struct err *err)
{
	struct change change = { link, topic, VERB_RESUME };

	return carry_out(session, &change, changed, err);
}

enum outcome mirror_delete(struct session *session, const char *link, const char *topic, struct err *err)
{
	struct change change = { link, topic, VERB_DELETE };

	return carry_out(session, &change, NULL, err);
}

static enum outcome forget_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct change *change = arg;
	char *wish = record_key_mirror(change->link, change->topic);

	(void)err;
	if (control_log_get(log, wish) != NULL)
		delete_records(log, change, batch);
	xfree(wish);
	return OUTCOME_DONE;
}

enum outcome mirror_remove(struct session *session, const char *link, const char *topic, struct err *err)
{
	struct change change = { link, topic, VERB_DELETE };
	struct mirror_wish wish = { 0 };
	enum outcome outcome = OUTCOME_DONE;

	if (control_log_mirror(session->log, link, topic, &wish, err) == RC_OK)
		outcome = guard_lift(session, &wish, err);
	mirror_wish_fini(&wish);
	if (outcome != OUTCOME_DONE)
		return outcome;
	return control_log_update(session->log, forget_decide, &change, session->deadline_ns, NULL, err);
}

enum outcome mirror_delete_check(struct session *session, const char *link, const char *topic, struct err *err)
{
	struct change change = { link, topic, VERB_DELETE };
	char *found;
	enum outcome outcome = session_resolve(session, link, topic, &found, err);

	if (outcome != OUTCOME_DONE)
		return outcome;
	change.link = found;
	outcome = decide(session->log, NULL, &change, err);
	xfree(found);
	return outcome;
}

enum outcome mirror_source_topic(struct session *session, const char *link, const char *topic, char **source_topic,
				 struct err *err)
{
	struct link_conf conf;
	int rc = session_link_conf(session, link, &conf, err);

	*source_topic = NULL;
	if (rc == RC_OK)
		rc = link_conf_source_topic(&conf, topic, source_topic, err);
	link_conf_fini(&conf);
	return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}
