/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: every TICK_MS each partition gets a batch of the records that are due, one request at a time.
 *
 * Failure modes: no leader, an error, a lost connection: the records are given up, metadata is asked for, and the next
 * tick goes on. */
#include "krmirror/drill_writer.h"

#include "base/clock.h"
#include "base/mem.h"
#include "wire/batch.h"
#include "wire/kerr.h"
#include "wire/msg/produce.h"

enum { TICK_MS = 20, BATCH_MAX = 2000, CALL_MS = 15000 };

struct writer {
	struct cluster *cluster;
	int64_t rate, started_ns;
	struct writer_part **parts;
	int n;
	struct timer tick;
	bool stopping;
};

struct writer *writer_create(struct cluster *cluster, int64_t rate)
{
	struct writer *w = xcalloc(1, sizeof(*w));

	w->cluster = cluster;
	w->rate = rate;
	return w;
}

void writer_add(struct writer *w, const char *topic, int32_t partition)
{
	struct writer_part *p = xcalloc(1, sizeof(*p));

	*p = (struct writer_part){ .topic = topic, .partition = partition, .writer_ = w };
	w->parts = xrealloc(w->parts, (size_t)w->n + 1, sizeof(*w->parts));
	w->parts[w->n++] = p;
	cluster_track(w->cluster, topic);
}

static void failed(struct writer_part *p, int rc, const char *why)
{
	p->failures++;
	err_set(&p->err, rc, "source: cannot write to %s-%d: %s", p->topic, p->partition, why);
	cluster_refresh(p->writer_->cluster);
}

static void answered(struct call *call)
{
	struct writer_part *p = call->owner;
	int64_t offset = -1;
	int16_t code;

	if (call->rc != RC_OK) {
		failed(p, call->rc, call->err.text);
	} else if ((code = produce_answer(call, &offset)) != 0) {
		const struct kerr *k = kerr_find(code);

		failed(p, k->action == KERR_STOP ? RC_AUTH : RC_KAFKA, k->name);
	} else {
		p->acks = xrealloc(p->acks, (size_t)p->n_acks + 1, sizeof(*p->acks));
		p->acks[p->n_acks++] = (struct writer_ack){ offset, p->sending_, p->sending_ms_, clock_mono_ns() };
		p->end = offset + p->sending_;
		p->err = (struct err){ 0 };
	}
	call_reset(call);
}

/* Each record says which one it is. */
static struct bytes build(struct writer_part *p, int32_t n, struct arena *arena)
{
	struct batch_record *records = arena_new(arena, struct batch_record, n);
	struct batch_draft draft = { .records = records, .n = n, .timestamp = p->sending_ms_, .stamp = { -1, -1, -1 } };

	for (int32_t i = 0; i < n; i++) {
		char text[64];
		int len = snprintf(text, sizeof(text), "record %lld of partition %d", (long long)(p->number_ + i),
				   (int)p->partition);

		records[i].value = (struct bytes){ (const uint8_t *)arena_strdup(arena, text), len };
		len = snprintf(text, sizeof(text), "%lld", (long long)(p->number_ + i));
		records[i].key = (struct bytes){ (const uint8_t *)arena_strdup(arena, text), len };
	}
	return batch_build(&draft, arena);
}

static void send_due(struct writer_part *p)
{
	struct writer *w = p->writer_;
	int32_t node, epoch, n = (int32_t)MIN(p->due_ - p->number_, BATCH_MAX);

	if (n <= 0 || call_busy(&p->call_))
		return;
	if (!cluster_leader(w->cluster, p->topic, p->partition, &node, &epoch)) {
		failed(p, RC_TIMEOUT, "no leader is known");
		return;
	}
	call_init(&p->call_, &produce_api, answered, p);
	p->call_.deadline_ns = clock_mono_ns() + CALL_MS * NS_PER_MS;
	p->sending_ = n;
	p->sending_ms_ = clock_wall_ms();
	produce_ask(&p->call_, p->topic, p->partition, build(p, n, &p->call_.arena));
	p->number_ += n;
	broker_call(cluster_broker(w->cluster, node), &p->call_);
}

static void tick(struct timer *timer)
{
	struct writer *w = container_of(timer, struct writer, tick);
	int64_t now = clock_mono_ns();

	if (w->stopping)
		return;
	for (int i = 0; i < w->n; i++) {
		w->parts[i]->due_ = (int64_t)((double)(now - w->started_ns) / 1e9 * (double)w->rate / w->n) + 1;
		send_due(w->parts[i]);
	}
	loop_timer_set(cluster_loop(w->cluster), &w->tick, now + TICK_MS * NS_PER_MS);
}

void writer_start(struct writer *w)
{
	w->started_ns = clock_mono_ns();
	w->tick.done = tick;
	loop_timer_set(cluster_loop(w->cluster), &w->tick, w->started_ns);
}

static bool busy(const struct writer *w)
{
	for (int i = 0; i < w->n; i++)
		if (call_busy(&w->parts[i]->call_))
			return true;
	return false;
}

void writer_stop(struct writer *w)
{
	w->stopping = true;
	if (w->tick.done != NULL)
		loop_timer_clear(&w->tick);
	while (busy(w))
		loop_step(cluster_loop(w->cluster), clock_mono_ns() + TICK_MS * NS_PER_MS);
}

void writer_destroy(struct writer *w)
{
	if (w == NULL)
		return;
	writer_stop(w);
	for (int i = 0; i < w->n; i++) {
		cluster_untrack(w->cluster, w->parts[i]->topic);
		call_fini(&w->parts[i]->call_);
		xfree(w->parts[i]->acks);
		xfree(w->parts[i]);
	}
	xfree(w->parts);
	xfree(w);
}

int64_t writer_acked(const struct writer *w)
{
	int64_t n = 0;

	for (int i = 0; i < w->n; i++)
		for (int k = 0; k < w->parts[i]->n_acks; k++)
			n += w->parts[i]->acks[k].n;
	return n;
}

const struct writer_part *writer_part(const struct writer *w, int i)
{
	return w->parts[i];
}

const struct err *writer_trouble(const struct writer *w)
{
	for (int i = 0; i < w->n; i++)
		if (w->parts[i]->err.rc != RC_OK)
			return &w->parts[i]->err;
	return NULL;
}
