/* SPDX-License-Identifier: Apache-2.0 */
/* A job is one partition that is being compared. Its states, and what moves it on:
 *
 *   COMPARING   both streams are walked in the order of offsets
 *   SETTLING    (compacted) all of the range is compared, or too many keys wait: each side is read on to its end, only
 *               for the keys that wait; then it is over, or COMPARING goes on where it stopped
 *   SAMPLING    one record at each of some places
 */
#include "proof/proof.h"

#include "base/clock.h"
#include "base/mem.h"
#include "mirror/seed.h"

#include <string.h>

enum {
	PARALLEL_MAX = 4, BYTES_MAX = 1 << 20, SAMPLE_BYTES_MAX = 64 << 10, TICK_MS = 500, STUCK_TICKS = 4,
	RECORDS_A_TURN = 20000, SAMPLES_MAX = 1000000000
};

enum job_state { JOB_COMPARING, JOB_SETTLING, JOB_SAMPLING, JOB_DONE };

struct side {
	struct stream *stream;
	struct record_view v;
	bool has, ended;             /* v is the next record; there is no further one */
};

struct job {
	struct proof *proof;
	struct proof_partition *p;
	enum job_state state;
	struct side sides[COMPARE_SIDES];
	int64_t resume_at;           /* SETTLING: where comparing goes on; p->to: nowhere */
	int64_t sampled;             /* places that are done */
	int64_t seen;                /* turns of the watch for jobs that hold memory and do not move */
	int stuck;
	bool ready;
};

struct run {
	struct proof *proof;
	struct job jobs[PARALLEL_MAX];
	int next;                    /* partition that begins next */
	int64_t passed;              /* of the partitions that are over */
};

static void ready(void *owner)
{
	struct job *job = owner;

	job->ready = true;
}

/* No side is read beyond what it has: there is nothing to wait for. */
static void seek_both(struct job *job, int64_t from, int64_t to, bool ahead)
{
	for (int i = 0; i < COMPARE_SIDES; i++) {
		job->sides[i].has = job->sides[i].ended = false;
		stream_seek(job->sides[i].stream, from, MIN(to, job->p->end[i]), ahead);
	}
	job->ready = true;
}

/* --- the two sides ------------------------------------------------------------------------------------------- */

static bool failed(struct job *job, int side)
{
	job->p->err = *stream_error(job->sides[side].stream);
	job->p->err_side = side;
	job->state = JOB_DONE;
	return false;
}

/* Has the next record of each side at hand, or knows that there is none. False: wait, or it failed. */
static bool have_both(struct job *job)
{
	bool all = true;

	for (int i = 0; i < COMPARE_SIDES; i++) {
		struct side *side = &job->sides[i];

		if (side->has || side->ended)
			continue;
		switch (stream_next(side->stream, &side->v)) {
		case STREAM_RECORD:
			side->has = true;
			break;
		case STREAM_END:
			side->ended = true;
			break;
		case STREAM_WAIT:
			all = false;
			break;
		case STREAM_FAILED:
		default:
			return failed(job, i);
		}
	}
	return all;
}

/* What a side lacks because it deleted it while it was being read proves nothing. */
static bool trimmed(const struct job *job, int lacking, int64_t offset)
{
	return offset >= job->p->start[lacking] && offset < stream_trimmed(job->sides[lacking].stream);
}

static void report(struct job *job, int side)
{
	job->p->only[side]++;
	if (job->proof->only != NULL)
		job->proof->only(job->proof->only_owner, job->p->partition, side, &job->sides[side].v);
}

/* The source has nothing there, and the destination what fills a hole. */
static bool is_hole(int side, const struct record_view *v)
{
	return side == COMPARE_DESTINATION && seed_is_tombstone(v);
}

/* The lower one of both records at hand, or both. */
static void compare_heads(struct job *job)
{
	struct side *s = &job->sides[COMPARE_SOURCE], *d = &job->sides[COMPARE_DESTINATION];

	if (s->has && d->has && s->v.offset == d->v.offset) {
		if (!compare_both(&job->p->compare, &s->v, &d->v)) {
			report(job, COMPARE_SOURCE);
			report(job, COMPARE_DESTINATION);
		}
		s->has = d->has = false;
		return;
	}
	for (int i = 0; i < COMPARE_SIDES; i++) {
		struct side *mine = &job->sides[i], *other = &job->sides[1 - i];

		if (!mine->has || (other->has && other->v.offset < mine->v.offset))
			continue;
		if (!is_hole(i, &mine->v) && !trimmed(job, 1 - i, mine->v.offset)) {
			compare_only(&job->p->compare, i, &mine->v);
			report(job, i);
		}
		mine->has = false;
		return;
	}
}

