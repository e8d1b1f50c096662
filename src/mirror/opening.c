/* SPDX-License-Identifier: Apache-2.0 */
/* Opening lanes: the order of questions that DESIGN 3 and 5 prescribe, each part of which was proven necessary.
 *
 *                                          +-----------------+
 *                                          v                 |
 *   WAIT -> ENDS -> TAIL -> SOURCE -> EPOCH -> LOCAL -> COMPARE -> aligned
 *    ^       |       |        |        |        |         |
 *    +-------+-------+--------+--------+--------+---------+   not yet: leaders, replicas, errors that pass
 *
 *  ENDS     to the destination's leader, on one connection, in this order: log end, high watermark, DescribeProducers,
 *           log end, high watermark, log start. All four ends must be equal; else something is still on its way.
 *  TAIL     the batch just below the log end: it must be this mirror's own.
 *  SOURCE   the source's log start and log end, from its leader.
 *           Where the mirror ends below the source's start it is seeded (seeder.c) and then opened again.
 *  EPOCH    OffsetForLeaderEpoch settles that the source still has everything up to the known (offset, epoch) pair.
 *  LOCAL, COMPARE  from there on, and for the last batch always, what stands on both sides is compared piece by piece.
 *           The leader epoch of the source's last batch goes into every further fetch.
 *
 * Questions of many lanes to one broker share their requests: a round. A fetch of many lanes brings their batches as
 * far as they fit; a lane whose batch did not fit is asked alone. */
#include "mirror/opening.h"

#include "base/clock.h"
#include "base/log.h"

enum {
	ROUND_LANES_MAX = 500,     /* of one ListOffsets */
	ROUND_FETCH_MAX = 16,      /* lanes of one Fetch */
	PAUSE_MIN_MS = 50, PAUSE_MAX_MS = 1000,
};

/* ---- steps ---- */

static void enqueue(struct mirror_lane *ml, enum opening_step step)
{
	struct mirror *m = ml->mirror;

	ml->opening.step = step;
	list_del(&ml->opening.node);
	list_push_back(&m->opening_queue, &ml->opening.node);
	if (!op_busy(&m->opening_op))
		loop_defer(m->loop, &m->opening_op, 0);
}

static void wait_until(struct mirror_lane *ml, int64_t at_ns)
{
	struct mirror *m = ml->mirror;

	ml->opening.step = OPENING_WAIT;
	ml->opening.retry_at_ns = at_ns;
	list_del(&ml->opening.node);
	list_push_back(&m->opening_waiting, &ml->opening.node);
	if (!timer_is_set(&m->opening_timer) || m->opening_timer.at_ns_ > at_ns)
		loop_timer_set(m->loop, &m->opening_timer, at_ns);
}

static int64_t pause_ns(int attempts)
{
	int64_t ms = PAUSE_MIN_MS;

	for (int i = 1; i < attempts && ms < PAUSE_MAX_MS; i++)
		ms *= 2;
	return MIN(ms, PAUSE_MAX_MS) * NS_PER_MS;
}

void opening_retry(struct mirror_lane *ml, const char *why)
{
	log_debug(ml->subject, "not open yet", "step=%d attempt=%d why=" LOG_Q, ml->opening.step,
		  ml->opening.attempts, why);
	ml->opening.attempts++;
	wait_until(ml, loop_now(ml->mirror->loop) + pause_ns(ml->opening.attempts));
}

void opening_next(struct mirror_lane *ml, enum opening_step step)
{
	ml->opening.alone = false;
	enqueue(ml, step);
}

void opening_alone(struct mirror_lane *ml)
{
	ml->opening.alone = true;
	enqueue(ml, ml->opening.step);
}

void opening_start(struct mirror_lane *ml)
{
	CHECK(ml->lane.state == LANE_PROBING && ml->opening.round == NULL);
	ml->opening.attempts = 0;
	ml->opening.alone = false;
	ml->seed.to = -1;
	if (ml->sink.failures++ == 0)
		enqueue(ml, OPENING_ENDS);
	else
		wait_until(ml, loop_now(ml->mirror->loop) + pause_ns(ml->sink.failures));
}

void opening_stop(struct mirror_lane *ml)
{
	list_del(&ml->opening.node);
	ml->opening.step = OPENING_IDLE;
	opening_forget_local(ml);
}

void opening_forget_local(struct mirror_lane *ml)
{
	prefix_fini(&ml->opening.prefix);
}

