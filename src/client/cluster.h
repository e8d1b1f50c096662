/* SPDX-License-Identifier: Apache-2.0 */
/* One Kafka cluster as one loop sees it: bootstrap servers, nodes, and the metadata of the topics that somebody
 * tracks. Not shared between threads; every loop has its own. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "client/address_map.h"
#include "client/auth.h"
#include "client/broker.h"
#include "client/counts.h"
#include "client/endpoint.h"
#include "net/loop.h"
#include "net/tls.h"

/* What a client configuration says; all memory belongs to the caller and must outlive the cluster. */
struct cluster_opts {
	const char *side;            /* "source", "destination": the first word of messages */
	const struct endpoint *bootstrap;
	int n_bootstrap;
	struct address_map addresses;   /* broker.address.map */
	const char *client_id;
	const char *cluster_id;      /* when set, a broker of another cluster is refused (RC_REFUSED) */
	int32_t request_timeout_ms, connect_timeout_ms;
	int32_t reconnect_backoff_ms, reconnect_backoff_max_ms;
	int32_t retry_backoff_ms;    /* between metadata refreshes that are asked for */
	int32_t metadata_max_age_ms;
	size_t frame_max;            /* of responses */
	int rcvbuf, sndbuf;
	struct tls *tls;             /* NULL: plain */
	struct auth *auth;           /* NULL: no SASL */
	struct client_counts *counts;   /* of its calls; NULL: nobody counts. Not copied, outlives the cluster */
};

/* The defaults of Kafka's own client; the caller sets the rest. */
void cluster_opts_default(struct cluster_opts *opts);
/* A deep copy, ended by cluster_opts_fini: tls and auth are referenced, side is a constant and stays what it is. */
void cluster_opts_copy(struct cluster_opts *to, const struct cluster_opts *from);
void cluster_opts_fini(struct cluster_opts *opts);

struct node {
	int32_t id;
	char *host;
	uint16_t port;
	char *rack;                  /* or NULL */
};

struct partition_meta {
	int16_t error;               /* Kafka's code: 5 LEADER_NOT_AVAILABLE and so on */
	int32_t leader;              /* -1: none */
	int32_t leader_epoch;        /* never goes back: metadata with a lower one is not taken over */
	int16_t n_replicas, n_isr;
};

struct topic_meta {
	char *name;
	int16_t error;               /* 3 UNKNOWN_TOPIC_OR_PARTITION: the cluster has no such topic */
	bool known;                  /* metadata has come since it is tracked */
	struct uuid id;              /* zero before 2.8 */
	bool internal;
	int32_t authorized;          /* bit field of operations; INT32_MIN: not asked or not told */
	int32_t n_partitions;
	struct partition_meta *partitions;
	/* private */
	int32_t refs_;
	struct list node_;
};

/* Told after every metadata response that was taken over, and (with err) when none could be had. */
struct cluster_watch {
	void (*changed)(struct cluster_watch *watch, const struct err *err);
	/* private */
	struct list node_;
};

/* pool: for everything but fetched records. opts is copied, what it points to is not. */
struct cluster *cluster_create(struct loop *loop, struct buf_pool *pool, const struct cluster_opts *opts);
/* Brokers that others made must be destroyed before. Frees itself when all is quiet, and then calls gone (which may be
 * NULL), never before it returns. */
void cluster_destroy(struct cluster *cluster, void (*gone)(void *owner), void *owner);
struct loop *cluster_loop(struct cluster *cluster);
const struct cluster_opts *cluster_options(const struct cluster *cluster);

/* "" until the first metadata response. */
const char *cluster_id(const struct cluster *cluster);
int32_t cluster_controller(const struct cluster *cluster);   /* -1: not known */
int cluster_n_nodes(const struct cluster *cluster);
const struct node *cluster_node_at(const struct cluster *cluster, int i);
/* NULL: not (or no longer) known. */
const struct node *cluster_node(const struct cluster *cluster, int32_t id);
/* A shared connection for small calls to a node, or to NODE_ANY; made on first use. The cluster keeps it. */
struct broker *cluster_broker(struct cluster *cluster, int32_t node_id);
/* Another one beside it, which is number 0. */
struct broker *cluster_broker_beside(struct cluster *cluster, int32_t node_id, int number);
/* Monotonic time of the last response of any broker; 0: never. */
int64_t cluster_last_contact_ns(const struct cluster *cluster);

/* Counts references; the metadata of tracked topics is refreshed every metadata.max.age.ms and on cluster_refresh.
 * The result is valid until the last cluster_untrack. Does not ask by itself. */
const struct topic_meta *cluster_track(struct cluster *cluster, const char *topic);
void cluster_untrack(struct cluster *cluster, const char *topic);
/* NULL: not tracked. */
const struct topic_meta *cluster_topic(const struct cluster *cluster, const char *topic);
/* Where a tracked topic's partition is led. False: no leader is known, and the two say nothing. */
bool cluster_leader(const struct cluster *cluster, const char *topic, int32_t partition, int32_t *leader,
		    int32_t *leader_epoch);
/* Asks for metadata soon; many requests within retry.backoff.ms are one. */
void cluster_refresh(struct cluster *cluster);
void cluster_watch(struct cluster *cluster, struct cluster_watch *watch);
void cluster_unwatch(struct cluster_watch *watch);
