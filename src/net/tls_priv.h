/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of TLS share: tls.c keeps a context, tls_context.c makes it, tls_stores.c reads certificates and keys,
 * stream_tls.c uses it, tls_explain.c says what went wrong. */
#pragma once

#include "net/tls.h"

#include <openssl/ssl.h>

/* NULL with err set: RC_USAGE. *expiry: as tls_expiry. */
SSL_CTX *tls_context_create(const struct tls_settings *settings, int64_t *expiry, struct err *err);

/* Certificates to trust, and the own one with its key, into the context. */
int tls_stores_trust(SSL_CTX *ctx, const struct tls_settings *settings, struct err *err) MUST_USE;
int tls_stores_key(SSL_CTX *ctx, const struct tls_settings *settings, int64_t *expiry, struct err *err) MUST_USE;

/* PEM text with line ends where OpenSSL wants them; what is not PEM is left out. The caller frees it. */
char *tls_pem_lines(const char *text);

/* The current context, one reference (SSL_CTX_free); NULL with err set. */
SSL_CTX *tls_context(struct tls *tls, struct err *err);
const struct tls_settings *tls_settings_of(const struct tls *tls);

/* Why a certificate was refused, kept by the verify callback; all empty: it was not. */
struct tls_refusal {
	int code;              /* X509_V_ERR_... */
	char subject[160];     /* of the certificate in question */
	char names[200];       /* of the broker's own: what it is for */
	char until[32], from[32];
};
/* For SSL_set_verify; the refusal is the SSL's app data. */
int tls_verified(int ok, X509_STORE_CTX *store);

/* Puts the reason for a failed call on ssl into err. ended: the peer has closed. handshaking: before it was through. */
void tls_explain(const struct tls_refusal *refusal, const char *host, bool ended, bool handshaking,
		 struct err *err);
/* The first reason in OpenSSL's queue, in words, and empties the queue. */
const char *tls_queued_reason(char *text, size_t cap);
