/* SPDX-License-Identifier: Apache-2.0 */
#include "talk.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

static void take_reply(struct sandbox_client *client, struct sandbox_reply *reply)
{
	struct talk *t = sandbox_client_owner(client);
	uint8_t *data = arena_alloc(&t->arena, reply->len);
	size_t at = 0;

	for (int i = 0; i < reply->n_iov; i++) {
		memcpy(data + at, reply->iov[i].iov_base, reply->iov[i].iov_len);
		at += reply->iov[i].iov_len;
	}
	CHECK(t->reply.data == NULL);
	t->reply = (struct bytes){ data, (int32_t)reply->len };
	sandbox_reply_free(reply);
}

static void take_drop(struct sandbox_client *client, const char *why)
{
	(void)client;
	check_failed(__FILE__, __LINE__, why);
}

static const struct sandbox_client_ops ops = { .reply = take_reply, .drop = take_drop };

void talk_open(struct talk *talk, struct net_broker *broker)
{
	*talk = (struct talk){ .broker = broker };
	arena_init(&talk->arena, 0);
	talk->client = sandbox_client_open(broker->sandbox, &ops, talk, "10.0.0.8");
}

void talk_close(struct talk *talk)
{
	sandbox_client_close(talk->client);
	arena_fini(&talk->arena);
}

void talk_begin(struct talk *talk)
{
	arena_fini(&talk->arena);
	arena_init(&talk->arena, 0);
}

void *talk_alloc(struct talk *talk, size_t size)
{
	return arena_alloc(&talk->arena, size);
}

void *talk_message(struct talk *talk, const struct msg_desc *desc)
{
	void *msg = talk_alloc(talk, desc->size);

	msg_default(desc, msg);
	return msg;
}

void *talk_array(struct talk *talk, const struct msg_desc *desc, int32_t n)
{
	uint8_t *items = talk_alloc(talk, (size_t)desc->size * (size_t)n);

	for (int32_t i = 0; i < n; i++)
		msg_default(desc, items + (size_t)i * desc->size);
	return items;
}

static void send(struct talk *talk, const struct encoded *e)
{
	struct buf *frame = net_frame(e->len);
	size_t at = 0, skip = 4;        /* the length prefix */

	for (int i = 0; i < e->n_iov; i++) {
		size_t from = MIN(skip, e->iov[i].iov_len), n = e->iov[i].iov_len - from;

		memcpy(frame->data + at, (const uint8_t *)e->iov[i].iov_base + from, n);
		at += n;
		skip -= from;
	}
	frame->len = at;
	sandbox_receive(talk->client, frame);
}

void *talk_ask(struct talk *talk, const struct api_desc *api, int16_t version, const void *request)
{
	void *response = talk_alloc(talk, api->response->size);
	struct encoded e;
	int32_t correlation;

	CHECK(request_encode(api, version, ++talk->correlation, "sim", request, &talk->arena, &e) == RC_OK);
	net_tell_time(talk->broker);
	talk->reply.data = NULL;
	send(talk, &e);
	CHECK(talk->reply.data != NULL);
	CHECK(response_decode(api, version, talk->reply.data + 4, (size_t)talk->reply.len - 4, &talk->arena, &correlation,
			      response));
	return response;
}
