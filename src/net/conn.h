/* SPDX-License-Identifier: Apache-2.0 */
/* A framed connection: Kafka's 4-byte length in front of every frame, in both directions. It dials a list of
 * addresses one after the other, receives every frame into a buffer of its own, and sends frames gathered from
 * slices. Underneath is a stream (stream.h): plain now, TLS later, without change here.
 *
 * Receiving: small frames come through a staging area and are copied once; of a larger frame only what the staging
 * area already held is copied, the rest is received in place. When ops->alloc has no buffer the connection stops
 * reading, which is the flow control, until conn_resume.
 *
 * Sending: frames are sent in the order of conn_send, as many in one system call as fit. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "net/loop.h"

struct conn;
struct stream_maker;

/* A frame to send, embedded in its owner. iov[0..n_iov) is the whole frame with its length prefix; it and what it
 * points to stay unchanged until `sent` is called: once, with 0 when all bytes were given to the kernel, or -errno /
 * -ECANCELED when the connection ended first (some bytes may have gone). */
struct frame_out {
	const struct iovec *iov;
	int n_iov;
	void (*sent)(struct frame_out *frame, int res);
	/* private */
	struct list node_;
	int at_;        /* slices that are sent */
	size_t off_;    /* bytes of iov[at_] that are sent */
};

struct conn_ops {
	/* The connection is up. */
	void (*ready)(struct conn *conn);
	/* A buffer of at least len bytes for a frame (without its length prefix), or NULL: wait for conn_resume. */
	struct buf *(*alloc)(struct conn *conn, size_t len);
	/* A whole frame; the callee owns the reference. frame->len is the frame's length. */
	void (*frame)(struct conn *conn, struct buf *frame);
	/* The end, once per conn_open: nothing of this connection is in flight any more and no callback follows. rc and
	 * text as in err.h say why ("closed by the peer", the address that refused). conn_open may be called again. */
	void (*closed)(struct conn *conn, const struct err *why);
};

struct conn_opts {
	const struct sockaddr_storage *addrs;   /* copied */
	int n_addrs;
	int64_t connect_timeout_ns;             /* for each address */
	size_t frame_max;                       /* a longer frame is a protocol violation (RC_PROTO) */
	int rcvbuf, sndbuf;                     /* 0: the system's default */
	const struct stream_maker *maker;       /* stream.h; NULL: plain. Must outlive the connection */
};

struct conn {
	const struct conn_ops *ops;
	void *owner;
	/* private: see conn.c */
	struct conn_priv *p_;
};

/* In place; ops and owner must outlive it. */
void conn_init(struct conn *conn, struct loop *loop, const struct conn_ops *ops, void *owner);
/* Frees what conn_init made; the connection must be closed. */
void conn_fini(struct conn *conn);

/* Starts dialling. Only when closed. */
void conn_open(struct conn *conn, const struct conn_opts *opts);
/* The server side: takes over a connected descriptor. */
void conn_adopt(struct conn *conn, int fd, const struct conn_opts *opts);
/* Ends the connection: pending frames get `sent` with -ECANCELED, then ops->closed comes, later. Idempotent. */
void conn_close(struct conn *conn, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same, with a hint. False: it was ending already, for another reason. */
bool conn_close_err(struct conn *conn, const struct err *why);
/* True from conn_open until ops->closed. */
bool conn_is_open(const struct conn *conn);
/* True between ready and the end. */
bool conn_is_ready(const struct conn *conn);

/* Queues a frame. Only when ready. Frames queued in one round of the loop go out together. */
void conn_send(struct conn *conn, struct frame_out *frame);
/* Bytes that are queued and not yet given to the kernel. */
size_t conn_unsent(const struct conn *conn);
/* There may be buffers again: asks ops->alloc anew. */
void conn_resume(struct conn *conn);
/* When the first certificate of the peer's chain ends, seconds since 1970; -1: it showed none. Only when ready. */
int64_t conn_peer_expiry(const struct conn *conn);
/* "127.0.0.1:9092" of the peer that it is connected to or dials; "" before. */
const char *conn_peer(const struct conn *conn);
