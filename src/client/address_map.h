/* SPDX-License-Identifier: Apache-2.0 */
/* Where brokers are dialled whose addresses lead nowhere from this host: broker.address.map. Pure. The name that was
 * mapped stays the broker's: for TLS, for Kerberos and in messages. */
#pragma once

#include "client/endpoint.h"

struct address_rule {
	struct endpoint from;   /* a * in the host stands for any characters */
	struct endpoint to;     /* its host is a literal address */
};

/* All zero: maps nothing. */
struct address_map {
	struct address_rule *rules;
	int n;
};

/* "host:port=ip:port,...". RC_USAGE with the number of the entry that is wrong; *map is then all zero. */
int address_map_parse(const char *text, struct address_map *map, struct err *err) MUST_USE;
/* A deep copy, ended by address_map_fini. */
void address_map_copy(struct address_map *to, const struct address_map *from);
void address_map_fini(struct address_map *map);

/* Where to dial; NULL: where it says. An entry without * comes before those with one, of which the first that fits
 * counts. Names are compared without case, IPv6 addresses as numbers. */
const struct endpoint *address_map_find(const struct address_map *map, const char *host, uint16_t port);
