/* SPDX-License-Identifier: Apache-2.0 */
/* Many mirrors at once: the steps of mirror_create.c, each for all that got so far.
 *
 * Happy path: source topics, their settings and starts, and the destination's topics are asked for, a request each; the
 * intentions are one append; CreateTopics is one request; the guards are set in step; that all are made is one append.
 *
 * Failure modes:
 *  - one cannot be made: it falls out with its error, its intention is taken back, the others go on;
 *  - what a request says of all (the controller finds it too large, an ACL of one guard is refused): each is tried alone;
 *  - killed anywhere: each mirror stands where a creation of its own could have been killed. */
#include "control/mirror_create.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/guard.h"
#include "control/verbs.h"
#include "wire/msg/kerr_codes.h"

#include <string.h>

/* For what of the source is slow, so that the others get on. */
enum { HEADS_MS = 2000 };

struct many {
	struct session *session;
	const char *link;
	struct mirror_new *news;
	struct creation *all;
	struct mirror_create_opts *opts;
	int n;
	struct arena *arena;
	control_decide_fn *decide;   /* of the append that is under way */
	bool *deciding;              /* who takes part in it */
};

static bool open(const struct many *m, int i)
{
	return m->news[i].outcome == OUTCOME_DONE && !m->all[i].wish.created;
}

static int n_open(const struct many *m)
{
	int n = 0;

	for (int i = 0; i < m->n; i++)
		n += open(m, i);
	return n;
}

static void fail(struct many *m, int i, enum outcome outcome, const struct err *err)
{
	m->news[i].outcome = outcome;
	m->news[i].err = *err;
}

static void fail_all(struct many *m, enum outcome outcome, const struct err *err)
{
	for (int i = 0; i < m->n; i++)
		if (open(m, i))
			fail(m, i, outcome, err);
}

/* ---- asking ---- */

static void begin(struct many *m)
{
	for (int i = 0; i < m->n; i++) {
		struct mirror_new *new = &m->news[i];
		struct creation *c = &m->all[i];

		new->changed = false;
		m->opts[i] = (struct mirror_create_opts){ .topic = new->topic, .link = m->link,
							  .source_topic = new->source_topic, .replication_factor = -1,
							  .by_task = true };
		*c = (struct creation){ .session = m->session, .opts = &m->opts[i], .arena = m->arena };
		new->outcome = creation_names(c, &new->err);
		if (new->outcome == OUTCOME_DONE)
			new->outcome = creation_recorded(c, m->session->log, &new->err);
	}
}

/* The names of those that are open. */
static const char **names_of(const struct many *m, bool source)
{
	const char **names = arena_new(m->arena, const char *, m->n + 1);

	for (int i = 0, at = 0; i < m->n; i++)
		if (open(m, i))
			names[at++] = source ? m->all[i].source_topic : m->opts[i].topic;
	return names;
}

static void describe_source(struct many *m, struct cluster *source)
{
	struct admin_topic *topics;
	struct err err;
	int at = 0;

	if (admin_topics(source, names_of(m, true), n_open(m), m->session->deadline_ns, m->arena, &topics, &err) != RC_OK) {
		fail_all(m, outcome_of(&err, SIDE_SOURCE), &err);
		return;
	}
	for (int i = 0; i < m->n; i++) {
		struct creation *c = &m->all[i];

		if (!open(m, i))
			continue;
		c->source = source;
		c->source_meta = topics[at++];
		if (c->source_meta.error != KERR_NONE || c->source_meta.internal) {
			err_set(&err, c->source_meta.internal ? RC_REFUSED : RC_NOT_FOUND,
				"source: topic %s cannot be described", c->source_topic);
			fail(m, i, outcome_of(&err, SIDE_SOURCE), &err);
		}
	}
}

