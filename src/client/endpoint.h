/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of servers as configurations write them. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct endpoint {
	char *host;
	uint16_t port;
};

/* One "PROTOCOL://host:port", "host:port" or "[v6]:port" of len characters. The caller frees e->host with xfree. */
bool endpoint_parse(const char *s, size_t len, struct endpoint *e);
/* A list of them with commas; the caller frees with endpoints_free. RC_USAGE. */
int endpoints_parse(const char *text, struct endpoint **list, int *n, struct err *err) MUST_USE;
void endpoints_free(struct endpoint *list, int n);
