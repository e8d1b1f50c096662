/* SPDX-License-Identifier: Apache-2.0 */
/* The stage between source and lane, for what cannot be appended as it was fetched.
 *
 * Happy path: the lane answers an offered batch with LANE_REWRITE; it and what follows it in the response wait in the
 * lane's slot, in order. In turns with other lanes, the first one goes on: a hole or a batch that can be appended is
 * offered; another one gets a job, which runs the rewriter in small steps between the loop's other work, and on the
 * helper thread when it will take long. Each run is copied into a buffer of its own and offered to the lane, which makes
 * fills of the offsets between. While anything waits, nothing is fetched for the lane.
 *
 * Failure modes:
 *  - the lane went back (doubt, nothing could be sent, closed, failed): what waits is dropped and fetched again. That is
 *    told by source_unbind and rewriting_stop; and a run is offered only where the lane still stands where the last
 *    offer left it, because offered anywhere else it would make a fill of what lies between;
 *  - memory for runs comes from a budget of its own: frames that wait here would else wait for memory that they hold;
 *  - a CRC that does not hold is fetched again once; all else that is wrong with a batch fails the lane. */
#include "base/log.h"
#include "mirror/mirror_priv.h"
#include "mirror/rewrite_helper.h"
#include "wire/compress.h"

enum {
	STEP = 64 << 10,           /* unpacked bytes of a step on the loop */
	LOOP_STEPS_MAX = 6,        /* what is not done then goes to the helper */
	LOOP_WORK_MAX = 256 << 10, /* what is expected to take longer goes there at once; bytes as of no codec */
	JOBS_MAX = 4,              /* rewriters: their memory is beside the budget (wire/rewrite.h) */
	MERGED_MAX = 256 << 10,    /* of the input of one job that has several batches */
	RUN_SIZE_MIN = 512 << 10,  /* a run may be larger than its source batch, up to here: topics take 1 MiB by default */
	GAIN_DIVISOR = 16,         /* so much of its size a batch of one record may gain by being packed anew */
};

/* A rewriter, and the lane's batch that it works on. */
struct rewrite_job {
	struct helper_job helper;
	struct rewriting *rewriting;
	struct mirror_lane *ml;    /* NULL: nobody wants it any more; what is under way is waited for */
	struct buf *frame;         /* of the input */
	struct op op;
	struct buf_waiter waiter;
	int steps;
	bool on_helper;            /* goes on there after each run */
	bool run_waits;            /* for memory */
	struct list node;          /* in rewriting->idle */
};

struct rewriting {
	struct mirror *mirror;
	struct buf_pool *pool;     /* of runs */
	struct list turns;         /* lanes that can go on */
	struct list starved;       /* lanes that wait for a job */
	struct list idle;          /* jobs */
	int n_jobs, n_busy;
	struct op op;
	struct helper *helper;
};

/* ---- turns ---- */

static void turn_soon(struct rewriting *rewriting)
{
	if (!op_busy(&rewriting->op) && !list_empty(&rewriting->turns))
		loop_defer(rewriting->mirror->loop, &rewriting->op, 0);
}

static void want_turn(struct mirror_lane *ml)
{
	struct rewriting *rewriting = ml->mirror->rewriting;

	list_del(&ml->rewriting.turn_node);
	list_push_back(&rewriting->turns, &ml->rewriting.turn_node);
	turn_soon(rewriting);
}

static struct rewriting_item *head(const struct mirror_lane *ml)
{
	return &ml->rewriting.items[ml->rewriting.head];
}

static void pop(struct mirror_lane *ml)
{
	struct rewriting_slot *s = &ml->rewriting;

	buf_unref(head(ml)->frame);
	if (++s->head == s->n)
		s->head = s->n = 0;
}

/* ---- jobs ---- */

static void job_op(struct op *op, int res);
static void job_back(struct post *post);
static void job_memory(struct buf_waiter *waiter);

/* NULL: all are busy. */
static struct rewrite_job *take_job(struct rewriting *rewriting)
{
	struct list *node = list_pop(&rewriting->idle);
	struct rewrite_job *job;

	if (node != NULL) {
		job = list_entry(node, struct rewrite_job, node);
	} else {
		if (rewriting->n_jobs == JOBS_MAX)
			return NULL;
		rewriting->n_jobs++;
		job = xcalloc(1, sizeof(*job));
		job->rewriting = rewriting;
		job->helper.rw = rewriter_create(&RECORD_LIMITS_DEFAULT);
		job->helper.loop = rewriting->mirror->loop;
		job->helper.post.run = job_back;
		job->op.done = job_op;
		job->waiter.wake = job_memory;
	}
	rewriting->n_busy++;
	return job;
}