static void source_settings(struct many *m, struct cluster *source)
{
	struct admin_configs_of *asked = arena_new(m->arena, struct admin_configs_of, m->n + 1);
	const char **names = names_of(m, true);
	struct admin_configs known;
	struct err err;
	enum outcome outcome = creation_known_settings(m->session, m->arena, &known, &err);
	struct admin_configs_ask ask = { .cluster = source, .topics = asked, .n = n_open(m) };

	for (int i = 0; i < ask.n; i++)
		asked[i].topic = names[i];
	if (outcome == OUTCOME_DONE)
		admin_describe_configs_of(&ask, 1, m->session->deadline_ns, m->arena);
	if (outcome == OUTCOME_DONE && ask.rc != RC_OK) {
		err = ask.err;
		outcome = outcome_of(&err, SIDE_SOURCE);
	}
	if (outcome != OUTCOME_DONE) {
		fail_all(m, outcome, &err);
		return;
	}
	for (int i = 0, at = 0; i < m->n; i++) {
		const struct admin_configs_of *answer = &asked[at];

		if (!open(m, i))
			continue;
		at++;
		if (answer->error == KERR_NONE) {
			m->news[i].outcome = creation_settings(&m->all[i], &answer->configs, &known, &m->news[i].err);
			continue;
		}
		err_set(&err, answer->error == KERR_TOPIC_AUTHORIZATION_FAILED ? RC_AUTH : RC_NOT_FOUND,
			"source: cannot read the settings of topic %s", answer->topic);
		err_hint(&err, "grant DESCRIBE_CONFIGS on Topic %s to krmirror's principal on the source cluster",
			 answer->topic);
		fail(m, i, outcome_of(&err, SIDE_SOURCE), &err);
	}
}

/* Nobody tells the offsets of a partition without a leader: it is not waited for. */
static bool led(const struct admin_topic *topic, struct err *err)
{
	for (int32_t p = 0; p < topic->n_partitions; p++)
		if (topic->partitions[p].leader < 0) {
			err_set(err, RC_KAFKA, "source: partition %d of %s has no leader", topic->partitions[p].partition,
				topic->name);
			err->kafka = KERR_LEADER_NOT_AVAILABLE;
			return false;
		}
	return true;
}

static void find_heads(struct many *m, struct cluster *source)
{
	struct mirror_heads_of *asked = arena_new(m->arena, struct mirror_heads_of, m->n + 1);
	struct err err;
	int n = 0;

	for (int i = 0; i < m->n; i++) {
		struct creation *c = &m->all[i];

		if (open(m, i) && !led(&c->source_meta, &err))
			fail(m, i, outcome_of(&err, SIDE_SOURCE), &err);
		if (!open(m, i))
			continue;
		c->heads.n = c->source_meta.n_partitions;
		c->heads.starts = arena_new(m->arena, int64_t, c->heads.n);
		asked[n++] = (struct mirror_heads_of){ .topic = c->source_topic, .heads = &c->heads };
	}
	if (n > 0)
		mirror_heads_find_all(source, asked, n, MIN(m->session->deadline_ns, clock_mono_ns() + HEADS_MS * NS_PER_MS));
	for (int i = 0, at = 0; i < m->n; i++) {
		if (!open(m, i))
			continue;
		if (asked[at].outcome != OUTCOME_DONE)
			fail(m, i, asked[at].outcome, &asked[at].err);
		else
			m->all[i].start_offsets = mirror_heads_record(&m->all[i].heads);
		at++;
	}
}

/* Before the intentions: nobody's topic may be there. */
static void must_be_absent(struct many *m)
{
	struct admin_topic *topics;
	struct err err;
	int at = 0;

	if (admin_topics(m->session->destination, names_of(m, false), n_open(m), m->session->deadline_ns, m->arena, &topics,
			 &err) != RC_OK) {
		fail_all(m, outcome_of(&err, SIDE_DESTINATION), &err);
		return;
	}
	for (int i = 0; i < m->n; i++) {
		if (!open(m, i))
			continue;
		if (!m->all[i].exists && topics[at].error == KERR_NONE)
			m->news[i].outcome = creation_topic_there(m->opts[i].topic, &m->news[i].err);
		at++;
	}
}

