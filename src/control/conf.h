/* SPDX-License-Identifier: Apache-2.0 */
/* krmirror.properties: the client settings of the destination and the keys of the worker. */
#pragma once

#include "base/log.h"
#include "control/client_conf.h"
#include "control/secret_key.h"
#include "net/loop.h"

struct conf {
	struct props props;                  /* everything that was read */
	struct client_conf destination;
	char *control_topic;
	int32_t control_topic_replication;   /* -1: min(3, brokers) */
	char *group_id, *worker_id;
	int32_t session_timeout_ms;
	int32_t worker_threads;
	int64_t buffer_memory, max_request_size;
	char *http_listener;                 /* "": off */
	struct endpoint http;                /* host NULL: off; port 0: any */
	char *http_advertised_listener;      /* NULL: none */
	char *metrics_drill_report;          /* a file; NULL: none */
	char *metrics_verify_report;         /* the same */
	bool metrics_partitions;             /* series of each partition, not of topics only */
	char *secret_key_file;               /* NULL: none */
	struct secret_key *secret_key;       /* what was read from it */
	char *secret_files_allowed, *secret_env_allowed, *oauth_urls_allowed;
	enum loop_engine io_engine;
	enum log_format log_format;
	enum log_level log_level;
};

struct conf_files {
	const char *config;             /* krmirror.properties, or NULL */
	const char *command_config;     /* --command-config, or NULL */
	const char *bootstrap;          /* --bootstrap-server, or NULL */
};

/* Reads and checks; later ones override. RC_USAGE with file:line, also when no bootstrap.servers is there.
 * Warnings go to notes. conf_fini is right after a failure too. */
int conf_load(struct conf *conf, const struct conf_files *files, struct notes *notes, struct err *err) MUST_USE;
/* What links may read of this host; points into conf. */
struct secret_rules conf_secret_rules(const struct conf *conf);
void conf_fini(struct conf *conf);
