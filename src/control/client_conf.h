/* SPDX-License-Identifier: Apache-2.0 */
/* The client settings of one cluster, out of krmirror.properties or a link's configuration. */
#pragma once

#include "client/cluster.h"
#include "control/keys.h"
#include "control/secrets.h"

struct client_conf {
	struct endpoint *bootstrap;
	int n_bootstrap;
	char *bootstrap_text;      /* as written */
	struct address_map addresses;
	char *client_id;
	bool wants_tls, wants_sasl;   /* security.protocol */
	struct tls *tls;              /* from client_conf_secure, one reference each */
	struct auth *auth;
	char *principal;              /* from client_conf_secure: who the brokers take us for by default, "User:mirror"; NULL:
				       * they make it of a certificate or a token, by their own rules */
	bool elsewhere;               /* client_conf_secure failed: this host lacks, or does not allow, what a reference or
				       * path names; another may have it */
	int32_t request_timeout_ms, connect_timeout_ms;
	int32_t reconnect_backoff_ms, reconnect_backoff_max_ms;
	int32_t retry_backoff_ms, metadata_max_age_ms;
	int32_t rcvbuf, sndbuf;
};

/* From checked properties; reads no file. RC_USAGE: a bad address, or a bad entry of
 * broker.address.map. An empty list of servers is the caller's to judge. */
int client_conf_read(struct client_conf *conf, const struct props *props, struct err *err) MUST_USE;
/* What is needed to connect: resolves references, on this host and by its rules (NULL: the host's own file, see
 * secrets.h), and keeps the settings of TLS, whose files are read at the first connection. Before client_conf_opts.
 * RC_USAGE with the key. */
int client_conf_secure(struct client_conf *conf, const struct props *props, const struct secret_rules *rules,
		       struct err *err) MUST_USE;
void client_conf_fini(struct client_conf *conf);

/* What cluster_create takes; points into conf. cluster_id may be NULL. */
void client_conf_opts(const struct client_conf *conf, const char *side, const char *cluster_id,
		      struct cluster_opts *opts);
