/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path of a request:
 *   sandbox_receive -> backlog of its client -> request_start: header, faults, body -> handler -> answer -> reply;
 *   the client then starts its next frame.
 * A handler may park its request (fetch, join, sync, a delay); whatever completes it calls request_finish.
 *
 * What ends the connection, as with a real broker: a header or body that does not parse, an API or version that is
 * not served (ApiVersions excepted), an acks=0 produce that fails.
 *
 * Nothing here recurses from one request into another: clients that may go on stand in sb->runnable, partitions with
 * new data in store.dirty, and settle() works both off. */
#include "sandbox/state.h"

#include "sandbox/append.h"
#include "sandbox/cleaner.h"
#include "sandbox/coord.h"
#include "sandbox/fetch_wait.h"
#include "sandbox/txn.h"

enum { PRODUCER_SWEEP_MS = 600000, CLEANER_BACKOFF_MS = 15000 };

struct waiting_frame {
	struct list node;
	struct buf *buf;
};

uint64_t sandbox_random(struct sandbox *sb)
{
	uint64_t z = sb->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

struct uuid sandbox_uuid(struct sandbox *sb)
{
	struct uuid u;
	uint64_t r[2] = { sandbox_random(sb), sandbox_random(sb) };

	memcpy(u.b, r, sizeof(u.b));
	u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
	u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
	/* Kafka's own never begin with a dash in their text form, for the sake of command lines. */
	if (u.b[0] >> 2 == 62)
		u.b[0] = 0;
	return u;
}

static void sweep_producers(struct tick *tick)
{
	struct sandbox *sb = container_of(tick, struct sandbox, producer_sweep);

	for (int32_t t = 0; t < sb->store.n_topics; t++)
		for (int32_t i = 0; i < sb->store.topics[t]->n_partitions; i++) {
			struct producers *p = &sb->store.topics[t]->partitions[i]->producers;
			size_t before = p->n;

			producers_expire(p, sb->wall_ms - sb->producer_expiry_ms);
			store_release(&sb->store, (before - p->n) * PRODUCER_COST);
		}
	tick_set(&sb->ticker, tick, sb->now_ms + PRODUCER_SWEEP_MS);
}

struct sandbox *sandbox_create(const struct sandbox_opts *opts)
{
	struct sandbox *sb = xcalloc(1, sizeof(*sb));
	struct uuid id;

	sb->opts = *opts;
	sb->host = xstrdup(opts->host);
	sb->random = opts->seed;
	sb->now_ms = opts->now_ms;
	sb->wall_ms = opts->wall_ms;
	sb->producer_expiry_ms = PRODUCER_EXPIRY_MS;
	id = sandbox_uuid(sb);
	uuid_text(&id, sb->cluster_id);
	ticker_init(&sb->ticker);
	store_init(&sb->store, opts->memory_limit);
	fetch_sessions_init(&sb->sessions);
	list_init(&sb->runnable);
	list_init(&sb->fetch_ready);
	list_init(&sb->parked);
	sb->producer_sweep.fire = sweep_producers;
	tick_set(&sb->ticker, &sb->producer_sweep, sb->now_ms + PRODUCER_SWEEP_MS);
	cleaner_start(sb, opts->cleaner_backoff_ms > 0 ? opts->cleaner_backoff_ms : CLEANER_BACKOFF_MS);
	return sb;
}

static void request_free(struct request *req)
{
	tick_clear(&req->tick);
	list_del(&req->node);
	for (int i = 0; i < req->n_held; i++)
		plog_batch_unref(req->held[i]);
	xfree(req->held);
	arena_fini(&req->in);
	arena_fini(&req->arena);
	req->sb->n_requests--;
	xfree(req);
}

void sandbox_destroy(struct sandbox *sb)
{
	CHECK(sb->n_clients == 0);
	fetch_wait_clear_all(sb);
	txn_fini(sb);
	coord_fini(sb);
	while (!list_empty(&sb->parked))
		request_free(list_first(&sb->parked, struct request, node));
	CHECK(sb->n_requests == 0);
	tick_clear(&sb->producer_sweep);
	cleaner_stop(sb);
	fetch_sessions_fini(&sb->sessions, &sb->store);
	store_fini(&sb->store);
	faults_fini(&sb->faults);
	xfree(sb->host);
	xfree(sb);
}

const char *sandbox_cluster_id(const struct sandbox *sb)
{
	return sb->cluster_id;
}

void sandbox_set_port(struct sandbox *sb, uint16_t port)
{
	sb->opts.port = port;
}

size_t sandbox_memory(const struct sandbox *sb)
{
	return sb->store.memory;
}

struct sandbox_client *sandbox_client_open(struct sandbox *sb, const struct sandbox_client_ops *ops, void *owner,
					   const char *host)
{
	struct sandbox_client *client = xcalloc(1, sizeof(*client));

	client->sb = sb;
	client->ops = ops;
	client->owner = owner;
	client->host = xstrdup(host);
	list_init(&client->backlog);
	sb->n_clients++;
	return client;
}

void sandbox_client_close(struct sandbox_client *client)
{
	if (client->current != NULL)
		client->current->client = NULL;
	while (!list_empty(&client->backlog)) {
		struct waiting_frame *f = list_first(&client->backlog, struct waiting_frame, node);

		list_del(&f->node);
		buf_unref(f->buf);
		xfree(f);
	}
	list_del(&client->node);
	client->sb->n_clients--;
	xfree(client->host);
	xfree(client);
}

void *sandbox_client_owner(const struct sandbox_client *client)
{
	return client->owner;
}

int sandbox_client_backlog(const struct sandbox_client *client)
{
	return client->n_backlog;
}

static void make_runnable(struct sandbox_client *client)
{
	if (!list_linked(&client->node))
		list_push_back(&client->sb->runnable, &client->node);
}

static void client_drop(struct sandbox_client *client, const char *why)
{
	if (client->dropped)
		return;
	client->dropped = true;
	client->ops->drop(client, why);
}

/* The request leaves its client: reply, silence or the end of the connection. */
static void settle_request(struct request *req, enum handled how)
{
	struct sandbox_client *client = req->client;

	if (client == NULL || client->dropped) {
		request_free(req);
		return;
	}
	CHECK(client->current == req);
	client->current = NULL;
	req->client = NULL;
	make_runnable(client);
	if (how == HANDLED_SILENT) {
		request_free(req);
		return;
	}
	if (how == HANDLED_DROP || req->drop_after ||
	    response_encode(req->api, req->version, req->header.correlation_id, req->answer, &req->arena,
			    &req->encoded) != RC_OK) {
		request_free(req);
		client_drop(client, "the request cannot be served");
		return;
	}
	req->reply = (struct sandbox_reply){ req->encoded.iov, req->encoded.n_iov, req->encoded.len, req };
	client->ops->reply(client, &req->reply);
}

void sandbox_reply_free(struct sandbox_reply *reply)
{
	request_free(reply->request_);
}

void request_park(struct request *req)
{
	list_push_back(&req->sb->parked, &req->node);
}

void request_finish(struct request *req)
{
	list_del(&req->node);
	tick_clear(&req->tick);
	settle_request(req, HANDLED);
}

static void run_handler(struct request *req)
{
	bool flexible = req->version >= req->api->flexible;
	enum handled how;

	arena_init(&req->in, 64 * (size_t)(req->reader.end - req->reader.p) + 65536);
	req->body = arena_alloc(&req->in, req->api->request->size);
	if (!msg_decode(req->api->request, req->version, flexible, &req->reader, &req->in, req->body)) {
		settle_request(req, HANDLED_DROP);
		return;
	}
	req->answer = request_alloc(req, req->api->response->size);
	msg_default(req->api->response, req->answer);
	how = req->handler->handle(req);
	if (how != HANDLED_LATER)
		settle_request(req, how);
}

static void delay_over(struct tick *tick)
{
	struct request *req = container_of(tick, struct request, tick);

	list_del(&req->node);
	if (req->client == NULL)
		request_free(req);
	else
		run_handler(req);
}

/* Applies a rule of --fault. True when the request is not to be run now. */
static bool apply_fault(struct request *req)
{
	struct fault fault;

	if (!faults_take(&req->sb->faults, req->api->key, &fault))
		return false;
	if (fault.kind == FAULT_DROP) {
		settle_request(req, HANDLED_DROP);
		return true;
	}
	req->drop_after = fault.kind == FAULT_DROP_AFTER;
	req->fault = fault.kind == FAULT_ERROR ? fault.code : KERR_NONE;
	if (fault.delay_ms == 0)
		return false;
	request_park(req);
	req->tick.fire = delay_over;
	tick_set(&req->sb->ticker, &req->tick, req->sb->now_ms + fault.delay_ms);
	return true;
}

static void request_start(struct sandbox_client *client, struct buf *frame)
{
	struct request *req = xcalloc(1, sizeof(*req));

	req->sb = client->sb;
	req->client = client;
	req->sb->n_requests++;
	client->current = req;
	arena_init(&req->in, 0);
	arena_init(&req->arena, 0);
	arena_hold(&req->arena, frame);
	if (!request_header_decode(frame->data, frame->len, &req->header, &req->reader)) {
		settle_request(req, HANDLED_DROP);
		return;
	}
	req->version = req->header.api_version;
	req->handler = handler_find(req->header.api_key);
	if (req->handler == NULL) {
		settle_request(req, HANDLED_DROP);
		return;
	}
	req->api = req->handler->api;
	if (req->version < req->handler->served_min || req->version > req->handler->max) {
		settle_request(req, req->handler->unserved != NULL ? req->handler->unserved(req) : HANDLED_DROP);
		return;
	}
	if (!apply_fault(req))
		run_handler(req);
}

/* Starts the next frame, when there is one and nothing is worked on. */
static void client_run(struct sandbox_client *client)
{
	struct waiting_frame *f;
	struct buf *frame;

	if (client->dropped || client->current != NULL || list_empty(&client->backlog))
		return;
	f = list_first(&client->backlog, struct waiting_frame, node);
	frame = f->buf;
	list_del(&f->node);
	client->n_backlog--;
	xfree(f);
	make_runnable(client);
	request_start(client, frame);
}

/* Works off what the last event set going. */
static void settle(struct sandbox *sb)
{
	CHECK(!sb->settling);
	sb->settling = true;
	for (;;) {
		struct list *node;

		fetch_wait_wake(sb);
		node = list_pop(&sb->runnable);
		if (node == NULL)
			break;
		client_run(list_entry(node, struct sandbox_client, node));
	}
	sb->settling = false;
}

void sandbox_receive(struct sandbox_client *client, struct buf *frame)
{
	struct waiting_frame *f;

	if (client->dropped) {
		buf_unref(frame);
		return;
	}
	f = xcalloc(1, sizeof(*f));
	f->buf = frame;
	list_push_back(&client->backlog, &f->node);
	client->n_backlog++;
	make_runnable(client);
	settle(client->sb);
}

void sandbox_set_time(struct sandbox *sb, int64_t now_ms, int64_t wall_ms)
{
	sb->now_ms = MAX(sb->now_ms, now_ms);
	sb->wall_ms = wall_ms;
	ticker_run(&sb->ticker, sb->now_ms);
	settle(sb);
}

int64_t sandbox_deadline(const struct sandbox *sb)
{
	return ticker_next(&sb->ticker);
}

int sandbox_fault_add(struct sandbox *sb, const char *spec, struct err *err)
{
	struct fault fault;
	int rc = fault_parse(spec, &fault, err);

	if (rc == RC_OK)
		faults_add(&sb->faults, &fault);
	return rc;
}

int16_t sandbox_topic_create(struct sandbox *sb, const char *name, int32_t n_partitions)
{
	struct topic_config config;
	struct uuid id = sandbox_uuid(sb);
	struct topic *topic;

	if (!topic_name_ok(str_of(name)) || store_collision(&sb->store, str_of(name)) != NULL)
		return KERR_INVALID_TOPIC_EXCEPTION;
	if (n_partitions < 1 || n_partitions > PARTITIONS_MAX)
		return KERR_INVALID_PARTITIONS;
	if (store_topic(&sb->store, str_of(name)) != NULL)
		return KERR_TOPIC_ALREADY_EXISTS;
	topic_config_init(&config);
	topic = store_add(&sb->store, str_of(name), &id, n_partitions, &config);
	topic_config_fini(&config);
	return topic != NULL ? KERR_NONE : KERR_KAFKA_STORAGE_ERROR;
}

int16_t sandbox_elect(struct sandbox *sb, const char *topic, int32_t partition, int64_t end)
{
	struct partition *p = store_partition(&sb->store, str_of(topic), partition);

	if (p == NULL)
		return KERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (end >= 0)
		append_truncate(sb, p, end);
	p->leader_epoch++;
	plog_epoch_begin(&p->log, p->leader_epoch);
	fetch_wait_end(p);
	settle(sb);
	return KERR_NONE;
}
