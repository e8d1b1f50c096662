/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/state.h"

#include <stdarg.h>

const void *request_body_(const struct request *req, const struct api_desc *api)
{
	CHECK(req->api == api);
	return req->body;
}

void *request_answer_(struct request *req, const struct api_desc *api)
{
	CHECK(req->api == api);
	return req->answer;
}

void *request_alloc(struct request *req, size_t size)
{
	void *p = arena_alloc(&req->arena, size);

	CHECK(p != NULL);
	return p;
}

void request_defaults(void *items, const struct msg_desc *desc, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		msg_default(desc, (char *)items + (size_t)i * desc->size);
}

struct str request_text(struct request *req, const char *fmt, ...)
{
	struct str s;
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	CHECK(n >= 0);
	s = (struct str){ arena_strndup(&req->arena, text, (size_t)n), n };
	xfree(text);
	return s;
}

void request_hold(struct request *req, struct plog_batch *b)
{
	if (req->n_held == req->cap_held) {
		req->cap_held = MAX(req->cap_held * 2, 16);
		req->held = xrealloc(req->held, (size_t)req->cap_held, sizeof(*req->held));
	}
	plog_batch_ref(b);
	req->held[req->n_held++] = b;
}

struct bytes request_bytes(struct request *req, struct bytes from)
{
	uint8_t *copy = request_alloc(req, (size_t)MAX(from.len, 1));

	if (from.len > 0)
		memcpy(copy, from.data, (size_t)from.len);
	return (struct bytes){ copy, MAX(from.len, 0) };
}
