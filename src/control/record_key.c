/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the control log. Names of links, topics and workers hold no slash, so a key splits in one way only. */
#include "control/record.h"

#include "base/mem.h"

#include <string.h>

enum { KEY_MAX_LEN = 1024 };

char *record_key_link(const char *link)
{
	return xasprintf("link/%s", link);
}

char *record_key_pause(const char *link)
{
	return xasprintf("pause/%s", link);
}

char *record_key_mirror(const char *link, const char *topic)
{
	return xasprintf("mirror/%s/%s", link, topic);
}

char *record_key_link_state(const char *link)
{
	return xasprintf("state/%s", link);
}

char *record_key_mirror_state(const char *link, const char *topic)
{
	return xasprintf("state/%s/%s", link, topic);
}

char *record_key_claim(const char *worker)
{
	return xasprintf("claim/%s", worker);
}

char *record_key_worker(const char *worker)
{
	return xasprintf("worker/%s", worker);
}

char *record_key_sync(const char *link)
{
	return xasprintf("sync/%s", link);
}

struct prefix {
	const char *text;
	int parts_min, parts_max;
	enum record_kind one, two;
};

static const struct prefix prefixes[] = {
	{ "link/", 1, 1, RECORD_LINK, RECORD_FOREIGN },
	{ "mirror/", 2, 2, RECORD_FOREIGN, RECORD_MIRROR },
	{ "state/", 1, 2, RECORD_LINK_STATE, RECORD_MIRROR_STATE },
	{ "claim/", 1, 1, RECORD_CLAIM, RECORD_FOREIGN },
	{ "worker/", 1, 1, RECORD_WORKER, RECORD_FOREIGN },
	{ "sync/", 1, 1, RECORD_SYNC, RECORD_FOREIGN },
	{ "pause/", 1, 1, RECORD_PAUSE, RECORD_FOREIGN },
};

/* Printable ASCII: what every name here is made of; worker ids may hold more than topic names. */
static bool part_valid(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return len > 0;
}

enum record_kind record_key_parse(const char *key, size_t len, char **name, char **topic)
{
	const struct prefix *p = NULL;
	const char *rest, *slash;
	size_t n, first;

	*name = *topic = NULL;
	for (size_t i = 0; i < ARRAY_LEN(prefixes) && len <= KEY_MAX_LEN; i++)
		if (len > strlen(prefixes[i].text) && memcmp(key, prefixes[i].text, strlen(prefixes[i].text)) == 0)
			p = &prefixes[i];
	if (p == NULL)
		return RECORD_FOREIGN;
	rest = key + strlen(p->text);
	n = len - strlen(p->text);
	slash = memchr(rest, '/', n);
	first = slash == NULL ? n : (size_t)(slash - rest);
	if ((slash == NULL ? 1 : 2) < p->parts_min || (slash == NULL ? 1 : 2) > p->parts_max || !part_valid(rest, first))
		return RECORD_FOREIGN;
	if (slash != NULL && (!part_valid(slash + 1, n - first - 1) || memchr(slash + 1, '/', n - first - 1) != NULL))
		return RECORD_FOREIGN;
	*name = xstrndup(rest, first);
	if (slash != NULL)
		*topic = xstrndup(slash + 1, n - first - 1);
	return slash == NULL ? p->one : p->two;
}
