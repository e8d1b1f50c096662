/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a broker connection share: broker.c has its calls, broker_connect.c its connection and handshake.
 * Only for client/. */
#pragma once

#include "client/auth.h"
#include "client/broker.h"
#include "client/cluster_priv.h"
#include "net/resolve.h"
#include "net/stream_tls.h"

enum broker_state {
	BROKER_IDLE, BROKER_BACKOFF, BROKER_RESOLVING, BROKER_CONNECTING, BROKER_NEGOTIATING,
	BROKER_AUTHENTICATING, BROKER_CHECKING, BROKER_READY, BROKER_CLOSING
};

enum { BROKER_N_KEYS = 128 };

struct broker {
	struct cluster *cluster;
	struct loop *loop;
	struct buf_pool *pool;
	int32_t node_id;
	const char *what;
	enum broker_state state;
	bool destroyed;

	struct conn conn;
	struct stream_tls_maker tls_maker;   /* to `host`; used when the cluster has TLS */
	struct resolve resolve;
	struct buf_waiter waiter;
	struct op resume_op;
	char host[256];         /* as it is advertised, or stands in bootstrap.servers */
	uint16_t port;
	char door[64];          /* where broker.address.map has it dialled; "": there itself */
	char text[400];

	struct list queue;      /* not sent */
	struct list in_flight;  /* sent, oldest first */
	struct list finished;   /* failed where no callback was allowed */
	int n_pending;
	struct op finish_op;
	int32_t next_correlation_id;

	struct { int16_t min, max; } versions[BROKER_N_KEYS];
	bool versions_known;
	bool named;             /* why the connection ends begins with broker_text */
	bool served;            /* it has answered what only a client that it lets in may ask */
	struct call hello;      /* ApiVersions, SaslHandshake, SaslAuthenticate, Metadata */

	struct auth_exchange auth;
	int auth_rounds;        /* of the exchange */
	bool authenticated;     /* once, on this connection */
	int renewals;           /* since, on it */
	int64_t session_lifetime_ms;
	struct timer auth_timer;   /* for the next time */

	int candidate;          /* NODE_ANY: where the next try begins */
	int candidates_failed;  /* in a row */
	int failures;           /* in a row, for the backoff */
	struct err last_failure;   /* of them; rc RC_OK: none since the connection was up */
	int64_t next_try_ns;
	int64_t throttled_until_ns;
	struct timer backoff_timer, deadline_timer, throttle_timer;
};

static inline const struct cluster_opts *broker_opts(const struct broker *b)
{
	return cluster_options(b->cluster);
}

/* ---- broker.c ---- */
void broker_move(struct broker *b, enum broker_state state);
/* Ends a connection from our side: nothing is sent on it from here on. The text begins with broker_text. */
void broker_shut(struct broker *b, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same; names the broker in front, and keeps the hint. */
void broker_shut_err(struct broker *b, const struct err *why);
/* Fails calls from a place that may not call back. */
void broker_fail_list(struct broker *b, struct list *calls, const struct err *why);
/* Has callbacks that are due, and the end of a destroyed broker, run soon. */
void broker_finish_soon(struct broker *b);
/* Puts one call on the wire. */
void broker_transmit(struct broker *b, struct call *call, int16_t version);
/* Sends what is queued, when it may be sent. */
void broker_pump(struct broker *b);
void broker_frame(struct conn *conn, struct buf *frame);
/* The calls in flight lose the answers that came before their requests were reported sent. */
void broker_drop_early(struct broker *b);
void broker_resume_soon(struct broker *b);

/* ---- broker_auth.c ---- */
void broker_auth_init(struct broker *b);
/* Says who we are, for the first time or again; ends in broker_authenticated or the end of the connection. */
void broker_authenticate(struct broker *b);
/* The connection has ended. */
void broker_auth_end(struct broker *b);

/* ---- broker_connect.c ---- */
/* Sends b->hello, which is initialised: around the queue, for nothing else may be sent before it is answered. */
void broker_send_hello(struct broker *b, int16_t version);
void broker_authenticated(struct broker *b);
void broker_connect_init(struct broker *b);
/* Dials, at once or after the backoff. Only when IDLE. */
void broker_connect(struct broker *b);