static void ask(struct many *m)
{
	struct cluster *source;
	struct err err;
	enum outcome outcome = session_source(m->session, m->link, m->session->deadline_ns, &source, &err);

	if (outcome != OUTCOME_DONE)
		fail_all(m, outcome, &err);
	if (n_open(m) > 0)
		describe_source(m, source);
	if (n_open(m) > 0)
		source_settings(m, source);
	if (n_open(m) > 0)
		find_heads(m, source);
	if (n_open(m) > 0)
		must_be_absent(m);
}

/* ---- the log ---- */

static enum outcome decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct many *m = arg;

	(void)err;
	for (int i = 0; i < m->n; i++)
		if (m->deciding[i])
			m->news[i].outcome = m->decide(log, batch, &m->all[i], &m->news[i].err);
	return OUTCOME_DONE;
}

/* One append for all that take part; *appended as of control_log_update. */
static enum outcome append(struct many *m, control_decide_fn *each, bool *appended, struct err *err)
{
	m->decide = each;
	return control_log_update(m->session->log, decide, m, m->session->deadline_ns, appended, err);
}

static void append_open(struct many *m, control_decide_fn *each)
{
	struct err err;
	bool appended = false;
	enum outcome outcome;

	for (int i = 0; i < m->n; i++)
		m->deciding[i] = open(m, i);
	outcome = append(m, each, &appended, &err);
	for (int i = 0; i < m->n; i++) {
		if (!m->deciding[i])
			continue;
		if (outcome != OUTCOME_DONE)
			fail(m, i, outcome, &err);
		else if (each == creation_created && m->news[i].outcome == OUTCOME_DONE)
			m->news[i].changed = appended;
	}
}

/* The reason for it stays the error that is told. */
static void unintend(struct many *m, const bool *refused)
{
	struct err *kept = xcalloc((size_t)m->n, sizeof(*kept)), unused;
	enum outcome *outcomes = xcalloc((size_t)m->n, sizeof(*outcomes));
	bool any = false;

	for (int i = 0; i < m->n; i++) {
		kept[i] = m->news[i].err;
		outcomes[i] = m->news[i].outcome;
		m->deciding[i] = refused[i];
		any |= refused[i];
	}
	if (any && append(m, creation_unintend, NULL, &unused) != OUTCOME_DONE)
		notes_add(&m->session->notes, "intentions of mirrors stay recorded: %s", unused.text);
	for (int i = 0; i < m->n; i++)
		fail(m, i, outcomes[i], &kept[i]);
	xfree(kept);
	xfree(outcomes);
}

/* ---- the topics ---- */

/* What the cluster refused will be refused again; what is only not known may have been done. */
static void take_answer(struct many *m, int i, const struct admin_new_topic *made, bool *refused)
{
	struct creation *c = &m->all[i];
	struct mirror_new *new = &m->news[i];

	c->destination_id = made->id;
	if (made->rc == RC_EXISTS)
		new->outcome = creation_take_over(c, &new->err);
	else if (made->rc != RC_OK)
		fail(m, i, outcome_of(&made->err, SIDE_DESTINATION), &made->err);
	refused[i] = made->rc == RC_KAFKA || made->rc == RC_AUTH || new->outcome == OUTCOME_REFUSED;
}

static void learn_ids(struct many *m)
{
	for (int i = 0; i < m->n; i++)
		if (open(m, i) && uuid_is_zero(&m->all[i].destination_id))
			m->news[i].outcome = creation_learn_id(&m->all[i], &m->news[i].err);
}

/* The controller takes all topics of a request as one change: what it says of that is nobody's own error. */
static bool wants_alone(const struct admin_new_topic *topic, int n)
{
	return n > 1 && (topic->rc == RC_PROTO || (topic->rc == RC_KAFKA && topic->err.kafka == KERR_POLICY_VIOLATION));
}

