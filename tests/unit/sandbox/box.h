/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox under test, with clients that speak frames and a clock that the test moves. */
#pragma once

#include "base/arena.h"
#include "sandbox/sandbox.h"
#include "wire/batch.h"
#include "wire/codec.h"

#include <check.h>

enum { BOX_CLIENTS = 4 };

struct box;

struct box_client {
	struct box *box;
	struct sandbox_client *client;
	bool dropped;
	int n_replies;                 /* that have not been read */
	struct encoded_reply *first, *last;
};

struct box {
	struct sandbox *sb;
	struct buf_pool *pool;
	struct arena arena;            /* of everything that the test makes or gets, until box_close */
	int64_t now_ms, wall_ms;
	int32_t correlation;
	struct box_client clients[BOX_CLIENTS];
};

enum { BOX_WALL_MS = 1700000000 };     /* times 1000: the wall clock at the start */

/* With the topic "t" of 3 partitions. memory_limit 0: none. */
void box_open(struct box *box, size_t memory_limit);
void box_close(struct box *box);

void *box_alloc(struct box *box, size_t size);
#define box_new(box, type) ((type *)box_alloc((box), sizeof(type)))
/* A request with its defaults. */
#define box_request(box, name) ((struct name##_request *)box_message((box), name##_api.request))
void *box_message(struct box *box, const struct msg_desc *desc);
/* Gives an array field one element (or n), with its defaults. */
#define box_items(box, field, label, count)                                                                           \
	((field)->n = (count), (field)->items = box_array((box), &label##_desc, (count)))
void *box_array(struct box *box, const struct msg_desc *desc, int32_t n);
/* An array field with one plain value. */
#define box_one(box, field, value)                                                                                    \
	((field)->n = 1, (field)->items = box_alloc((box), sizeof(*(field)->items)), (field)->items[0] = (value))

/* A connection instead of one that was dropped or is to be closed. */
void box_reconnect(struct box *box, int client);
/* Hands over raw bytes without a length prefix. */
void box_feed(struct box *box, int client, const void *frame, size_t len);
/* Sends a request. */
void box_send(struct box *box, int client, const struct api_desc *api, int16_t version, const void *request);
/* The next reply of the client, which must be there; its memory is the box's. */
void *box_reply(struct box *box, int client, const struct api_desc *api, int16_t version);
bool box_has_reply(const struct box *box, int client);
/* Both, on client 0. */
#define box_call(box, name, version, request)                                                                         \
	((const struct name##_response *)box_talk((box), &name##_api, (version), (request)))
void *box_talk(struct box *box, const struct api_desc *api, int16_t version, const void *request);
/* Time goes on. */
void box_wait(struct box *box, int64_t ms);

/* A batch of n records without keys at the present time. */
struct bytes box_batch(struct box *box, int n);
struct box_batch_opts {
	int n;
	int64_t producer_id;           /* -1: none */
	int16_t epoch;
	int32_t sequence;
	int64_t timestamp;
	bool keys;
	int16_t attributes;
};
struct bytes box_batch_as(struct box *box, const struct box_batch_opts *opts);
/* Recomputes the checksum of a batch that the test has changed. */
void box_seal(struct bytes batch);
/* What came of a produce of one batch to t/partition with acks=-1. */
struct box_produced {
	int16_t code;
	int64_t base_offset, log_append_time_ms, log_start_offset;
};
struct box_produced box_produce(struct box *box, int32_t partition, struct bytes batch);
/* The same with a producer: n records at a sequence. */
struct box_produced box_produce_as(struct box *box, int64_t producer_id, int16_t epoch, int32_t sequence, int n);
/* The log end of t/partition. */
int64_t box_end(struct box *box, int32_t partition);
/* Sets one setting of t; the error code. */
int16_t box_set(struct box *box, const char *name, const char *value);

TCase *produce_tests(void);
TCase *marker_tests(void);
TCase *transaction_tests(void);
TCase *cleaner_tests(void);
TCase *fetch_tests(void);
TCase *session_tests(void);
TCase *offset_tests(void);
TCase *group_tests(void);
TCase *member_tests(void);
TCase *admin_tests(void);
TCase *hostile_tests(void);
