/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates that tests make for themselves. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

struct cert {
	EVP_PKEY *key;
	X509 *x509;
};

/* names: as subjectAltName has them, "DNS:localhost,IP:127.0.0.1"; NULL: a CA. issuer NULL: signed by itself. Valid for
 * days from now; negative: it has expired so long ago. */
struct cert cert_make(const char *subject, const char *names, const struct cert *issuer, int days);
void cert_free(struct cert *cert);
/* PEM text; the caller frees it. */
char *cert_pem(const struct cert *cert);
/* Of the key; password NULL: in clear. */
char *cert_key_pem(const struct cert *cert, const char *password);
/* A file of PKCS#12 with the key, and others beside it. */
void cert_write_pkcs12(const struct cert *cert, const struct cert *other, const char *password, const char *path);
void write_text(const char *path, const char *a, const char *b);