static void make_topics(struct many *m)
{
	struct admin_new_topic *topics = arena_new(m->arena, struct admin_new_topic, m->n + 1);
	bool *refused = arena_new(m->arena, bool, m->n);
	struct err err;
	int n = 0, rc;

	for (int i = 0; i < m->n; i++)
		if (open(m, i))
			topics[n++] = creation_topic(&m->all[i]);
	rc = admin_create_topics(m->session->destination, topics, n, false, m->session->deadline_ns, &err);
	for (int i = 0, at = 0; i < m->n; i++) {
		struct admin_new_topic *topic = &topics[at];

		if (!open(m, i))
			continue;
		at++;
		if (rc != RC_OK && topic->rc == RC_PROTO) {
			fail(m, i, outcome_of(&err, SIDE_DESTINATION), &err);
			continue;
		}
		if (wants_alone(topic, n) &&
		    admin_create_topics(m->session->destination, topic, 1, false, m->session->deadline_ns, &err) != RC_OK) {
			topic->rc = err.rc;
			topic->err = err;
		}
		take_answer(m, i, topic, refused);
	}
	unintend(m, refused);
	learn_ids(m);
	/* Records in the topic: those of a worker, because another run recorded the creation meanwhile. */
	for (int i = 0; i < m->n; i++) {
		struct err unused;

		if (refused[i] && m->news[i].outcome == OUTCOME_REFUSED &&
		    creation_recorded(&m->all[i], m->session->log, &unused) == OUTCOME_DONE && m->all[i].exists &&
		    m->all[i].wish.created)
			m->news[i].outcome = OUTCOME_DONE;
	}
}

static void set_guards(struct many *m)
{
	struct guard_of *ofs = arena_new(m->arena, struct guard_of, m->n);
	struct err err;
	enum outcome outcome;
	int n = 0;

	for (int i = 0; i < m->n; i++)
		if (open(m, i))
			ofs[n++] = (struct guard_of){ .link = m->link, .topic = m->opts[i].topic, .fresh = true, .again = true };
	if (n == 0)
		return;
	outcome = guard_set_all(m->session, ofs, n, &err);
	for (int i = 0, at = 0; i < m->n && outcome != OUTCOME_DONE; i++) {
		if (!open(m, i))
			continue;
		/* One of them may be to blame. */
		if (n > 1 && err.rc == RC_KAFKA)
			m->news[i].outcome = guard_set(m->session, &ofs[at++], &m->news[i].err);
		else
			fail(m, i, outcome, &err);
	}
}

/* ---- all ---- */

void mirror_create_all(struct session *session, const char *link, struct mirror_new *news, int n)
{
	struct many m = { .session = session, .link = link, .news = news, .n = n };
	struct arena arena;

	arena_init(&arena, 0);
	m.arena = &arena;
	m.all = xcalloc((size_t)n + 1, sizeof(*m.all));
	m.opts = xcalloc((size_t)n + 1, sizeof(*m.opts));
	m.deciding = xcalloc((size_t)n + 1, sizeof(*m.deciding));
	begin(&m);
	if (n_open(&m) > 0)
		ask(&m);
	if (n_open(&m) > 0)
		append_open(&m, creation_intend);
	if (n_open(&m) > 0)
		make_topics(&m);
	set_guards(&m);
	if (n_open(&m) > 0)
		append_open(&m, creation_created);
	for (int i = 0; i < n; i++) {
		news[i].n_partitions = m.all[i].wish.topic != NULL ? m.all[i].wish.n_partitions :
				       m.all[i].source_meta.n_partitions;
		creation_fini(&m.all[i]);
	}
	xfree(m.all);
	xfree(m.opts);
	xfree(m.deciding);
	arena_fini(&arena);
}