/* --- states -------------------------------------------------------------------------------------------------- */

static bool must_settle(const struct job *job)
{
	const struct compare *c = &job->p->compare;

	return compare_waits_for(c, COMPARE_SOURCE) || compare_waits_for(c, COMPARE_DESTINATION);
}

static void begin_settling(struct job *job, int64_t resume_at)
{
	job->state = JOB_SETTLING;
	job->resume_at = resume_at;
	for (int i = 0; i < COMPARE_SIDES; i++) {
		struct side *side = &job->sides[i];

		side->ended = !compare_waits_for(&job->p->compare, i);
		side->has = false;
		if (!side->ended)
			stream_seek(side->stream, resume_at, job->p->end[i], true);
	}
	job->ready = true;
}

static void begin_comparing(struct job *job, int64_t from)
{
	job->state = JOB_COMPARING;
	seek_both(job, from, job->p->to, true);
}

/* Judges what still waits. */
static void judge(struct job *job)
{
	int64_t holes[COMPARE_SIDES];

	for (int i = 0; i < COMPARE_SIDES; i++)
		holes[i] = stream_last_hole(job->sides[i].stream);
	compare_end(&job->p->compare, holes);
}

static void end_job(struct job *job)
{
	judge(job);
	job->p->done_to = job->p->to;
	job->state = JOB_DONE;
}

static void compare_on(struct job *job)
{
	struct side *s = &job->sides[COMPARE_SOURCE], *d = &job->sides[COMPARE_DESTINATION];

	for (int n = 0; n < RECORDS_A_TURN; n++) {
		if (!have_both(job))
			return;
		if (s->ended && d->ended) {
			if (must_settle(job))
				begin_settling(job, job->p->to);
			else
				end_job(job);
			return;
		}
		job->p->done_to = MIN(s->has ? s->v.offset : INT64_MAX, d->has ? d->v.offset : INT64_MAX);
		compare_heads(job);
		if (compare_full(&job->p->compare)) {
			begin_settling(job, job->p->done_to + 1);
			return;
		}
	}
	job->ready = true;   /* others have their turn */
}

static void settle_on(struct job *job)
{
	for (int i = 0; i < COMPARE_SIDES; i++) {
		struct side *side = &job->sides[i];
		enum stream_result result = STREAM_RECORD;

		while (!side->ended && result == STREAM_RECORD) {
			result = stream_next(side->stream, &side->v);
			if (result == STREAM_FAILED) {
				failed(job, i);
				return;
			}
			if (result == STREAM_RECORD)
				compare_settle(&job->p->compare, i, &side->v);
			side->ended = result == STREAM_END || !compare_waits_for(&job->p->compare, i);
		}
	}
	if (!job->sides[0].ended || !job->sides[1].ended)
		return;
	if (job->resume_at >= job->p->to) {
		end_job(job);
		return;
	}
	judge(job);
	begin_comparing(job, job->resume_at);
}

/* --- samples ------------------------------------------------------------------------------------------------- */

static int64_t places(const struct job *job)
{
	return MIN(MIN(job->proof->sample, (int64_t)SAMPLES_MAX), job->p->to - job->p->from);
}

static int64_t place(const struct job *job, int64_t i)
{
	int64_t n = places(job), range = job->p->to - job->p->from;

	return job->p->from + range / n * i + range % n * i / n;
}

static void next_place(struct job *job)
{
	int64_t at, upto;

	if (job->sampled >= places(job)) {
		end_job(job);
		return;
	}
	at = place(job, job->sampled);
	upto = place(job, job->sampled + 1);
	job->p->done_to = at;
	job->sampled++;
	seek_both(job, at, upto, false);
}

/* The first record at or behind the place. On a compacted topic only one that both have says something. */
static void sample_on(struct job *job)
{
	struct side *s = &job->sides[COMPARE_SOURCE], *d = &job->sides[COMPARE_DESTINATION];

	while (job->state == JOB_SAMPLING && have_both(job)) {
		bool both = s->has && d->has && s->v.offset == d->v.offset;

		if (both || (!job->proof->compacted && (s->has || d->has)))
			compare_heads(job);
		next_place(job);
	}
}

/* --- jobs ---------------------------------------------------------------------------------------------------- */

