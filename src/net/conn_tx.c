/* SPDX-License-Identifier: Apache-2.0 */
/* Sending. conn_send only queues; at the end of the round all that is queued is gathered into one call. While that is
 * under way more may be queued, which goes with the next call. A short send goes on where it ended. */
#include "net/conn_priv.h"

#include <string.h>

/* Adds bytes to the slices; false when there is no place. */
static bool add(struct conn_tx *tx, int *n, size_t *flat, const uint8_t *data, size_t len)
{
	const uint8_t *at = data;
	struct iovec *last = *n > 0 ? &tx->slices[*n - 1] : NULL;

	if (len <= TX_SMALL_MAX && *flat + len <= TX_FLAT_BYTES)
		at = tx->flat + *flat;
	if (last != NULL && at != data && (uint8_t *)last->iov_base + last->iov_len == at)
		last->iov_len += len;
	else if (*n == TX_SLICES)
		return false;
	else
		tx->slices[(*n)++] = (struct iovec){ .iov_len = len };
	if (at != data) {
		memcpy(tx->flat + *flat, data, len);
		*flat += len;
	}
	last = &tx->slices[*n - 1];
	/* Sending only reads; the type has no const. */
	if (last->iov_base == NULL)
		memcpy(&last->iov_base, &at, sizeof(at));
	return true;
}

static int gather(struct conn_tx *tx)
{
	struct list *node;
	size_t flat = 0, total = 0;
	int n = 0;

	list_each(node, &tx->queue) {
		struct frame_out *frame = list_entry(node, struct frame_out, node_);
		size_t off = frame->off_;

		for (int i = frame->at_; i < frame->n_iov; i++, off = 0) {
			const struct iovec *slice = &frame->iov[i];

			if (slice->iov_len == off)
				continue;
			if (!add(tx, &n, &flat, (const uint8_t *)slice->iov_base + off, slice->iov_len - off))
				return n;
			total += slice->iov_len - off;
		}
		if (total >= TX_BYTES_MAX)
			break;
	}
	return n;
}

static void push(struct conn_priv *p)
{
	struct conn_tx *tx = &p->tx;

	if (tx->pending || list_empty(&tx->queue))
		return;
	tx->pending = true;
	p->in_flight++;
	p->stream->ops->sendv(p->stream, &tx->op, tx->slices, gather(tx));
}

/* Marks n bytes of the queue as sent; frames that are complete go to `finished`. */
static void advance(struct conn_tx *tx, size_t n, struct list *finished)
{
	CHECK(n <= tx->unsent);
	tx->unsent -= n;
	while (!list_empty(&tx->queue)) {
		struct frame_out *frame = list_entry(tx->queue.next, struct frame_out, node_);

		for (; frame->at_ < frame->n_iov; frame->at_++, frame->off_ = 0) {
			size_t left = frame->iov[frame->at_].iov_len - frame->off_;

			if (n < left) {
				frame->off_ += n;
				return;
			}
			n -= left;
		}
		list_del(&frame->node_);
		list_push_back(finished, &frame->node_);
	}
}

static void give_back(struct list *frames, int res)
{
	while (!list_empty(frames)) {
		struct frame_out *frame = list_entry(frames->next, struct frame_out, node_);

		list_del(&frame->node_);
		frame->sent(frame, res);
	}
}

static void sent(struct op *op, int res)
{
	struct conn_priv *p = container_of(op, struct conn_priv, tx.op);
	struct list finished;

	conn_left(p);
	p->tx.pending = false;
	list_init(&finished);
	if (res >= 0)
		advance(&p->tx, (size_t)res, &finished);
	else
		conn_failed(p, res);
	give_back(&finished, 0);
	if (p->state == CONN_READY)
		push(p);
	conn_join(p);
}

static void flush(struct op *op, int res)
{
	struct conn_priv *p = container_of(op, struct conn_priv, tx.flush);

	(void)res;
	conn_left(p);
	p->tx.flushing = false;
	if (p->state == CONN_READY)
		push(p);
	conn_join(p);
}

void conn_send(struct conn *conn, struct frame_out *frame)
{
	struct conn_priv *p = conn->p_;
	struct conn_tx *tx = &p->tx;
	size_t size = 0;

	CHECK(p->state == CONN_READY);
	for (int i = 0; i < frame->n_iov; i++)
		size += frame->iov[i].iov_len;
	CHECK(size > 0);
	frame->at_ = 0;
	frame->off_ = 0;
	list_push_back(&tx->queue, &frame->node_);
	tx->unsent += size;
	if (tx->pending || tx->flushing)
		return;
	tx->flushing = true;
	p->in_flight++;
	loop_defer(p->loop, &tx->flush, 0);
}

size_t conn_unsent(const struct conn *conn)
{
	return conn->p_->tx.unsent;
}

void conn_tx_init(struct conn_priv *p)
{
	p->tx.op.done = sent;
	p->tx.flush.done = flush;
	list_init(&p->tx.queue);
	p->tx.unsent = 0;
}

void conn_tx_drop(struct conn_priv *p, int res)
{
	CHECK(!p->tx.pending);
	p->tx.unsent = 0;
	give_back(&p->tx.queue, res);
}
