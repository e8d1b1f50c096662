/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its response, embedded in its issuer. It stays a struct until its broker is ready: encoding happens
 * when it is sent, because only then the version is known. Request, decoded response and every small array live in
 * its arena; call_reset frees all at once. The response may point into the received frame, which the arena holds. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "net/conn.h"
#include "wire/codec.h"

struct call;
struct broker;

typedef void call_done_fn(struct call *call);

struct call {
	const struct api_desc *api;
	struct arena arena;
	int16_t version_min, version_max;  /* narrower than the table's where the issuer needs it; set after call_init */
	int64_t deadline_ns;               /* monotonic; 0: the cluster's request timeout from broker_call on */
	bool (*may_send)(const struct call *call);  /* NULL: yes. Asked when the call would go on the wire, which may be
	                                    * long after broker_call; no: RC_CANCELLED and not sent. No side effects */
	call_done_fn *done;                /* called once, never before broker_call returned */
	void *owner;

	/* valid in and after done */
	int rc;                            /* RC_OK: the response is there, whatever error codes it holds */
	bool sent;                         /* bytes of it may have reached the broker: with rc != RC_OK the outcome
	                                    * is unknown */
	int16_t version;                   /* what was spoken */
	struct err err;                    /* when rc != RC_OK */

	/* private */
	void *req_, *res_;
	struct broker *broker_;
	int32_t correlation_id_;
	bool busy_, arena_ready_;
	int64_t sent_at_ns_;
	struct list node_;
	struct frame_out frame_;
	bool frame_busy_;                  /* the connection still points to the encoded bytes */
	struct buf *answer_;               /* the frame that res_ points into; the arena holds it */
	struct buf *early_;                /* the response came before the last byte of the request was reported sent */
};

/* Prepares a call for an API: the request is in the arena with its defaults. May be used again after call_reset. */
void call_init(struct call *call, const struct api_desc *api, call_done_fn *done, void *owner);
/* Frees request and response; the call must not be busy. The call may be initialised again, or forgotten. */
void call_reset(struct call *call);
/* Like call_reset, and gives back the memory that call_reset keeps for use again. Also right for a zeroed call. */
void call_fini(struct call *call);
/* True from broker_call until just before done. */
static inline bool call_busy(const struct call *call)
{
	return call->busy_;
}

/* The frame that the response points into, for owners that take references of their own. Valid until call_reset. */
static inline struct buf *call_frame(const struct call *call)
{
	return call->answer_;
}

void *call_request_(struct call *call, const struct api_desc *api);
void *call_response_(struct call *call, const struct api_desc *api);
/* The typed doors: call_req(&call, fetch) is a struct fetch_request *. */
#define call_req(call, name) ((struct name##_request *)call_request_((call), &name##_api))
#define call_res(call, name) ((struct name##_response *)call_response_((call), &name##_api))