/* Nothing of it is under way. */
static void release_job(struct rewrite_job *job)
{
	struct rewriting *rewriting = job->rewriting;
	struct list *node;

	rewriter_end(job->helper.rw);
	buf_pool_unwait(&job->waiter);
	buf_unref(job->frame);
	job->frame = NULL;
	job->ml = NULL;
	rewriting->n_busy--;
	list_push_back(&rewriting->idle, &job->node);
	node = list_pop(&rewriting->starved);
	if (node != NULL) {
		list_push_back(&rewriting->turns, node);
		turn_soon(rewriting);
	}
}

/* The lane's part of a job ends. */
static void leave_job(struct mirror_lane *ml)
{
	struct rewrite_job *job = ml->rewriting.job;

	ml->rewriting.job = NULL;
	if (job == NULL)
		return;
	job->ml = NULL;
	if (!helper_busy(&job->helper) && !op_busy(&job->op))
		release_job(job);
	else
		helper_cancel(&job->helper);
}

static void go_on(struct rewrite_job *job)
{
	if (job->on_helper)
		helper_run(job->rewriting->helper, &job->helper);
	else
		loop_defer(job->rewriting->mirror->loop, &job->op, 0);
}

/* What a batch costs, in bytes that only have to be copied: measured roughly, per codec. */
static size_t work_of(const struct batch_header *b)
{
	static const size_t factor[] = { [CODEC_NONE] = 1, [CODEC_GZIP] = 30, [CODEC_SNAPPY] = 6, [CODEC_LZ4] = 6,
					 [CODEC_ZSTD] = 12 };
	int codec = b->attributes & BATCH_CODEC;

	return codec <= CODEC_LAST ? b->size * factor[codec] : 0;
}

/* Whether one run may have records of both, a's before b's. Messages v0 and v1 tell only where they end. */
static bool neighbours(const struct batch_header *a, const struct batch_header *b)
{
	if (a->magic != b->magic || ((a->attributes ^ b->attributes) & (BATCH_CODEC | BATCH_LOG_APPEND_TIME)) != 0)
		return false;
	return a->magic < 2 || (a->leader_epoch == b->leader_epoch && b->base_offset == a->base_offset + a->last_delta + 1);
}

/* How many of the first items go into one job. Messages v0 and v1 that are not compressed come one by one; what is made
 * of each alone would be a batch of one record. Batches are merged where that was decided. */
static uint32_t gather(const struct mirror_lane *ml)
{
	const struct rewriting_slot *s = &ml->rewriting;
	const struct rewriting_item *first = head(ml);
	size_t bytes = first->b.size;
	uint32_t n = 1;

	if (first->b.magic == 2 && !s->coalesce.on)
		return 1;
	for (; s->head + n < s->n; n++) {
		const struct rewriting_item *next = first + n;

		bytes += next->b.size;
		if (next->hole || next->frame != first->frame || bytes > MERGED_MAX || !neighbours(&next[-1].b, &next->b))
			break;
	}
	return n;
}

/* Several batches that could be appended one by one are to be merged. */
static bool merges(const struct mirror_lane *ml)
{
	const struct rewriting_item *first = head(ml);

	return ml->rewriting.coalesce.on && !first->hole && first->b.magic == 2 &&
	       first->b.base_offset >= ml->lane.accepted && gather(ml) > 1;
}

static void begin_job(struct mirror_lane *ml, struct rewrite_job *job)
{
	struct rewriting_slot *s = &ml->rewriting;
	struct batch_header *batches;
	struct rewrite_input input;
	size_t work = 0;

	s->n_in_job = gather(ml);
	batches = xmalloc(s->n_in_job * sizeof(*batches));
	for (uint32_t i = 0; i < s->n_in_job; i++) {
		batches[i] = s->items[s->head + i].b;
		work += work_of(&batches[i]);
	}
	ml->lane.suspect = -1;   /* every record is looked at now */
	job->steps = 0;
	job->run_waits = false;
	job->on_helper = work > LOOP_WORK_MAX;
	input = (struct rewrite_input){
		.batches = batches, .n = (int)s->n_in_job, .first = ml->lane.accepted,
		.size_max = MAX(batches[0].size + batches[0].size / GAIN_DIVISOR, (uint32_t)RUN_SIZE_MIN),
		.size_wanted = MAX(batches[0].size, (uint32_t)RUN_SIZE_MIN),
	};
	if (s->run_max > 0)
		input.size_wanted = MIN(input.size_wanted, s->run_max);
	rewriter_begin(job->helper.rw, &input);
	xfree(batches);
}

