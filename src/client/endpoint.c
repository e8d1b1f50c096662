/* SPDX-License-Identifier: Apache-2.0 */
#include "client/endpoint.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

enum { ENDPOINTS_MAX = 1000 };

static bool port_parse(const char *text, size_t len, uint16_t *port)
{
	unsigned long v = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		v = v * 10 + (unsigned long)(text[i] - '0');
	}
	*port = (uint16_t)v;
	return v > 0 && v <= 65535;
}

static bool host_valid(const char *host, size_t len)
{
	if (len == 0 || len > 255)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)host[i]) || strchr("/[]@,\"'", host[i]) != NULL)
			return false;
	return true;
}

bool endpoint_parse(const char *s, size_t len, struct endpoint *e)
{
	const char *scheme = memmem(s, len, "://", 3), *colon, *host;
	size_t host_len;

	if (scheme != NULL) {
		len -= (size_t)(scheme + 3 - s);
		s = scheme + 3;
	}
	colon = memrchr(s, ':', len);
	if (colon == NULL)
		return false;
	host = s;
	host_len = (size_t)(colon - s);
	if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
		host++;
		host_len -= 2;
	} else if (memchr(host, ':', host_len) != NULL) {
		return false;   /* an IPv6 address needs its brackets */
	}
	if (!host_valid(host, host_len) || !port_parse(colon + 1, len - (size_t)(colon + 1 - s), &e->port))
		return false;
	e->host = xstrndup(host, host_len);
	return true;
}

void endpoints_free(struct endpoint *list, int n)
{
	for (int i = 0; i < n; i++)
		xfree(list[i].host);
	xfree(list);
}

int endpoints_parse(const char *text, struct endpoint **list, int *n, struct err *err)
{
	struct str item;

	*list = NULL;
	*n = 0;
	while (str_item(&text, &item)) {
		*list = xrealloc(*list, (size_t)*n + 1, sizeof(**list));
		if (*n >= ENDPOINTS_MAX || !endpoint_parse(item.data, (size_t)item.len, &(*list)[*n])) {
			endpoints_free(*list, *n);
			*list = NULL;
			*n = 0;
			err_set(err, RC_USAGE, "\"%.*s\" is no server address", (int)MIN(item.len, 100), item.data);
			return err_hint(err, "write host:port, or [address]:port for IPv6, separated by commas");
		}
		(*n)++;
	}
	return RC_OK;
}
