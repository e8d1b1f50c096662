/* SPDX-License-Identifier: Apache-2.0 */
/* A one-node Kafka broker that lives in memory: the pure core. Request frames in, response frames out; it has no
 * sockets and no threads, and its clock is what the owner says. The same bytes at the same times with the same seed
 * give the same answers, so a simulator can drive it as well as the socket shell (shell.h).
 *
 * Like a broker it answers the requests of one client in order and works on one of them at a time: while a fetch or a
 * join waits, later frames of that client wait too. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct sandbox;
struct sandbox_client;

struct sandbox_opts {
	uint64_t seed;              /* of all ids that it makes up */
	const char *host;           /* what Metadata advertises; copied */
	uint16_t port;
	int32_t node_id;
	size_t memory_limit;        /* bytes of records, topics and groups; 0: no limit */
	int32_t cleaner_backoff_ms; /* between the cleaner's looks; 0: log.cleaner.backoff.ms' default */
	int32_t rebalance_delay_ms; /* before the first generation of an empty group */
	int64_t now_ms, wall_ms;    /* the clock at the start: monotonic, and what people read */
};

/* A reply frame with its length prefix. The slices stay until sandbox_reply_free. */
struct sandbox_reply {
	const struct iovec *iov;
	int n_iov;
	size_t len;
	/* private */
	struct request *request_;
};

struct sandbox_client_ops {
	/* The next reply, in the order of the requests. Comes from inside sandbox_receive, sandbox_set_time or the
	 * call of another client; the owner must not call the sandbox from here, except sandbox_reply_free. */
	void (*reply)(struct sandbox_client *client, struct sandbox_reply *reply);
	/* The broker ends the connection. Nothing more comes for this client; the owner calls sandbox_client_close
	 * when it has returned. */
	void (*drop)(struct sandbox_client *client, const char *why);
};

struct sandbox *sandbox_create(const struct sandbox_opts *opts);
/* All clients must be closed and all replies freed. */
void sandbox_destroy(struct sandbox *sb);

/* "krsandbox-..." is never used as an id: this is 22 characters as Kafka makes them. */
const char *sandbox_cluster_id(const struct sandbox *sb);
void sandbox_set_port(struct sandbox *sb, uint16_t port);

/* Moves the clock and does what has become due. Time never goes back. */
void sandbox_set_time(struct sandbox *sb, int64_t now_ms, int64_t wall_ms);
/* The monotonic time of the next thing that becomes due; INT64_MAX: nothing. */
int64_t sandbox_deadline(const struct sandbox *sb);

/* host is what DescribeGroups shows; copied. */
struct sandbox_client *sandbox_client_open(struct sandbox *sb, const struct sandbox_client_ops *ops, void *owner,
					   const char *host);
/* Forgets the client and its waiting frames. Replies that it was given stay until they are freed. */
void sandbox_client_close(struct sandbox_client *client);
void *sandbox_client_owner(const struct sandbox_client *client);
/* Frames that wait behind the one that is worked on: for the owner's flow control. */
int sandbox_client_backlog(const struct sandbox_client *client);
/* A request frame without its length prefix; takes over the reference. */
void sandbox_receive(struct sandbox_client *client, struct buf *frame);
/* The reply was sent, or will never be. */
void sandbox_reply_free(struct sandbox_reply *reply);

/* Creates a topic as CreateTopics does; the Kafka error code. */
int16_t sandbox_topic_create(struct sandbox *sb, const char *name, int32_t n_partitions);
/* "API:ERROR[:COUNT][:DELAY]", as on the command line of krsandbox(1). */
int sandbox_fault_add(struct sandbox *sb, const char *spec, struct err *err) MUST_USE;
/* What an election and an unclean election do to a partition: the epoch is raised; with end >= 0 the log is cut there
 * first. The Kafka error code. */
int16_t sandbox_elect(struct sandbox *sb, const char *topic, int32_t partition, int64_t end);
/* Bytes that count against the memory limit. */
size_t sandbox_memory(const struct sandbox *sb);
