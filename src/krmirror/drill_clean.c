/* SPDX-License-Identifier: Apache-2.0 */
/* What a drill leaves behind: records of the control log, topics on both sides, groups on both sides. It is found by its
 * names; there is no other list that could be lost. First the record, then the mirror, the source topic last: whatever
 * is left when this is cut short is found again. */
#include "krmirror/drill.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin_groups.h"
#include "control/mirrors.h"

#include <string.h>

enum { AGAIN_MS = 300, LOOK_MS = 50, SETTLE_MS = 10000 };

struct sweep {
	struct drill *d;
	bool own;                    /* this drill's, else those of dead ones */
	int removed;
	enum outcome worst;
	struct err *err;             /* of the first failure */
};

static bool wanted(const struct sweep *s, const char *name)
{
	const struct drill_owner *self = &s->d->owner;
	struct drill_owner o;

	if (!drill_name_parse(name, &o) || o.link != self->link)
		return false;
	if (s->own)
		return o.host == self->host && o.pid == self->pid && o.ticks == self->ticks && o.until_s == self->until_s;
	return !drill_owner_lives(&o, self, clock_wall_ms() / 1000);
}

static void took(struct sweep *s, enum outcome outcome, const struct err *err)
{
	if (outcome == OUTCOME_DONE) {
		s->removed++;
		return;
	}
	if (s->worst == OUTCOME_DONE)
		*s->err = *err;
	s->worst = outcome_worse(s->worst, outcome);
}

static enum outcome of_rc(int rc, const struct err *err, enum side side)
{
	return rc == RC_OK || rc == RC_NOT_FOUND ? OUTCOME_DONE : outcome_of(err, side);
}

static void sweep_mirrors(struct sweep *s)
{
	const struct control_log *log = s->d->session->log;
	const struct control_record *r = NULL;
	char **names = NULL;
	int n = 0;

	while ((r = control_log_next(log, RECORD_MIRROR, r)) != NULL)
		if (strcmp(r->name, s->d->plan.link) == 0 && wanted(s, r->topic)) {
			names = xrealloc(names, (size_t)n + 1, sizeof(*names));
			names[n++] = xstrdup(r->topic);
		}
	for (int i = 0; i < n; i++) {
		struct err err = { 0 };

		took(s, mirror_remove(s->d->session, s->d->plan.link, names[i], &err), &err);
		xfree(names[i]);
	}
	xfree(names);
}

/* What was just made may not be listed yet; the controller knows it. */
static void delete_own(struct sweep *s, struct cluster *cluster, enum side side)
{
	char *const *names = side == SIDE_SOURCE ? s->d->topics : s->d->mirrors;

	for (int64_t t = 0; t < s->d->plan.topics; t++) {
		struct err err = { 0 };
		int rc = admin_delete_topic(cluster, names[t], s->d->session->deadline_ns, &err);

		if (rc != RC_NOT_FOUND)
			took(s, of_rc(rc, &err, side), &err);
	}
}

/* How many are there; -1: it was not told. first: they are deleted. */
static int topics_once(struct sweep *s, struct cluster *cluster, enum side side, bool first)
{
	int64_t deadline = s->d->session->deadline_ns;
	struct admin_topic *topics = NULL;
	struct err err = { 0 };
	int n = 0, found = 0;

	if (admin_all_topics(cluster, deadline, &s->d->cli->arena, &topics, &n, &err) != RC_OK) {
		took(s, outcome_of(&err, side), &err);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		if (!wanted(s, topics[i].name))
			continue;
		found++;
		if (first)
			took(s, of_rc(admin_delete_topic(cluster, topics[i].name, deadline, &err), &err, side), &err);
	}
	return found;
}

/* Metadata lags behind deletion: gone is what nobody is told of any more. */
static void sweep_topics(struct sweep *s, struct cluster *cluster, enum side side)
{
	int64_t until = MIN(s->d->session->deadline_ns, clock_mono_ns() + SETTLE_MS * NS_PER_MS);
	int found;

	if (s->own && s->d->made)
		delete_own(s, cluster, side);
	found = topics_once(s, cluster, side, true);

	while (found > 0 && clock_mono_ns() + LOOK_MS * NS_PER_MS < until) {
		loop_wait_until(s->d->session->loop, clock_mono_ns() + LOOK_MS * NS_PER_MS);
		found = topics_once(s, cluster, side, false);
	}
}

static void sweep_groups(struct sweep *s, struct cluster *cluster, enum side side)
{
	int64_t deadline = s->d->session->deadline_ns;
	struct admin_listed_groups groups = { 0 };
	struct err err = { 0 };
	int64_t until = MIN(deadline, clock_mono_ns() + SETTLE_MS * NS_PER_MS);
	int rc;

	/* Coordinators take their time after a broker has come back; one that stays away is left to the next drill. */
	while (((rc = admin_list_groups(cluster, deadline, &s->d->cli->arena, &groups, &err)) != RC_OK || !groups.complete) &&
	       rc != RC_AUTH && clock_mono_ns() + AGAIN_MS * NS_PER_MS < until)
		loop_wait_until(s->d->session->loop, clock_mono_ns() + AGAIN_MS * NS_PER_MS);
	if (rc != RC_OK) {
		took(s, outcome_of(&err, side), &err);
		return;
	}
	for (int i = 0; i < groups.n; i++)
		if (wanted(s, groups.items[i].id)) {
			rc = admin_delete_group(cluster, groups.items[i].id, deadline, &err);

			took(s, of_rc(rc, &err, side), &err);
		}
}

static enum outcome sweep(struct drill *d, bool own, struct err *err)
{
	struct sweep s = { .d = d, .own = own, .worst = OUTCOME_DONE, .err = err };
	enum outcome outcome = control_log_poll(d->session->log, 0, d->session->deadline_ns, NULL, err);

	if (outcome != OUTCOME_DONE)
		return outcome;
	sweep_mirrors(&s);
	sweep_topics(&s, d->session->destination, SIDE_DESTINATION);
	sweep_groups(&s, d->session->destination, SIDE_DESTINATION);
	if (d->source != NULL) {
		sweep_groups(&s, d->source, SIDE_SOURCE);
		sweep_topics(&s, d->source, SIDE_SOURCE);
	}
	drill_detail(d, "%d canaries%s removed%s", s.removed, own ? "" : " of drills that did not end",
		     d->source == NULL ? "; the source was not reached, the next drill looks there" : "");
	return s.worst;
}

enum outcome drill_clean(struct drill *d, struct err *err)
{
	return sweep(d, false, err);
}

enum outcome drill_clean_own(struct drill *d, struct err *err)
{
	writer_destroy(d->writer);
	d->writer = NULL;
	return sweep(d, true, err);
}
