/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cluster.h"

#include "base/mem.h"

void cluster_opts_default(struct cluster_opts *o)
{
	*o = (struct cluster_opts){
		.side = "cluster", .client_id = "krmirror",
		.request_timeout_ms = 30000, .connect_timeout_ms = 10000,
		.reconnect_backoff_ms = 50, .reconnect_backoff_max_ms = 10000,
		.retry_backoff_ms = 100, .metadata_max_age_ms = 300000,
		.frame_max = (size_t)100 << 20,
	};
}

void cluster_opts_copy(struct cluster_opts *to, const struct cluster_opts *from)
{
	struct endpoint *b = xcalloc((size_t)MAX(from->n_bootstrap, 1), sizeof(*b));

	*to = *from;
	for (int i = 0; i < from->n_bootstrap; i++)
		b[i] = (struct endpoint){ xstrdup(from->bootstrap[i].host), from->bootstrap[i].port };
	to->bootstrap = b;
	address_map_copy(&to->addresses, &from->addresses);
	to->tls = from->tls != NULL ? tls_ref(from->tls) : NULL;
	to->auth = from->auth != NULL ? auth_ref(from->auth) : NULL;
	to->client_id = xstrdup(from->client_id != NULL ? from->client_id : "krmirror");
	to->cluster_id = from->cluster_id != NULL ? xstrdup(from->cluster_id) : NULL;
}

void cluster_opts_fini(struct cluster_opts *o)
{
	struct endpoint *b = (struct endpoint *)(uintptr_t)o->bootstrap;

	for (int i = 0; i < o->n_bootstrap; i++)
		xfree(b[i].host);
	xfree(b);
	address_map_fini(&o->addresses);
	tls_unref(o->tls);
	auth_unref(o->auth);
	xfree((void *)(uintptr_t)o->client_id);
	xfree((void *)(uintptr_t)o->cluster_id);
}
