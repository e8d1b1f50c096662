/* SPDX-License-Identifier: Apache-2.0 */
/* Stub brokers: the cheapest two clusters that a worker can be set between. One process, one thread, one node each:
 * the source answers every fetch at once from an image, the destination reads appends only as far as needed to answer
 * with the right offset, and checks sequence and, when asked, CRC. One topic.
 *
 * Anything that the protocol does not allow ends the process with a message: a benchmark of wrong work is worth
 * nothing. */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "common.h"
#include "image.h"
#include "wire/codec.h"

#include <sys/types.h>

#define STUB_TOPIC "bench"
#define STUB_END (INT64_C(1) << 40)      /* of the source's log, without --rate */

enum stub_mode { STUB_KAFKA, STUB_RAW };

struct stub_opts {
	enum stub_mode mode;
	int partitions;
	int rate;                        /* records a second; 0: as fast as they are taken */
	bool verify;
	bool spin;                       /* poll without sleeping */
	struct image_opts image;
};

/* What the destination knows of a partition. */
struct stub_log {
	int64_t end;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t next_sequence;
	bool known;                      /* the producer */
};

struct stub_session {
	int64_t *offsets;
	bool *wanted;
	int n_wanted, turn;
	int32_t id, epoch;
	bool held;                       /* a fetch waits for records */
	int16_t version;
	int32_t correlation_id;
	int32_t max_bytes;
	uint64_t deadline_ns;
};

enum parse_state {
	PARSE_LENGTH, PARSE_HEAD, PARSE_OTHER, PARSE_TOPIC, PARSE_PARTITION, PARSE_SKIP, PARSE_TAIL
};

struct stub_parse {
	enum parse_state state;
	size_t frame_left, skip;
	int16_t version;
	int topics_left, partitions_left;
	bool answering;                  /* an answer in out is not complete: it begins at answer_at */
	size_t answer_at;
};

struct stub;

struct peer {
	struct stub *stub;
	int fd;
	bool source;
	bool wants_out;
	uint8_t *in;
	size_t in_at, in_end, in_cap;
	uint8_t *out;
	size_t out_at, out_end, out_cap;
	int file;                        /* with file_left: sent behind out */
	off_t file_at;
	size_t file_left;
	struct stub_session session;
	struct stub_parse parse;
	struct image image;
	struct peer *next;
};

struct stub {
	struct stub_opts opts;
	struct bench_shared *shared;
	int epoll, timer;
	int listen_source, listen_sink;
	struct peer *peers;
	struct stub_log *logs;
	struct arena arena;              /* of the request at hand */
	uint8_t topic_id[16];
	int32_t next_session;
	/* with a rate: record number g is in partition g % partitions at offset g / partitions */
	uint8_t *record;
	uint32_t record_len;
	uint64_t *stamps;                /* of the last STUB_STAMPS records */
	uint64_t n_made, made_since_ns;
};

enum { STUB_STAMPS = 1 << 16 };

/* stub.c */
uint8_t *peer_room(struct peer *peer, size_t len);  /* len more bytes of out; the caller advances out_end */
void peer_flush(struct peer *peer);
void stub_count(atomic_ullong *counter, uint64_t n);

/* stub_admin.c: any request that is neither the source's Fetch nor the destination's Produce. */
void admin_request(struct peer *peer, const struct request_header *h, struct reader *r);

/* stub_source.c */
void source_open(struct peer *peer);
void source_close(struct peer *peer);
/* Consumes whole frames of in. */
void source_input(struct peer *peer);
/* Sends the next piece in raw mode; answers a held fetch when there are records or its time is over. */
void source_tick(struct peer *peer, uint64_t now_ns);
/* Makes the records that are due. */
void source_produce(struct stub *stub, uint64_t now_ns);

/* stub_sink.c */
void sink_input(struct peer *peer);
