/* SPDX-License-Identifier: Apache-2.0 */
/* SASL: what a connection sends to say who it is. Steps may take long (a ticket server, a password hashed many times),
 * so they run on a thread of their own and come back to the loop. libsasl2 does PLAIN, SCRAM and GSSAPI, behind one mutex
 * (DESIGN 7); no security layer is negotiated, TLS is what protects the bytes. */
#pragma once

#include "base/err.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL: not set. */
struct auth_settings {
	char *mechanism;             /* "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER" */
	char *username, *password;   /* OAUTHBEARER: of the client, at the token endpoint */
	char *service;               /* GSSAPI: the first part of the brokers' principals */
	char *keytab, *principal;    /* GSSAPI: both, or neither: the process's own ticket cache */
	/* OAUTHBEARER */
	char *token;                 /* as it is; else from token_url, */
	char *token_url;             /* "https://..." or "file:///path" */
	char *token_trust;           /* PEM file of whom to trust at the endpoint; NULL: whom the system trusts */
	char *scope;
	char *extensions;            /* "name=value\001" for each */
	int32_t token_connect_timeout_ms, token_read_timeout_ms;
};
void auth_settings_fini(struct auth_settings *settings);
/* RC_USAGE: a mechanism that is not known, or lacks what it needs. */
int auth_settings_check(const struct auth_settings *settings, struct err *err) MUST_USE;

/* Counted references; shared by threads. */
struct auth;
/* Takes the settings over. One reference. */
struct auth *auth_create(struct auth_settings *settings);
struct auth *auth_ref(struct auth *auth);
void auth_unref(struct auth *auth);   /* NULL is fine */
const char *auth_mechanism(const struct auth *auth);
/* The endpoint that tokens come from, or NULL. */
const char *auth_token_url(const struct auth *auth);

/* One authentication of one connection, step by step. Embedded in its owner, zeroed before its first use. */
struct auth_exchange {
	/* Called on the loop's thread, never before the call that started the step returned. */
	void (*done)(struct auth_exchange *exchange);
	void *owner;
	/* valid in done and until the next step */
	struct err err;              /* rc RC_OK: token is what to send next */
	const void *token;
	size_t len;
	bool complete;               /* nothing of the broker is needed any more but its consent */
	/* private */
	struct auth_talking *talking_;
};

/* The first step. host is the name that the broker advertises; copied. Only when none is under way. */
void auth_begin(struct auth_exchange *exchange, struct auth *auth, struct loop *loop, const char *host);
/* The next, with what the broker answered; copied. */
void auth_go_on(struct auth_exchange *exchange, const void *token, size_t len);
/* Forgets the exchange: done will not come any more. Nothing happens when there is none. */
void auth_end(struct auth_exchange *exchange);
