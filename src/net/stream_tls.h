/* SPDX-License-Identifier: Apache-2.0 */
/* The stream with TLS (stream.h), the client's side: OpenSSL over buffers of our own, never over a descriptor. */
#pragma once

#include "net/stream.h"
#include "net/tls.h"

/* Makes streams to one host. tls and host are the caller's and outlive the maker and what it made. */
struct stream_tls_maker {
	struct stream_maker maker;
	struct tls *tls;
	const char *host;    /* a name or an address: what the certificate must name; also sent as server name */
};
void stream_tls_maker_init(struct stream_tls_maker *maker, struct tls *tls, const char *host);
