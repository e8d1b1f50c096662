/* SPDX-License-Identifier: Apache-2.0 */
/* TLS settings of one cluster, and what is made of them: certificates and keys read from files or from the settings
 * themselves, kept until a file changes. Connections ask for the current context; those that are open keep the one that
 * they began with, so a certificate is exchanged without closing anything.
 *
 * Shared by threads: every function may be called from any. Files are read where a connection is made: they are small
 * and local, and looked at again only when their inode, size or time of change is another. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As Kafka's client keys of the same names (ssl.*) have them; NULL: not set. */
struct tls_settings {
	char *truststore_location, *truststore_password, *truststore_type;
	char *truststore_certificates;         /* PEM text */
	char *keystore_location, *keystore_password, *keystore_type;
	char *keystore_key, *keystore_certificate_chain;   /* PEM text */
	char *key_password;
	char *enabled_protocols;               /* "TLSv1.2,TLSv1.3" */
	char *cipher_suites;                   /* IANA names, separated by commas */
	bool check_host;                       /* the certificate must name the host that was dialled */
};
void tls_settings_fini(struct tls_settings *settings);

/* What can be judged without reading a file: RC_USAGE with what to do (JKS: how to convert it). */
int tls_settings_check(const struct tls_settings *settings, struct err *err) MUST_USE;

/* Counted references. */
struct tls;
/* Takes the settings over; reads nothing yet. One reference. */
struct tls *tls_create(struct tls_settings *settings);
struct tls *tls_ref(struct tls *tls);
void tls_unref(struct tls *tls);   /* NULL is fine */

/* Reads what is not read yet or has changed. RC_USAGE: what is wrong with which key or file. When something was in use
 * before and the new files are bad, RC_OK: the old goes on, and the reason is logged. */
int tls_load(struct tls *tls, struct err *err) MUST_USE;

/* When the certificate that is shown to brokers ends, seconds since 1970; -1: there is none, or it is not read yet. */
int64_t tls_expiry(struct tls *tls);
/* Whose certificate that is, as Kafka names its owner (RFC 2253: "CN=krmirror,O=Example"). False: there is none. */
bool tls_subject(struct tls *tls, char *text, size_t cap) MUST_USE;
