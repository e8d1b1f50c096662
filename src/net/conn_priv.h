/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a connection, for conn.c (its life), conn_rx.c (receiving) and conn_tx.c (sending).
 *
 *   CLOSED -> DIALING -> HANDSHAKING -> READY -> CLOSING -> CLOSED
 *      |         |___________|_______________________^
 *      |_________________^ (conn_adopt)
 *
 * Closing has three steps: conn_end marks and cancels; every completion calls conn_join, which does nothing while
 * anything is in flight; the last one frees and calls ops->closed. */
#pragma once

#include "net/conn.h"
#include "net/stream.h"

enum conn_state { CONN_CLOSED, CONN_DIALING, CONN_HANDSHAKING, CONN_READY, CONN_CLOSING };

enum {
	STAGING_BYTES = 16 << 10,
	/* The rest of a frame that is not longer than this comes through the staging area, for what follows it can come
	 * with the same call. */
	STAGED_REST_MAX = 4 << 10,
	TX_SLICES = 1024,        /* IOV_MAX */
	TX_FLAT_BYTES = 32 << 10,
	/* Slices up to here are copied together: a slice of its own costs the kernel more than the copy. */
	TX_SMALL_MAX = 512,
	/* More than a socket takes at once. */
	TX_BYTES_MAX = 4 << 20,
	PEER_TEXT = 64,
};

struct conn_rx {
	struct op op;
	bool pending;            /* op was started */
	bool blocked;            /* ops->alloc had no buffer */
	struct buf *frame;       /* what is being filled, frame->len bytes of want; NULL between frames */
	size_t want;
	size_t head, tail;       /* staging[head..tail) is received and not yet looked at */
	uint8_t staging[STAGING_BYTES];
};

struct conn_tx {
	struct op op;            /* sendv */
	struct op flush;         /* deferred to the end of the round */
	bool pending, flushing;
	struct list queue;       /* frame_out, oldest first */
	size_t unsent;
	struct iovec slices[TX_SLICES];
	uint8_t flat[TX_FLAT_BYTES];
};

struct conn_priv {
	struct conn *conn;
	struct loop *loop;
	enum conn_state state;
	int in_flight;           /* ops of this connection that were started and have not completed */

	struct conn_opts opts;   /* addrs is our copy */
	struct sockaddr_storage *addrs;
	int at_addr;             /* that is dialled */
	int fd;                  /* until the stream owns it, else -1 */
	bool timed_out;
	struct op step;          /* the one thing that is waited for before READY */
	struct timer timer;      /* for the address that is dialled */
	struct stream *stream;
	struct op resume, close;
	bool resuming;
	char peer[PEER_TEXT];
	struct err failures;     /* of the addresses so far */
	struct err why;

	struct conn_rx rx;
	struct conn_tx tx;
};

/* conn.c: ends the connection for the reason in p->why, which the caller has set. Only when open. */
void conn_end(struct conn_priv *p);
/* An op of the stream failed with res < 0. */
void conn_failed(struct conn_priv *p, int res);
/* At the start and the end of every completion. */
void conn_left(struct conn_priv *p);
void conn_join(struct conn_priv *p);

/* conn_rx.c */
void conn_rx_init(struct conn_priv *p);
void conn_rx_start(struct conn_priv *p);
/* Hands over what the staging area holds, then receives again. */
void conn_rx_go(struct conn_priv *p);
void conn_rx_drop(struct conn_priv *p);

/* conn_tx.c */
void conn_tx_init(struct conn_priv *p);
/* Gives every queued frame back with res. */
void conn_tx_drop(struct conn_priv *p, int res);
