/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "client/dial.h"
#include "control/inspect_priv.h"

#include <string.h>
#include <time.h>

enum { SOON_DAYS = 30, DAY_S = 86400 };

static const char *time_text(struct inspection *inspection, int64_t seconds)
{
	time_t at = (time_t)seconds;
	char text[32];
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return inspect_text(inspection, "%s", text);
}

/* Warns of a certificate that ends soon. */
static void judge_expiry(struct inspection *inspection, struct inspect_item *item, const char *whose, int64_t expiry)
{
	int64_t left = expiry - clock_wall_ms() / 1000;
	const char *at = time_text(inspection, expiry);

	item->expiry_ms = expiry * 1000;
	item->detail = inspect_text(inspection, "%s until %s", whose, at);
	if (left >= (int64_t)SOON_DAYS * DAY_S)
		return;
	item->status = INSPECT_WARNING;
	item->reason = "TLS_DATE";
	item->detail = left < 0 ? inspect_text(inspection, "%s expired at %s", whose, at) :
		       inspect_text(inspection, "%s expires at %s, in %lld days", whose, at, (long long)(left / DAY_S));
	item->hint = "renew it before; from then on no connection is made";
}

static void one_listener(struct inspection *inspection, enum side side, const struct dialled *door, bool needed)
{
	struct inspect_item *item = inspect_add(inspection, side, "LISTENER");

	item->broker = door->node_id;
	item->address = inspect_text(inspection, "%s:%u", door->host, door->port);
	item->needed = needed;
	if (door->err.rc != RC_OK)
		inspect_failed(inspection, item, &door->err);
	else if (door->expiry >= 0)
		judge_expiry(inspection, item, "answers; its certificate is valid", door->expiry);
	else
		item->detail = "answers";
	if (door->err.rc != RC_OK && !needed)
		item->status = INSPECT_WARNING;
}

static void both_flows(struct inspection *inspection, enum side side, const struct dialled *door,
		       const struct client_conf *conf)
{
	const struct endpoint *mapped = address_map_find(&conf->addresses, door->host, door->port);
	struct inspect_flow flow = {
		.from = "worker", .side = side_name(side), .broker = door->node_id,
		.port = mapped != NULL ? mapped->port : door->port,
		.host = arena_strdup(inspection->arena, mapped != NULL ? mapped->host : door->host),
		.use = door->node_id == NODE_ANY ? "bootstrap.servers" : "advertised listener",
	};

	inspect_flow_add(inspection, &flow);
	flow.from = "command line";
	inspect_flow_add(inspection, &flow);
}

/* A bootstrap server that is a broker's advertised listener is told once, as that. */
static bool is_advertised(const struct dial *dial, const struct dialled *server)
{
	for (int i = dial->n_bootstrap; i < dial->n; i++)
		if (dial->items[i].port == server->port && strcmp(dial->items[i].host, server->host) == 0)
			return true;
	return false;
}

static void own_certificate(struct inspection *inspection, enum side side, const struct client_conf *conf)
{
	int64_t expiry = conf->tls != NULL ? tls_expiry(conf->tls) : -1;
	struct inspect_item *item;

	if (expiry < 0)
		return;
	item = inspect_add(inspection, side, "CERTIFICATE");
	judge_expiry(inspection, item, "krmirror's own certificate (ssl.keystore.*) is valid", expiry);
}

bool inspect_listeners(struct session *session, struct inspection *inspection, enum side side,
		       const struct client_conf *conf, const char *want, const char **id)
{
	struct cluster_opts opts;
	struct dial dial;

	client_conf_opts(conf, side_name(side), want, &opts);
	dial_all(session->loop, session->pool, &opts, session->deadline_ns, inspection->arena, &dial);
	for (int i = 0; i < dial.n; i++) {
		const struct dialled *door = &dial.items[i];

		if (door->node_id == NODE_ANY && is_advertised(&dial, door))
			continue;
		/* One server of the list is enough, unless it leads elsewhere. */
		one_listener(inspection, side, door, door->node_id != NODE_ANY || dial.cluster_id == NULL ||
							     door->err.rc == RC_REFUSED);
		both_flows(inspection, side, door, conf);
	}
	own_certificate(inspection, side, conf);
	if (id != NULL)
		*id = dial.cluster_id;
	return dial.cluster_id != NULL;
}
