/* SPDX-License-Identifier: Apache-2.0 */
/* Receiving. Between frames the staging area is received into:
 *
 *   staging:  [....|len1 frame1 len2 frame2 len3 part of frame3|      ]
 *                 head                                        tail
 *
 * Whole frames in it are copied out and handed over; a frame whose rest is large gets what is there, and then the
 * rest straight from the socket. */
#include "net/conn_priv.h"

#include <errno.h>
#include <string.h>

enum { PREFIX = 4, SHOWN_BYTES = 8 };

static void take_off(struct conn_rx *rx)
{
	size_t n = MIN(rx->tail - rx->head, rx->want - rx->frame->len);

	memcpy(rx->frame->data + rx->frame->len, rx->staging + rx->head, n);
	rx->frame->len += n;
	rx->head += n;
}

static int32_t prefix(const struct conn_rx *rx)
{
	const uint8_t *b = rx->staging + rx->head;

	return (int32_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]);
}

static const char *guess(const uint8_t *b, struct err *err)
{
	if (memcmp(b, "HTTP", 4) == 0) {
		err_hint(err, "this is an HTTP server; use the port of a Kafka listener");
		return "the peer speaks HTTP";
	}
	if (b[1] == 3 && b[0] == 0x15) {
		err_hint(err, "the listener wants TLS: security.protocol=SSL or SASL_SSL");
		return "the peer sent a TLS alert";
	}
	if (b[1] == 3 && b[0] == 0x16) {
		err_hint(err, "the peer uses TLS (security.protocol=SSL or SASL_SSL), this side does not");
		return "the peer speaks TLS";
	}
	err_hint(err, "check host and port, and security.protocol");
	return "not a Kafka listener?";
}

static void bad_length(struct conn_priv *p, int32_t len)
{
	const uint8_t *b = p->rx.staging + p->rx.head;
	size_t n = MIN(p->rx.tail - p->rx.head, (size_t)SHOWN_BYTES);
	char bytes[3 * SHOWN_BYTES + 1] = "";
	const char *what;
	struct err hint = { 0 };

	for (size_t i = 0; i < n; i++)
		snprintf(bytes + 3 * i, sizeof(bytes) - 3 * i, "%02x%s", b[i], i + 1 < n ? " " : "");
	what = guess(b, &hint);
	if (len < 0)
		err_set(&p->why, RC_PROTO, "%s: frame length %d is negative: %s (it begins with %s)", p->peer, len,
		        what, bytes);
	else
		err_set(&p->why, RC_PROTO, "%s: frame length %d > %zu: %s (it begins with %s)", p->peer, len,
		        p->opts.frame_max, what, bytes);
	err_hint(&p->why, "%s", hint.hint);
	conn_end(p);
}

/* Reads the prefix and gets a buffer; false when there is none to fill now. */
static bool begin_frame(struct conn_priv *p)
{
	struct conn_rx *rx = &p->rx;
	int32_t len;
	struct buf *frame;

	if (rx->tail - rx->head < PREFIX)
		return false;
	len = prefix(rx);
	if (len < 0 || (size_t)len > p->opts.frame_max) {
		bad_length(p, len);
		return false;
	}
	/* Before the call, which may well call conn_resume. */
	rx->blocked = true;
	frame = p->conn->ops->alloc(p->conn, (size_t)len);
	if (frame == NULL)
		return false;
	CHECK(frame->cap >= (size_t)len);
	rx->blocked = false;
	frame->len = 0;
	rx->frame = frame;
	rx->want = (size_t)len;
	rx->head += PREFIX;
	return p->state == CONN_READY;
}

static void receive(struct conn_priv *p)
{
	struct conn_rx *rx = &p->rx;
	size_t rest = rx->frame != NULL ? rx->want - rx->frame->len : 0;

	rx->pending = true;
	p->in_flight++;
	if (rest > STAGED_REST_MAX) {
		p->stream->ops->recv(p->stream, &rx->op, rx->frame->data + rx->frame->len, rest);
		return;
	}
	memmove(rx->staging, rx->staging + rx->head, rx->tail - rx->head);
	rx->tail -= rx->head;
	rx->head = 0;
	p->stream->ops->recv(p->stream, &rx->op, rx->staging + rx->tail, sizeof(rx->staging) - rx->tail);
}

static void hand_over(struct conn_priv *p)
{
	struct buf *frame = p->rx.frame;

	p->rx.frame = NULL;
	p->conn->ops->frame(p->conn, frame);
}

void conn_rx_go(struct conn_priv *p)
{
	struct conn_rx *rx = &p->rx;

	while (p->state == CONN_READY) {
		if (rx->frame == NULL && !begin_frame(p))
			break;
		take_off(rx);
		if (rx->frame->len < rx->want)
			break;
		hand_over(p);
	}
	if (p->state == CONN_READY && !rx->blocked)
		receive(p);
}

static void at_end(struct conn_priv *p)
{
	struct conn_rx *rx = &p->rx;

	if (p->state == CONN_CLOSING)
		return;
	if (rx->frame != NULL)
		err_set(&p->why, RC_CLOSED, "%s: closed by the peer in the middle of a frame (%zu of %zu bytes)",
		        p->peer, rx->frame->len, rx->want);
	else if (rx->tail > rx->head)
		err_set(&p->why, RC_CLOSED, "%s: closed by the peer in the middle of a frame's length", p->peer);
	else
		err_set(&p->why, RC_CLOSED, "%s: closed by the peer", p->peer);
	conn_end(p);
}

static void received(struct op *op, int res)
{
	struct conn_priv *p = container_of(op, struct conn_priv, rx.op);
	struct conn_rx *rx = &p->rx;
	bool in_place = rx->frame != NULL && rx->want - rx->frame->len > STAGED_REST_MAX;

	conn_left(p);
	rx->pending = false;
	if (res < 0) {
		conn_failed(p, res);
	} else if (res == 0) {
		at_end(p);
	} else if (p->state == CONN_READY) {
		if (in_place)
			rx->frame->len += (size_t)res;
		else
			rx->tail += (size_t)res;
		conn_rx_go(p);
	}
	conn_join(p);
}

void conn_rx_init(struct conn_priv *p)
{
	struct conn_rx *rx = &p->rx;

	rx->op.done = received;
	rx->blocked = false;
	rx->frame = NULL;
	rx->head = rx->tail = 0;
}

void conn_rx_start(struct conn_priv *p)
{
	if (p->state == CONN_READY)
		conn_rx_go(p);
}

void conn_rx_drop(struct conn_priv *p)
{
	CHECK(!p->rx.pending);
	buf_unref(p->rx.frame);
	p->rx.frame = NULL;
}
