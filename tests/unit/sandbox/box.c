/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "sandbox/bytes.h"
#include "wire/msg/incremental_alter_configs.h"
#include "wire/msg/list_offsets.h"
#include "wire/msg/produce.h"

struct encoded_reply {
	struct encoded_reply *next;
	size_t len;
	uint8_t data[];
};

static void take_reply(struct sandbox_client *client, struct sandbox_reply *reply)
{
	struct box_client *c = sandbox_client_owner(client);
	struct encoded_reply *r = box_alloc(c->box, sizeof(*r) + reply->len);
	size_t at = 0;

	for (int i = 0; i < reply->n_iov; i++) {
		memcpy(r->data + at, reply->iov[i].iov_base, reply->iov[i].iov_len);
		at += reply->iov[i].iov_len;
	}
	ck_assert_uint_eq(at, reply->len);
	ck_assert_uint_eq(get_be(r->data, 4), reply->len - 4);
	r->len = reply->len;
	if (c->last != NULL)
		c->last->next = r;
	else
		c->first = r;
	c->last = r;
	c->n_replies++;
	sandbox_reply_free(reply);
}

static void take_drop(struct sandbox_client *client, const char *why)
{
	struct box_client *c = sandbox_client_owner(client);

	(void)why;
	ck_assert(!c->dropped);
	c->dropped = true;
}

static const struct sandbox_client_ops ops = { .reply = take_reply, .drop = take_drop };

static void connect_client(struct box *box, int client)
{
	box->clients[client] = (struct box_client){ .box = box };
	box->clients[client].client = sandbox_client_open(box->sb, &ops, &box->clients[client], "127.0.0.1");
}

void box_open(struct box *box, size_t memory_limit)
{
	struct sandbox_opts opts = {
		.seed = 7, .host = "localhost", .port = 9092, .node_id = 1, .memory_limit = memory_limit,
		.now_ms = 1000, .wall_ms = INT64_C(1000) * BOX_WALL_MS,
	};

	*box = (struct box){ .now_ms = opts.now_ms, .wall_ms = opts.wall_ms };
	arena_init(&box->arena, 0);
	box->pool = buf_pool_create((size_t)256 << 20);
	box->sb = sandbox_create(&opts);
	ck_assert_int_eq(sandbox_topic_create(box->sb, "t", 3), 0);
	for (int i = 0; i < BOX_CLIENTS; i++)
		connect_client(box, i);
}

void box_close(struct box *box)
{
	for (int i = 0; i < BOX_CLIENTS; i++)
		sandbox_client_close(box->clients[i].client);
	sandbox_destroy(box->sb);
	arena_fini(&box->arena);
	buf_pool_destroy(box->pool);
}

void *box_alloc(struct box *box, size_t size)
{
	return arena_alloc(&box->arena, size);
}

void *box_message(struct box *box, const struct msg_desc *desc)
{
	void *msg = box_alloc(box, desc->size);

	msg_default(desc, msg);
	return msg;
}

void *box_array(struct box *box, const struct msg_desc *desc, int32_t n)
{
	uint8_t *items = box_alloc(box, (size_t)desc->size * (size_t)n);

	for (int32_t i = 0; i < n; i++)
		msg_default(desc, items + (size_t)i * desc->size);
	return items;
}

void box_reconnect(struct box *box, int client)
{
	sandbox_client_close(box->clients[client].client);
	connect_client(box, client);
}

void box_feed(struct box *box, int client, const void *frame, size_t len)
{
	struct buf *buf = buf_get(box->pool, len + 1);

	memcpy(buf->data, frame, len);
	buf->len = len;
	sandbox_receive(box->clients[client].client, buf);
}

void box_send(struct box *box, int client, const struct api_desc *api, int16_t version, const void *request)
{
	struct encoded e;
	uint8_t *frame;
	size_t at = 0;

	ck_assert_int_eq(request_encode(api, version, ++box->correlation, "test", request, &box->arena, &e), RC_OK);
	frame = box_alloc(box, e.len);
	for (int i = 0; i < e.n_iov; i++) {
		memcpy(frame + at, e.iov[i].iov_base, e.iov[i].iov_len);
		at += e.iov[i].iov_len;
	}
	box_feed(box, client, frame + 4, e.len - 4);
}

bool box_has_reply(const struct box *box, int client)
{
	return box->clients[client].first != NULL;
}

void *box_reply(struct box *box, int client, const struct api_desc *api, int16_t version)
{
	struct box_client *c = &box->clients[client];
	void *response = box_alloc(box, api->response->size);
	struct encoded_reply *r = c->first;
	int32_t correlation;

	ck_assert_msg(r != NULL, "no reply to %s", api->name);
	c->first = r->next;
	if (c->first == NULL)
		c->last = NULL;
	c->n_replies--;
	ck_assert(response_decode(api, version, r->data + 4, r->len - 4, &box->arena, &correlation, response));
	return response;
}

