/* SPDX-License-Identifier: Apache-2.0 */
/* The broker behind sandbox.h, as its own files see it: what it keeps, and a request on its way. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "sandbox/fault.h"
#include "sandbox/fetch_session.h"
#include "sandbox/sandbox.h"
#include "sandbox/store.h"
#include "sandbox/ticker.h"
#include "wire/codec.h"
#include "wire/msg/kerr_codes.h"

struct sandbox {
	struct sandbox_opts opts;
	char *host;
	char cluster_id[UUID_TEXT_LEN + 1];
	uint64_t random;                /* the state of the generator */
	int64_t now_ms, wall_ms;
	struct ticker ticker;
	struct store store;
	struct map groups;              /* of struct coord_group, coord.h */
	struct map txns;                /* of struct txn, txn.h */
	struct fetch_sessions sessions;
	struct faults faults;
	struct list runnable;           /* clients that may have a frame to start */
	struct list fetch_ready;        /* fetch waits that have enough */
	struct list parked;             /* requests that wait */
	int n_clients, n_requests;
	bool settling;
	int64_t next_producer_id;
	int64_t producer_expiry_ms;
	struct tick producer_sweep;
	struct tick cleaner;
	int32_t cleaner_backoff_ms;
};

enum { PRODUCER_EXPIRY_MS = 86400000 };   /* producer.id.expiration.ms */

/* Next number of the seeded generator. */
uint64_t sandbox_random(struct sandbox *sb);
/* A version 4 uuid, as Kafka makes topic ids. */
struct uuid sandbox_uuid(struct sandbox *sb);

struct sandbox_client {
	struct sandbox *sb;
	const struct sandbox_client_ops *ops;
	void *owner;
	char *host;
	struct list node;               /* in sandbox.runnable */
	struct list backlog;            /* frames that wait */
	int n_backlog;
	struct request *current;        /* what is worked on */
	bool dropped;
};

/* What a handler says of its request. */
enum handled {
	HANDLED,        /* the answer is complete */
	HANDLED_LATER,  /* parked: request_finish was or will be called */
	HANDLED_SILENT, /* no answer is wanted */
	HANDLED_DROP    /* end the connection */
};

struct handler;

struct request {
	struct sandbox *sb;
	struct sandbox_client *client;  /* NULL: it went away; the reply goes nowhere */
	const struct handler *handler;
	const struct api_desc *api;
	int16_t version;
	struct request_header header;
	struct reader reader;           /* at the body, until it is decoded */
	struct arena in, arena;         /* the decoded request; everything else */
	void *body, *answer;
	int16_t fault;                  /* an error that --fault wants in the answer */
	bool drop_after;                /* likewise: end the connection instead of the answer */
	struct tick tick;               /* of a parked one */
	void *wait, *state;             /* of a parked fetch: fetch_wait.c's and its handler's */
	struct list node;               /* in sandbox.parked */
	struct plog_batch **held;       /* batches that the reply points into */
	int n_held, cap_held;
	struct sandbox_reply reply;
	struct encoded encoded;
};

/* The typed doors, as call_req and call_res of the client. */
const void *request_body_(const struct request *req, const struct api_desc *api);
void *request_answer_(struct request *req, const struct api_desc *api);
#define request_body(req, name) ((const struct name##_request *)request_body_((req), &name##_api))
#define request_answer(req, name) ((struct name##_response *)request_answer_((req), &name##_api))

/* Zeroed memory for the answer. Answers are bounded by their requests and by what is stored: this does not fail. */
void *request_alloc(struct request *req, size_t size);
/* Gives an array field of the answer n elements: plain ones zeroed, structs with their defaults. */
#define request_numbers(req, field, count)                                                                            \
	((field)->n = (count), (field)->items = request_alloc((req), sizeof(*(field)->items) * (size_t)(field)->n))
#define request_items(req, field, label, count)                                                                       \
	(request_numbers(req, field, count), request_defaults((field)->items, &label##_desc, (field)->n))
void request_defaults(void *items, const struct msg_desc *desc, int32_t n);
/* A text in the request's arena. */
struct str request_text(struct request *req, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A copy in the request's arena. */
struct bytes request_bytes(struct request *req, struct bytes from);

/* Keeps the batch until the reply is freed. */
void request_hold(struct request *req, struct plog_batch *b);
/* Parks a request until request_finish. */
void request_park(struct request *req);
/* The answer of a parked request is complete. Its client goes on with the next frame later in the present call of
 * the sandbox. */
void request_finish(struct request *req);

typedef enum handled handler_fn(struct request *req);

struct handler {
	const struct api_desc *api;
	handler_fn *handle;
	int16_t min, max;               /* what is advertised */
	int16_t served_min;             /* a request below it ends the connection */
	handler_fn *unserved;           /* what a version outside gets instead; NULL: the end of the connection */
};

/* In the order of their keys. */
const struct handler *handler_table(int *n);
const struct handler *handler_find(int16_t key);
