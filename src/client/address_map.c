/* SPDX-License-Identifier: Apache-2.0 */
#include "client/address_map.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { RULES_MAX = 1000, SHOWN = 100 };

/* ---- matching ---- */

static bool is_v6(const char *host, struct in6_addr *addr)
{
	return inet_pton(AF_INET6, host, addr) == 1;
}

static bool same_host(const char *a, const char *b)
{
	struct in6_addr x, y;

	if (is_v6(a, &x) && is_v6(b, &y))
		return memcmp(&x, &y, sizeof(x)) == 0;
	return strcasecmp(a, b) == 0;
}

static bool is_pattern(const struct endpoint *from)
{
	return strchr(from->host, '*') != NULL;
}

/* Each * takes as little as it can; where the rest does not fit, the last one takes one more. */
static bool fits(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			retry = text;
		} else if (tolower((unsigned char)*pattern) == tolower((unsigned char)*text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++retry;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

const struct endpoint *address_map_find(const struct address_map *map, const char *host, uint16_t port)
{
	for (int i = 0; i < map->n; i++)
		if (map->rules[i].from.port == port && !is_pattern(&map->rules[i].from) &&
		    same_host(map->rules[i].from.host, host))
			return &map->rules[i].to;
	for (int i = 0; i < map->n; i++)
		if (map->rules[i].from.port == port && is_pattern(&map->rules[i].from) &&
		    fits(map->rules[i].from.host, host))
			return &map->rules[i].to;
	return NULL;
}

/* ---- parsing ---- */

static bool is_address(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	return inet_pton(AF_INET, host, &v4) == 1 || is_v6(host, &v6);
}

static void rule_fini(struct address_rule *rule)
{
	xfree(rule->from.host);
	xfree(rule->to.host);
}

/* NULL when it can be used, else what is wrong. */
static const char *rule_parse(const char *s, size_t len, struct address_rule *rule)
{
	const char *equals = memchr(s, '=', len);

	*rule = (struct address_rule){ 0 };
	if (equals == NULL)
		return "it has no =";
	if (!endpoint_parse(s, (size_t)(equals - s), &rule->from))
		return "what stands before the = is no host:port";
	if (!endpoint_parse(equals + 1, len - (size_t)(equals + 1 - s), &rule->to) || !is_address(rule->to.host))
		return "what stands behind the = is no ip:port";
	return NULL;
}

static bool stands_already(const struct address_map *map, const struct endpoint *from)
{
	for (int i = 0; i < map->n; i++)
		if (map->rules[i].from.port == from->port && same_host(map->rules[i].from.host, from->host))
			return true;
	return false;
}

static int refused(struct address_map *map, int entry, const char *s, size_t len, const char *why, struct err *err)
{
	address_map_fini(map);
	err_set(err, RC_USAGE, "entry %d, \"%.*s\": %s", entry, (int)MIN(len, (size_t)SHOWN), s, why);
	return err_hint(err, "write host:port=ip:port,... with a name (* in it stands for any characters) and a port that "
			"brokers advertise, and the address to dial; IPv6 in brackets");
}

static int take(struct address_map *map, int entry, const char *s, size_t len, struct err *err)
{
	struct address_rule rule;
	const char *wrong = rule_parse(s, len, &rule);

	if (wrong == NULL && map->n >= RULES_MAX)
		wrong = "there are too many";
	if (wrong == NULL && stands_already(map, &rule.from))
		wrong = "an entry before it says where that is";
	if (wrong != NULL) {
		rule_fini(&rule);
		return refused(map, entry, s, len, wrong, err);
	}
	map->rules = xrealloc(map->rules, (size_t)map->n + 1, sizeof(*map->rules));
	map->rules[map->n++] = rule;
	return RC_OK;
}

int address_map_parse(const char *text, struct address_map *map, struct err *err)
{
	struct str item;
	int rc = RC_OK;

	*map = (struct address_map){ 0 };
	for (int entry = 1; rc == RC_OK && str_item(&text, &item); entry++)
		rc = take(map, entry, item.data, (size_t)item.len, err);
	return rc;
}

void address_map_copy(struct address_map *to, const struct address_map *from)
{
	*to = (struct address_map){ xcalloc((size_t)MAX(from->n, 1), sizeof(*to->rules)), from->n };
	for (int i = 0; i < from->n; i++) {
		const struct address_rule *r = &from->rules[i];

		to->rules[i] = (struct address_rule){
			.from = { xstrdup(r->from.host), r->from.port }, .to = { xstrdup(r->to.host), r->to.port },
		};
	}
}

void address_map_fini(struct address_map *map)
{
	for (int i = 0; i < map->n; i++)
		rule_fini(&map->rules[i]);
	xfree(map->rules);
	*map = (struct address_map){ 0 };
}