void *box_talk(struct box *box, const struct api_desc *api, int16_t version, const void *request)
{
	box_send(box, 0, api, version, request);
	return box_reply(box, 0, api, version);
}

void box_wait(struct box *box, int64_t ms)
{
	int64_t until = box->now_ms + ms;

	/* Like a loop: never past the next thing that is due. */
	while (box->now_ms < until) {
		int64_t next = MIN(sandbox_deadline(box->sb), until);
		int64_t step = MAX(next - box->now_ms, 0);

		box->now_ms += step;
		box->wall_ms += step;
		sandbox_set_time(box->sb, box->now_ms, box->wall_ms);
	}
}

struct bytes box_batch_as(struct box *box, const struct box_batch_opts *opts)
{
	struct batch_record *records = box_alloc(box, sizeof(*records) * (size_t)opts->n);
	struct batch_draft draft = {
		.records = records, .n = opts->n, .timestamp = opts->timestamp, .attributes = opts->attributes,
		.stamp = { opts->producer_id, opts->epoch, opts->sequence },
	};

	for (int i = 0; i < opts->n; i++) {
		records[i].key = opts->keys ? (struct bytes){ (const uint8_t *)"key", 3 } : (struct bytes){ NULL, -1 };
		records[i].value = (struct bytes){ (const uint8_t *)"value", 5 };
	}
	return batch_build(&draft, &box->arena);
}

struct bytes box_batch(struct box *box, int n)
{
	return box_batch_as(box, &(struct box_batch_opts){ .n = n, .producer_id = -1, .epoch = -1, .sequence = -1,
							   .timestamp = box->wall_ms });
}

void box_seal(struct bytes batch)
{
	uint8_t *b = (uint8_t *)(uintptr_t)batch.data;

	put_be(b + 17, 4, crc32c(0, b + 21, (size_t)batch.len - 21));
}

struct box_produced box_produce(struct box *box, int32_t partition, struct bytes batch)
{
	struct produce_request *req = box_request(box, produce);
	const struct produced_partition *p;

	req->acks = -1;
	box_items(box, &req->topic_data, produce_topic, 1);
	req->topic_data.items[0].name = str_of("t");
	box_items(box, &req->topic_data.items[0].partition_data, produce_partition, 1);
	req->topic_data.items[0].partition_data.items[0].index = partition;
	req->topic_data.items[0].partition_data.items[0].records =
		(struct records){ .data = batch.data, .len = batch.len };
	p = &box_call(box, produce, 9, req)->responses.items[0].partition_responses.items[0];
	ck_assert_int_eq(p->index, partition);
	return (struct box_produced){ p->error_code, p->base_offset, p->log_append_time_ms, p->log_start_offset };
}

struct box_produced box_produce_as(struct box *box, int64_t producer_id, int16_t epoch, int32_t sequence, int n)
{
	return box_produce(box, 0, box_batch_as(box, &(struct box_batch_opts){
		.n = n, .producer_id = producer_id, .epoch = epoch, .sequence = sequence, .timestamp = box->wall_ms }));
}

int64_t box_end(struct box *box, int32_t partition)
{
	struct list_offsets_request *req = box_request(box, list_offsets);
	const struct listed_offsets_partition *p;

	req->replica_id = -3;
	box_items(box, &req->topics, list_offsets_topic, 1);
	req->topics.items[0].name = str_of("t");
	box_items(box, &req->topics.items[0].partitions, list_offsets_partition, 1);
	req->topics.items[0].partitions.items[0].partition_index = partition;
	req->topics.items[0].partitions.items[0].timestamp = -1;
	p = &box_call(box, list_offsets, 5, req)->topics.items[0].partitions.items[0];
	ck_assert_int_eq(p->error_code, 0);
	return p->offset;
}

int16_t box_set(struct box *box, const char *name, const char *value)
{
	struct incremental_alter_configs_request *req = box_request(box, incremental_alter_configs);

	box_items(box, &req->resources, alterable_resource, 1);
	req->resources.items[0].resource_type = 2;
	req->resources.items[0].resource_name = str_of("t");
	box_items(box, &req->resources.items[0].configs, alterable_config, 1);
	req->resources.items[0].configs.items[0].name = str_of(name);
	req->resources.items[0].configs.items[0].config_operation = value == NULL;
	req->resources.items[0].configs.items[0].value = str_of(value);
	return box_call(box, incremental_alter_configs, 1, req)->responses.items[0].error_code;
}
