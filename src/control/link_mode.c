/* SPDX-License-Identifier: Apache-2.0 */
#include "control/link_mode.h"

#include "control/keys.h"

#include <string.h>
#include <strings.h>

#define LOCAL "local."

enum { LOCAL_LEN = sizeof(LOCAL) - 1 };

static const char *text(const struct props *props, const char *name)
{
	return keys_text(&link_key_table, props, name);
}

enum link_mode link_mode_of(const struct props *props)
{
	return strcasecmp(text(props, "link.mode"), "SOURCE") == 0 ? LINK_MODE_SOURCE : LINK_MODE_DESTINATION;
}

bool link_inbound(const struct props *props)
{
	return strcasecmp(text(props, "connection.mode"), "INBOUND") == 0;
}

bool link_wish_inbound(const struct link_wish *wish)
{
	const char *mode = json_string_value(json_object_get(wish->config, "connection.mode"));

	return mode != NULL && strcasecmp(mode, "INBOUND") == 0;
}

int link_mode_check(const struct props *props, struct err *err)
{
	if (strcasecmp(text(props, "link.mode"), "BIDIRECTIONAL") == 0) {
		err_set(err, RC_USAGE, "link.mode=BIDIRECTIONAL is two links in one; krmirror keeps each at its destination");
		return err_hint(err, "make one link with link.mode=DESTINATION at either cluster, each with the "
				"krmirror.properties of that cluster; they may have one name");
	}
	if (link_mode_of(props) == LINK_MODE_SOURCE && link_inbound(props)) {
		err_set(err, RC_USAGE, "link.mode=SOURCE does not go with connection.mode=INBOUND: that link dials");
		return err_hint(err, "the other one of the pair, with link.mode=DESTINATION, has connection.mode=INBOUND");
	}
	return RC_OK;
}

const char *link_servers_key(const struct props *props)
{
	return link_mode_of(props) == LINK_MODE_SOURCE ? LOCAL "bootstrap.servers" : "bootstrap.servers";
}

/* local.listener and local.listener.name are no client's. */
static bool is_local(const char *key)
{
	return strncmp(key, LOCAL, LOCAL_LEN) == 0 && strncmp(key + LOCAL_LEN, "listener", 8) != 0;
}

void link_mode_split(const struct props *props, struct props *own, struct props *local)
{
	for (int i = 0; i < props->n; i++) {
		const struct prop *p = &props->items[i];

		if (is_local(p->key))
			props_set(local, p->key + LOCAL_LEN, p->value, p->file, p->line);
		else
			props_set(own, p->key, p->value, p->file, p->line);
	}
}

void link_mode_join(struct props *props, const struct props *inbound)
{
	for (int i = 0; i < inbound->n; i++) {
		const struct prop *p = &inbound->items[i];

		if (keys_find(&link_key_table, p->key) != NULL && strncmp(p->key, LOCAL, LOCAL_LEN) != 0 &&
		    strcmp(p->key, "link.mode") != 0 && strcmp(p->key, "connection.mode") != 0 &&
		    props_find(props, p->key) == NULL)
			props_set(props, p->key, p->value, p->file, p->line);
	}
}
