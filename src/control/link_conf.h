/* SPDX-License-Identifier: Apache-2.0 */
/* A link's configuration: link.config as Cluster Linking has it, and krmirror's own keys. */
#pragma once

#include "control/start_spec.h"
#include "control/client_conf.h"
#include "control/link_mode.h"
#include "mirror/mirror.h"

struct link_conf {
	struct props props;           /* what was given, checked: this is what the control log records */
	struct client_conf source;
	enum link_mode mode;
	struct props local;           /* SOURCE: the source's settings, without "local." */
	bool inbound;                 /* connection.mode=INBOUND: recorded only, and never dialled */
	bool paused;                  /* cluster.link.paused */
	char *prefix;                 /* cluster.link.prefix, "" */
	int32_t retry_timeout_ms;
	int32_t availability_check_ms, availability_threshold;
	int32_t n_fetchers;
	int32_t fetch_max_bytes, fetch_response_max_bytes, fetch_min_bytes, fetch_wait_max_ms, fetch_backoff_ms;
	struct start_spec start;      /* mirror.start.offset.spec */
	int64_t fill_limit;           /* mirror.fill.limit */
	bool fill_tombstones;         /* mirror.fill.mode=tombstone */
	bool coalesce;                /* mirror.coalesce */
	int64_t rate_limit;           /* mirror.fetch.rate.limit: of the link, over all workers; 0: none */
	bool readers_everyone;        /* mirror.readers.everyone */
	char *progress_group_id;      /* NULL: none */
	/* the sync tasks */
	bool offset_sync, acl_sync, auto_create;
	int32_t offset_sync_ms, config_sync_ms, acl_sync_ms, auto_create_ms;
	json_t *group_filters;        /* consumer.offset.group.filters; NULL: none */
	bool group_prefix;            /* consumer.group.prefix.enable: groups have the prefix too */
};

/* Checks the properties (keys, types, combinations) and takes copies. RC_USAGE with file:line; what this version does
 * not do yet, but the file asks for, is refused with the reason or noted. The source's servers are required, but for
 * connection.mode=INBOUND. */
int link_conf_read(struct link_conf *conf, const struct props *props, struct notes *notes, struct err *err) MUST_USE;
/* client_conf_secure of the source, by the rules of this host: before anything connects to it. Nothing for INBOUND. */
int link_conf_secure(struct link_conf *conf, const struct secret_rules *rules, struct err *err) MUST_USE;
void link_conf_fini(struct link_conf *conf);

/* For mirror_link_open; points into conf and the arguments. */
void link_conf_spec(const struct link_conf *conf, const char *name, const char *source_cluster_id,
		    struct link_spec *spec);

/* A name for a link: 1 to 100 of [A-Za-z0-9._-], not "." or "..". */
bool link_name_valid(const char *name);
/* Kafka's rule for topics: 1 to 249 of the same characters. */
bool topic_name_valid(const char *name);
/* The source topic that a mirror topic stands for without --source-topic: without the prefix. RC_USAGE when the topic
 * lacks it. The caller frees *source with xfree. */
int link_conf_source_topic(const struct link_conf *conf, const char *topic, char **source, struct err *err) MUST_USE;