static void start_job(struct mirror_lane *ml)
{
	struct rewriting *rewriting = ml->mirror->rewriting;
	struct rewrite_job *job = take_job(rewriting);

	if (job == NULL) {
		list_push_back(&rewriting->starved, &ml->rewriting.turn_node);
		return;
	}
	ml->rewriting.job = job;
	job->ml = ml;
	job->frame = head(ml)->frame;
	buf_ref(job->frame);
	begin_job(ml, job);
	go_on(job);
}

/* ---- the slot ---- */

void rewriting_add(struct mirror_lane *ml, struct buf *frame, const struct batch_header *b, bool hole)
{
	struct rewriting_slot *s = &ml->rewriting;

	if (s->n == s->cap) {
		s->cap = MAX(s->cap * 2, 16u);
		s->items = xrealloc(s->items, s->cap, sizeof(*s->items));
	}
	if (s->n == 0) {
		s->position = ml->lane.accepted;
		want_turn(ml);
	}
	buf_ref(frame);
	s->items[s->n++] = (struct rewriting_item){ frame, *b, hole };
}

void rewriting_stop(struct mirror_lane *ml)
{
	leave_job(ml);
	list_del(&ml->rewriting.turn_node);
	while (rewriting_busy(&ml->rewriting))
		pop(ml);
	xfree(ml->rewriting.items);
	ml->rewriting.items = NULL;
	ml->rewriting.cap = 0;
}

static void fail(struct mirror_lane *ml, const struct record_fault *f, bool large)
{
	enum lane_reason reason = REASON_CORRUPT_SOURCE_BATCH;

	if (!lane_bad(&ml->lane, f->offset))
		return;   /* the slot is left, and the batch met again when what is before it is appended */
	if (large && f->kind != FAULT_BATCH_SIZE)
		reason = REASON_RECORD_TOO_LARGE;
	else if (f->kind == FAULT_CODEC)
		reason = REASON_UNSUPPORTED_MESSAGE_FORMAT;
	mirror_lane_fail(ml, reason, "source: %s in the batch at offset %lld, found at offset %lld", fault_text(f->kind),
			 (long long)head(ml)->b.base_offset, (long long)f->offset);
}

static void fault(struct mirror_lane *ml, const struct record_fault *f, bool large)
{
	int64_t batch = head(ml)->b.base_offset;

	if (f->kind == FAULT_CRC && ml->rewriting.crc_at != batch) {
		ml->rewriting.crc_at = batch;
		log_warn(ml->subject, "the CRC of a fetched batch does not hold: it is fetched again", "offset=%lld",
			 (long long)batch);
	} else {
		fail(ml, f, large);
	}
}

/* After the lane was offered something. False: nothing more is to be offered now. */
static bool goes_on(struct mirror_lane *ml, enum lane_verdict verdict)
{
	ml->rewriting.position = ml->lane.accepted;
	return verdict == LANE_TAKE || verdict == LANE_SKIP;
}

static bool stands(const struct mirror_lane *ml)
{
	return lane_is_open(&ml->lane) && ml->lane.accepted == ml->rewriting.position;
}

/* The slot was left: the lane is fetched for again. It may be gone afterwards. */
static void leave(struct mirror_lane *ml)
{
	rewriting_stop(ml);
	mirror_lane_go_on(ml);
}

static void turn(struct mirror_lane *ml)
{
	int64_t now = loop_now(ml->mirror->loop);
	enum lane_verdict verdict = LANE_TAKE;

	while (stands(ml) && rewriting_busy(&ml->rewriting)) {
		struct rewriting_item *item = head(ml);

		if (merges(ml))
			verdict = LANE_REWRITE;
		else if (item->hole)
			verdict = lane_offer_hole(&ml->lane, &item->b, now);
		else
			verdict = lane_offer(&ml->lane, item->frame, &item->b, now);
		if (verdict == LANE_REWRITE) {
			start_job(ml);
			mirror_lane_ready(ml);
			return;
		}
		if (!goes_on(ml, verdict))
			break;
		pop(ml);
	}
	leave(ml);
}

static void turns(struct op *op, int res)
{
	struct rewriting *rewriting = container_of(op, struct rewriting, op);
	struct list *node = list_pop(&rewriting->turns);

	(void)res;
	if (node != NULL)
		turn(list_entry(node, struct mirror_lane, rewriting.turn_node));
	turn_soon(rewriting);
}

/* ---- what a job comes to ---- */

/* Everything behind the last run has no record. The header stands for the batch's end only: in v0 and v1 its offset is
 * that of its last record. */
static enum lane_verdict offer_rest(struct mirror_lane *ml)
{
	struct batch_header b = head(ml)[ml->rewriting.n_in_job - 1].b;

