/* SPDX-License-Identifier: Apache-2.0 */
#include "client/call.h"

#include "base/mem.h"

/* Bounds what a hostile count in a response can make us allocate; Metadata of 100,000 partitions needs a tenth. */
enum { CALL_ARENA_MAX = 256 << 20 };

void call_init(struct call *call, const struct api_desc *api, call_done_fn *done, void *owner)
{
	CHECK(!call->busy_ && !call->frame_busy_);
	if (!call->arena_ready_) {
		arena_init(&call->arena, CALL_ARENA_MAX);
		call->arena_ready_ = true;
	}
	call->api = api;
	call->version_min = api->min;
	call->version_max = api->max;
	call->deadline_ns = 0;
	call->may_send = NULL;
	call->done = done;
	call->owner = owner;
	call->rc = RC_OK;
	call->sent = false;
	call->req_ = arena_alloc(&call->arena, api->request->size);
	call->res_ = NULL;
	msg_default(api->request, call->req_);
}

void call_reset(struct call *call)
{
	CHECK(!call->busy_ && !call->frame_busy_);
	if (call->arena_ready_)
		arena_reset(&call->arena);
	call->req_ = call->res_ = NULL;
}

void call_fini(struct call *call)
{
	CHECK(!call->busy_ && !call->frame_busy_);
	if (call->arena_ready_)
		arena_fini(&call->arena);
	call->arena_ready_ = false;
	call->req_ = call->res_ = NULL;
}

void *call_request_(struct call *call, const struct api_desc *api)
{
	CHECK(call->api == api && call->req_ != NULL);
	return call->req_;
}

void *call_response_(struct call *call, const struct api_desc *api)
{
	CHECK(call->api == api && call->res_ != NULL);
	return call->res_;
}