void opening_done(struct mirror_lane *ml)
{
	struct opening *o = &ml->opening;

	opening_stop(ml);
	ml->local_log_start = o->in.local_start;
	ml->source_log_start = o->in.source_start;
	o->result.log_end = o->in.local_end;
	lane_align(&ml->lane, &o->result, loop_now(ml->mirror->loop));
	log_info(ml->subject, "aligned", "offset=%lld source_end=%lld leader=%d/%d producer_known=%d",
		 (long long)o->in.local_end, (long long)o->in.source_end, o->leader, o->leader_epoch,
		 o->result.producer_known);
	ml->sink.leader = o->leader;
	ml->sink.leader_epoch = o->leader_epoch;
	sink_bind(ml);
	filler_bind(ml);
	if (ml->seed.to >= 0)
		seeder_begin(ml);
	else
		source_bind(ml);
	mirror_lane_settle(ml);
}

/* ---- forming rounds ---- */

static bool asks_source(enum opening_step step)
{
	return step == OPENING_SOURCE || step == OPENING_EPOCH || step == OPENING_COMPARE;
}

static bool fetches(enum opening_step step)
{
	return step == OPENING_TAIL || step == OPENING_LOCAL || step == OPENING_COMPARE;
}

struct cluster *opening_cluster(const struct mirror_lane *ml)
{
	return asks_source(ml->opening.step) ? ml->link->source : ml->mirror->destination;
}

/* Where the question goes. The destination's leader is bound at ENDS: if it changes before the lane is aligned, the
 * epoch in later questions tells. */
static bool find_leader(struct mirror_lane *ml, int32_t *node, int32_t *epoch)
{
	const char *topic = asks_source(ml->opening.step) ? ml->source_topic_name : ml->topic;

	if (ml->opening.step == OPENING_TAIL || ml->opening.step == OPENING_LOCAL) {
		*node = ml->opening.leader;
		*epoch = ml->opening.leader_epoch;
		return true;
	}
	return cluster_leader(opening_cluster(ml), topic, ml->partition, node, epoch);
}

static struct round *round_for(struct list *rounds, struct mirror_lane *ml, int32_t node)
{
	struct cluster *cluster = opening_cluster(ml);
	int max = fetches(ml->opening.step) ? ROUND_FETCH_MAX : ROUND_LANES_MAX;
	struct list *pos;

	list_each(pos, rounds) {
		struct round *r = list_entry(pos, struct round, node);

		if (r->cluster == cluster && r->node_id == node && r->step == ml->opening.step && !r->alone &&
		    !ml->opening.alone && r->n_lanes < max)
			return r;
	}
	return round_create(rounds, ml, cluster, node);
}

static void form_rounds(struct op *op, int res)
{
	struct mirror *m = container_of(op, struct mirror, opening_op);
	struct list rounds, queue;

	(void)res;
	list_init(&rounds);
	list_init(&queue);
	list_splice(&queue, &m->opening_queue);
	for (struct list *n = list_pop(&queue); n != NULL; n = list_pop(&queue)) {
		struct mirror_lane *ml = list_entry(n, struct mirror_lane, opening.node);
		int32_t node = -1, epoch = -1;

		if (!mirror_has_lease(m)) {
			opening_retry(ml, "no lease");
		} else if (!find_leader(ml, &node, &epoch)) {
			cluster_refresh(opening_cluster(ml));
			opening_retry(ml, "no leader known");
		} else {
			round_add(round_for(&rounds, ml, node), ml, epoch);
		}
	}
	for (struct list *n = list_pop(&rounds); n != NULL; n = list_pop(&rounds))
		round_start(list_entry(n, struct round, node));
}

static void waits_due(struct timer *timer)
{
	struct mirror *m = container_of(timer, struct mirror, opening_timer);
	int64_t now = loop_now(m->loop), next = INT64_MAX;
	struct list *pos, *tmp;

	list_each_safe(pos, tmp, &m->opening_waiting) {
		struct mirror_lane *ml = list_entry(pos, struct mirror_lane, opening.node);

		if (ml->opening.retry_at_ns <= now)
			enqueue(ml, OPENING_ENDS);
		else
			next = MIN(next, ml->opening.retry_at_ns);
	}
	if (next != INT64_MAX)
		loop_timer_set(m->loop, &m->opening_timer, next);
}

void opening_init(struct mirror *m)
{
	list_init(&m->opening_queue);
	list_init(&m->opening_waiting);
	m->opening_op.done = form_rounds;
	m->opening_timer.done = waits_due;
}