	b.magic = 2;
	return lane_offer_hole(&ml->lane, &b, loop_now(ml->mirror->loop));
}

/* False: no memory yet, or the slot was left. */
static bool deliver(struct rewrite_job *job)
{
	const struct rewrite_run *run = rewriter_run(job->helper.rw);
	struct buf *buf = buf_get(job->rewriting->pool, run->len);
	struct mirror_lane *ml = job->ml;
	enum lane_verdict verdict;
	struct batch_header b;
	struct reader r;

	if (buf == NULL) {
		buf_pool_wait(job->rewriting->pool, &job->waiter);
		return false;
	}
	memcpy(buf->data, run->data, run->len);
	buf->len = run->len;
	r = (struct reader){ .p = buf->data, .end = buf->data + buf->len };
	CHECK(batch_next(&r, &b) == BATCH_OK);
	verdict = lane_offer(&ml->lane, buf, &b, loop_now(ml->mirror->loop));
	buf_unref(buf);
	if (verdict == LANE_TAKE)
		lane_made(&ml->lane);
	if (goes_on(ml, verdict)) {
		mirror_lane_ready(ml);
		return true;
	}
	leave(ml);
	return false;
}

static void finish(struct rewrite_job *job)
{
	struct mirror_lane *ml = job->ml;
	bool on = goes_on(ml, offer_rest(ml));

	leave_job(ml);
	if (head(ml)->b.magic == 2 && ml->rewriting.n_in_job > 1)
		ml->rewriting.coalesced += ml->rewriting.n_in_job;
	for (uint32_t n = ml->rewriting.n_in_job; n > 0; n--)
		pop(ml);
	if (on && rewriting_busy(&ml->rewriting)) {
		mirror_lane_ready(ml);
		want_turn(ml);
	} else {
		leave(ml);
	}
}

static void take(struct rewrite_job *job, enum rewrite_result result)
{
	struct mirror_lane *ml = job->ml;

	if (ml == NULL) {
		release_job(job);
		return;
	}
	if (!stands(ml)) {
		leave(ml);
		return;
	}
	switch (result) {
	case REWRITE_AGAIN:
		job->on_helper = job->on_helper || ++job->steps >= LOOP_STEPS_MAX;
		go_on(job);
		return;
	case REWRITE_RUN:
		job->run_waits = false;
		if (deliver(job))
			go_on(job);
		return;
	case REWRITE_END:
		finish(job);
		return;
	case REWRITE_BAD:
	case REWRITE_LARGE:
	default:
		fault(ml, rewriter_fault(job->helper.rw), result == REWRITE_LARGE);
		leave(ml);
		return;
	}
}

static void job_op(struct op *op, int res)
{
	struct rewrite_job *job = container_of(op, struct rewrite_job, op);

	(void)res;
	if (job->ml == NULL)
		release_job(job);
	else
		take(job, job->run_waits ? REWRITE_RUN : rewriter_step(job->helper.rw, STEP));
}

static void job_back(struct post *post)
{
	struct rewrite_job *job = container_of(post, struct rewrite_job, helper.post);

	helper_came_back(&job->helper);
	take(job, job->helper.result);
}

/* Memory came back: the run that waits is tried again. */
static void job_memory(struct buf_waiter *waiter)
{
	struct rewrite_job *job = container_of(waiter, struct rewrite_job, waiter);

	job->run_waits = true;
	loop_defer(job->rewriting->mirror->loop, &job->op, 0);
}

/* ---- all of it ---- */

void rewriting_init(struct mirror *m, size_t budget)
{
	struct rewriting *rewriting = xcalloc(1, sizeof(*rewriting));

	rewriting->mirror = m;
	rewriting->pool = buf_pool_create(budget);
	list_init(&rewriting->turns);
	list_init(&rewriting->starved);
	list_init(&rewriting->idle);
	rewriting->op.done = turns;
	rewriting->helper = helper_create();
	m->rewriting = rewriting;
}

bool rewriting_idle(const struct mirror *m)
{
	return m->rewriting->n_busy == 0 && !op_busy(&m->rewriting->op);
}

void rewriting_fini(struct mirror *m)
{
	struct rewriting *rewriting = m->rewriting;
	struct list *node;

	CHECK(rewriting_idle(m));
	while ((node = list_pop(&rewriting->idle)) != NULL) {
		struct rewrite_job *job = list_entry(node, struct rewrite_job, node);

		rewriter_destroy(job->helper.rw);
		xfree(job);
	}
	helper_destroy(rewriting->helper);
	buf_pool_destroy(rewriting->pool);
	xfree(rewriting);
}
