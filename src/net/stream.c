/* SPDX-License-Identifier: Apache-2.0 */
/* The plain stream: the caller's ops go straight to the loop. */
#include "net/stream.h"

#include "base/mem.h"

struct plain {
	struct stream stream;
	struct op *recv, *send;   /* the last ones that were passed on; to cancel them */
};

static struct plain *self(struct stream *stream)
{
	return container_of(stream, struct plain, stream);
}

static void plain_handshake(struct stream *stream, struct op *op)
{
	loop_defer(stream->loop, op, 0);
}

static void plain_recv(struct stream *stream, struct op *op, void *buf, size_t len)
{
	self(stream)->recv = op;
	loop_recv(stream->loop, op, stream->fd, buf, len);
}

static void plain_sendv(struct stream *stream, struct op *op, const struct iovec *iov, int n)
{
	self(stream)->send = op;
	loop_sendv(stream->loop, op, stream->fd, iov, n);
}

static void plain_close(struct stream *stream, struct op *op)
{
	struct plain *plain = self(stream);

	if (plain->recv != NULL)
		loop_cancel(stream->loop, plain->recv);
	if (plain->send != NULL)
		loop_cancel(stream->loop, plain->send);
	loop_defer(stream->loop, op, 0);
}

static void plain_destroy(struct stream *stream)
{
	loop_close(stream->loop, stream->fd);
	xfree(self(stream));
}

static const struct stream_ops plain_ops = {
	.name = "plain",
	.handshake = plain_handshake,
	.recv = plain_recv,
	.sendv = plain_sendv,
	.close = plain_close,
	.destroy = plain_destroy,
};

struct stream *stream_plain_create(struct loop *loop, int fd)
{
	struct plain *plain = xcalloc(1, sizeof(*plain));

	plain->stream = (struct stream){ .ops = &plain_ops, .loop = loop, .fd = fd };
	return &plain->stream;
}
