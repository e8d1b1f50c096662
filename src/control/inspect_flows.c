/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "control/inspect_priv.h"

#include <stdlib.h>
#include <string.h>

enum { HTTPS_PORT = 443, KDC_PORT = 88 };

static void token_endpoint(struct inspection *inspection, struct inspect_flow *flow, const char *url)
{
	const char *host = strstr(url, "://"), *end, *colon;

	if (host == NULL || strncmp(url, "file:", 5) == 0)
		return;
	host += 3;
	end = host + strcspn(host, "/?");
	colon = memrchr(host, ':', (size_t)(end - host));
	if (colon != NULL && memchr(colon, ']', (size_t)(end - colon)) != NULL)
		colon = NULL;
	flow->host = arena_strndup(inspection->arena, host, (size_t)((colon != NULL ? colon : end) - host));
	flow->port = colon != NULL ? (uint16_t)strtoul(colon + 1, NULL, 10) : HTTPS_PORT;
	flow->use = "token endpoint, https";
	inspect_flow_add(inspection, flow);
}

void inspect_login_flows(struct inspection *inspection, enum side side, const struct client_conf *conf)
{
	static const char *const from[] = { "worker", "command line" };

	for (size_t i = 0; conf->auth != NULL && i < ARRAY_LEN(from); i++) {
		struct inspect_flow flow = { .from = from[i], .side = side_name(side), .broker = -1 };

		if (auth_token_url(conf->auth) != NULL) {
			token_endpoint(inspection, &flow, auth_token_url(conf->auth));
		} else if (strcmp(auth_mechanism(conf->auth), "GSSAPI") == 0) {
			flow.port = KDC_PORT;
			flow.use = "the KDCs that krb5.conf names for the realm, tcp and udp";
			inspect_flow_add(inspection, &flow);
		}
	}
}

/* "host:port", perhaps with a scheme and a path. */
static void worker_listener(struct inspection *inspection, const char *address)
{
	struct inspect_flow flow = { .from = "command line", .broker = -1,
				     .use = "http.listener of a worker: /status, /metrics" };
	struct endpoint *list;
	struct err unused;
	int n;

	if (endpoints_parse(address, &list, &n, &unused) != RC_OK)
		return;
	for (int i = 0; i < n; i++) {
		flow.host = arena_strdup(inspection->arena, list[i].host);
		flow.port = list[i].port;
		inspect_flow_add(inspection, &flow);
	}
	endpoints_free(list, n);
}

void inspect_worker_flows(struct inspection *inspection, const struct session *session)
{
	const struct control_record *r = NULL;
	struct worker_record w;
	struct err unused;

	while ((r = control_log_next(session->log, RECORD_WORKER, r)) != NULL) {
		if (worker_record_decode(&w, r->name, r->value, &unused) == RC_OK && w.address != NULL)
			worker_listener(inspection, w.address);
		worker_record_fini(&w);
	}
}
