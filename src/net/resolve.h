/* SPDX-License-Identifier: Apache-2.0 */
/* Names to addresses, on a helper thread, so that a slow resolver never holds a loop. */
#pragma once

#include "base/err.h"
#include "net/loop.h"

enum { RESOLVE_MAX = 16 };

/* Embedded in its owner, zeroed before its first use. */
struct resolve {
	/* Called on the loop's thread, never before resolve_start returned. n addresses, or n 0 and err filled
	 * (RC_RESOLVE; the text names host and the resolver's answer). */
	void (*done)(struct resolve *resolve, const struct err *err);
	void *owner;
	int n_addrs;
	struct sockaddr_storage addrs[RESOLVE_MAX];
	/* private */
	struct job *job_;
};

/* Starts; a literal address needs no thread but also answers later. host is copied. */
void resolve_start(struct loop *loop, struct resolve *resolve, const char *host, uint16_t port);
/* done will not come any more; the helper finishes by itself. Nothing happens when none is pending. */
void resolve_cancel(struct resolve *resolve);
static inline bool resolve_pending(const struct resolve *resolve)
{
	return resolve->job_ != NULL;
}

/* "host:port" or "[v6]:port" of an address. */
void sockaddr_text(const struct sockaddr_storage *addr, char *text, size_t size);