static void start_job(struct proof *proof, struct job *job, struct proof_partition *p)
{
	*job = (struct job){ .proof = proof, .p = p };
	p->compare = (struct compare){ .compacted = proof->compacted && proof->sample <= 0,
				       .expired_before_ms = proof->expired_before_ms };
	p->only[0] = p->only[1] = 0;
	p->done_to = p->from;
	for (int i = 0; i < COMPARE_SIDES; i++) {
		struct stream_opts opts = {
			.cluster = proof->clusters[i], .pool = proof->pool, .topic = proof->topics[i],
			.partition = p->partition, .patience_ms = proof->patience_ms, .ready = ready, .owner = job,
			.bytes_max = proof->sample > 0 ? SAMPLE_BYTES_MAX : BYTES_MAX,
		};

		job->sides[i].stream = stream_create(&opts);
	}
	if (p->from >= p->to) {
		end_job(job);
	} else if (proof->sample > 0) {
		job->state = JOB_SAMPLING;
		next_place(job);
	} else {
		begin_comparing(job, p->from);
	}
}

static void stop_job(struct job *job)
{
	for (int i = 0; i < COMPARE_SIDES; i++)
		stream_destroy(job->sides[i].stream);
	job->p = NULL;
}

static void move_job(struct job *job)
{
	job->ready = false;
	job->stuck = 0;
	if (job->state == JOB_COMPARING)
		compare_on(job);
	else if (job->state == JOB_SETTLING)
		settle_on(job);
	else if (job->state == JOB_SAMPLING)
		sample_on(job);
}

/* Large batches of many partitions may use up the memory with the answers of one side each, all waiting for the other
 * side's. Who does not move gives back what it has and reads it again. */
static void unstick(struct job *job)
{
	if (job->state != JOB_COMPARING || ++job->stuck % STUCK_TICKS != 0)
		return;
	for (int i = 0; i < COMPARE_SIDES; i++) {
		struct side *side = &job->sides[i];

		if (!stream_holds(side->stream))
			continue;
		stream_seek(side->stream, side->has ? side->v.offset : stream_position(side->stream),
			    MIN(job->p->to, job->p->end[i]), false);
		side->has = false;
		return;
	}
}

static void tell_progress(struct run *run)
{
	struct proof *proof = run->proof;
	int64_t passed = run->passed, total = 0;

	if (proof->progress == NULL)
		return;
	for (int i = 0; i < proof->n; i++)
		total += proof->partitions[i].to - proof->partitions[i].from;
	for (int i = 0; i < PARALLEL_MAX; i++)
		if (run->jobs[i].p != NULL)
			passed += run->jobs[i].p->done_to - run->jobs[i].p->from;
	proof->progress(proof->progress_owner, passed, total);
}

/* Starts what may, moves what can. False: all is done. */
static bool turn(struct run *run, bool *moved)
{
	struct proof *proof = run->proof;
	bool any = false;

	*moved = false;
	for (int i = 0; i < PARALLEL_MAX; i++) {
		struct job *job = &run->jobs[i];

		if (job->p != NULL && job->state == JOB_DONE) {
			run->passed += job->p->to - job->p->from;
			stop_job(job);
		}
		if (job->p == NULL && run->next < proof->n)
			start_job(proof, job, &proof->partitions[run->next++]);
		if (job->p == NULL)
			continue;
		any = true;
		if (job->ready || job->state == JOB_DONE) {
			move_job(job);
			*moved = true;
		}
	}
	return any;
}

int proof_run(struct proof *proof, struct err *err)
{
	struct run *run = xcalloc(1, sizeof(*run));
	struct loop *loop = cluster_loop(proof->clusters[0]);
	int64_t tick_ns = clock_mono_ns() + TICK_MS * NS_PER_MS;
	bool moved;
	int rc = RC_OK;

	run->proof = proof;
	for (int i = 0; i < COMPARE_SIDES; i++)
		cluster_track(proof->clusters[i], proof->topics[i]);
	while (turn(run, &moved)) {
		int64_t now = clock_mono_ns();

		if (now >= proof->deadline_ns) {
			rc = err_set(err, RC_TIMEOUT, "not all was compared in time");
			break;
		}
		if (now >= tick_ns) {
			tick_ns = now + TICK_MS * NS_PER_MS;
			tell_progress(run);
			for (int i = 0; i < PARALLEL_MAX; i++)
				if (run->jobs[i].p != NULL)
					unstick(&run->jobs[i]);
		}
		loop_step(loop, moved ? now : MIN(tick_ns, proof->deadline_ns));
	}
	for (int i = 0; i < PARALLEL_MAX; i++)
		if (run->jobs[i].p != NULL)
			stop_job(&run->jobs[i]);
	for (int i = 0; i < COMPARE_SIDES; i++)
		cluster_untrack(proof->clusters[i], proof->topics[i]);
	xfree(run);
	return rc;
}
