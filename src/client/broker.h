/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to one broker of a cluster, made when it is first needed and again after it was lost. Calls are
 * queued, encoded at the version that both sides speak, sent in order, and answered in order.
 *
 * A connection that fails fails every call that waits for it or is in flight on it, with the reason; nothing is ever
 * sent a second time from here. The next broker_call dials again, not before the backoff (reconnect.backoff.ms up to
 * reconnect.backoff.max.ms, with jitter) has passed. */
#pragma once

#include "client/call.h"

struct cluster;

enum { NODE_ANY = -1 };   /* whichever broker answers: bootstrap servers and known nodes in turn */

/* A connection of its own; several to one node are several brokers. what is for logs and messages: "fetch", "produce",
 * "admin". Frames are received into buffers of pool, which must outlive it. */
struct broker *broker_create(struct cluster *cluster, int32_t node_id, const char *what, struct buf_pool *pool);
/* Fails what is queued or in flight (RC_CANCELLED), closes the connection, frees the broker when all is quiet. No
 * done comes before it returns; the calls' memory must stay until their done. */
void broker_destroy(struct broker *broker);

void broker_call(struct broker *broker, struct call *call);
/* Like broker_call, and lets the sender wait before the connection is ready: calls in flight and queued. */
int broker_pending(const struct broker *broker);
/* Closes the connection and fails everything on it with rc and text: for an owner that no longer trusts it. */
void broker_drop(struct broker *broker, int rc, const char *why);

int32_t broker_node_id(const struct broker *broker);
/* "broker 2 at b2.example:9092 (10.0.0.2:9092)", for messages. Valid until the next call. */
const char *broker_text(struct broker *broker);
bool broker_is_ready(const struct broker *broker);
/* conn_peer_expiry of its connection. */
int64_t broker_peer_expiry(const struct broker *broker);
/* The version that would be spoken, or -1: not known yet or no common one. */
int16_t broker_version(const struct broker *broker, const struct api_desc *api);
/* Monotonic time until which the broker asked us to be quiet (throttle_time_ms); in the past: not throttled. */
int64_t broker_throttled_until_ns(const struct broker *broker);
