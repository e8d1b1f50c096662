/* SPDX-License-Identifier: Apache-2.0 */
/* What carries the bytes of a connection: a connected descriptor, plain or (later) with TLS. The connection above sees
 * plain bytes in both cases and changes nothing.
 *
 * The ops are the caller's, with the rules of loop.h: each that was started completes exactly once, never before the
 * call returned. An implementation may pass them on to the loop (plain does) or keep them and complete them itself by
 * loop_defer when it has what was asked for; op_busy therefore says nothing about them, the caller must remember
 * what it started. At most one handshake, then at most one recv and one sendv are under way.
 *
 * For an implementation with buffers of its own: recv answers from plain text that it already holds before it reads
 * again; sendv may answer as soon as it has taken the bytes over, and then puts the next sendv off until they have
 * gone; what it sends and receives for itself uses ops of its own, which close waits for. */
#pragma once

#include "base/err.h"
#include "net/loop.h"

struct stream;

struct stream_ops {
	const char *name;   /* "plain", "tls" */
	/* res 0: bytes may flow. */
	void (*handshake)(struct stream *stream, struct op *op);
	void (*recv)(struct stream *stream, struct op *op, void *buf, size_t len);
	void (*sendv)(struct stream *stream, struct op *op, const struct iovec *iov, int n);
	/* Ends what is under way; the ops of it still complete. op completes when no op of the stream's own is in
	 * flight. After all of them: destroy. */
	void (*close)(struct stream *stream, struct op *op);
	/* Closes the descriptor, frees the stream. */
	void (*destroy)(struct stream *stream);
	/* Puts what the stream knows about a failed op (a certificate, an alert) into err; false when there is nothing
	 * to add to the errno. May be NULL. */
	bool (*explain)(const struct stream *stream, int res, struct err *err);
	/* As conn_peer_expiry. May be NULL: no certificates. */
	int64_t (*peer_expiry)(const struct stream *stream);
};

/* The first member of the implementation's own structure. */
struct stream {
	const struct stream_ops *ops;
	struct loop *loop;
	int fd;
};

/* Makes streams of a kind from connected descriptors, which they own from then on. */
struct stream_maker {
	struct stream *(*make)(const struct stream_maker *maker, struct loop *loop, int fd);
};

struct stream *stream_plain_create(struct loop *loop, int fd);
