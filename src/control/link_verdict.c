/* SPDX-License-Identifier: Apache-2.0 */
/* What workers make of a link that was recorded without asking its source from here. */
#include "control/links.h"

#include "base/clock.h"

#include <string.h>

enum { VERDICT_MS = 5000, POLL_MS = 100, REMOVE_MS = 10000 };

static bool dials(struct session *session, const char *name)
{
	struct link_wish wish;
	struct err unused;
	bool dials = control_log_link(session->log, name, &wish, &unused) == RC_OK && !link_wish_inbound(&wish);

	link_wish_fini(&wish);
	return dials;
}

bool link_leave_to_worker(struct session *session, const struct link_conf *conf, struct err *err)
{
	char hint[sizeof(err->hint)];
	struct err unused;
	int n = 0;

	/* The INBOUND half of a pair could not be given back. */
	if (!conf->source.elsewhere || conf->mode == LINK_MODE_SOURCE)
		return false;
	if (session_workers(session, &n, &unused) == OUTCOME_DONE && n > 0) {
		*err = (struct err){ 0 };
		return true;
	}
	snprintf(hint, sizeof(hint), "%s", err->hint);
	err_hint(err, "%s%sno worker runs that could look at it on its host (krmirrord(8)); --no-validate records it unread",
		 hint, hint[0] != '\0' ? "; " : "");
	return false;
}

/* The record was read, and, where the source is to be dialled, it has answered or failed to. */
static bool is_judged(struct session *session, const char *name, bool *usable, struct err *err)
{
	int64_t offset = control_log_link_offset(session->log, name);
	struct link_state state;
	struct err unused;
	bool judged = control_log_link_state(session->log, name, &state, &unused) == RC_OK && offset >= 0 &&
		      state.seen >= offset && (state.state != LINK_ACTIVE || state.error != NULL ||
					       state.last_contact_ms > 0 || !dials(session, name));

	*usable = !judged || (state.state != LINK_FAILED && state.error == NULL);
	if (!*usable)
		err_set(err, RC_USAGE, "%s: %s", state.error != NULL ? state.error : "FAILED",
			state.error_message != NULL ? state.error_message : "");
	link_state_fini(&state);
	return judged;
}

static bool wait_judged(struct session *session, const char *name, int64_t until, bool *usable, struct err *err)
{
	struct err unused;
	bool judged;

	*usable = true;
	do
		judged = is_judged(session, name, usable, err);
	while (!judged && clock_mono_ns() < until &&
	       control_log_poll(session->log, POLL_MS, until, NULL, &unused) == OUTCOME_DONE);
	return judged;
}

enum outcome link_verdict(struct session *session, const char *name, bool *judged, struct err *err)
{
	int64_t until = MIN(session->deadline_ns, clock_mono_ns() + VERDICT_MS * NS_PER_MS);
	bool usable;

	*judged = wait_judged(session, name, until, &usable, err);
	return usable ? OUTCOME_DONE : OUTCOME_FAILED;
}

/* As if the worker's word had been found from here. */
static enum outcome outcome_of_word(const struct control_log *log, const char *name)
{
	struct link_state state;
	struct err unused;
	bool unreachable = control_log_link_state(log, name, &state, &unused) == RC_OK && state.error != NULL &&
			   strcmp(state.error, "SOURCE_UNAVAILABLE") == 0;

	link_state_fini(&state);
	return unreachable ? OUTCOME_SOURCE_UNREACHABLE : OUTCOME_USAGE;
}

/* The leader records it a moment after the source has answered; NULL: not yet. */
static const char *wait_source(struct session *session, const char *name, struct arena *arena)
{
	int64_t until = MIN(session->deadline_ns, clock_mono_ns() + VERDICT_MS * NS_PER_MS);
	const char *id = NULL;
	struct link_wish wish;
	struct err unused;

	do {
		if (control_log_link(session->log, name, &wish, &unused) == RC_OK)
			id = arena_strdup(arena, wish.source_cluster_id);
		link_wish_fini(&wish);
	} while (id == NULL && clock_mono_ns() < until &&
		 control_log_poll(session->log, POLL_MS, until, NULL, &unused) == OUTCOME_DONE);
	return id;
}

enum outcome link_await_worker(struct session *session, const char *name, struct arena *arena, const char **source_cluster,
			       struct err *err)
{
	enum outcome outcome = OUTCOME_DONE;
	struct err unused;
	bool usable;

	*source_cluster = NULL;
	if (!wait_judged(session, name, session->deadline_ns, &usable, err)) {
		err_set(err, RC_TIMEOUT, "no worker has said in time what it makes of link %s; it is recorded", name);
		err_hint(err, "`krmirror link describe %s` tells later, `krmirror link delete %s` takes it back", name, name);
		return OUTCOME_TIMED_OUT;
	}
	if (!usable) {
		outcome = outcome_of_word(session->log, name);
		err_wrap(err, "a worker, which was asked because this host lacks what the link refers to, cannot use it");
		session->deadline_ns = MAX(session->deadline_ns, clock_mono_ns() + REMOVE_MS * NS_PER_MS);
		if (link_delete(session, name, &unused) != OUTCOME_DONE)
			err_hint(err, "link %s is recorded, and could not be removed again: %s", name, unused.text);
		return outcome;
	}
	*source_cluster = wait_source(session, name, arena);
	return outcome;
}
