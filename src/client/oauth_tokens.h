/* SPDX-License-Identifier: Apache-2.0 */
/* Where tokens come from: the settings, a file, or an endpoint (OIDC client credentials). One of an endpoint is kept and
 * shared by all connections until 80 % of its life are over. Safe for threads; may block. Only for client/. */
#pragma once

#include "client/auth.h"

struct oauth_tokens;

struct oauth_tokens *oauth_tokens_create(void);
void oauth_tokens_destroy(struct oauth_tokens *tokens);   /* NULL is fine */
/* The caller frees *token. RC_AUTH: the endpoint or the file, and why. */
int oauth_tokens_get(struct oauth_tokens *tokens, const struct auth_settings *settings, char **token,
		     struct err *err) MUST_USE;

/* What an endpoint answered (RFC 6749, 5.1 and 5.2). Pure. RC_AUTH with its error, or what is wrong with the answer.
 * *lives_s: -1, it does not say. */
int oauth_answer_parse(long status, const char *body, size_t len, char **token, int64_t *lives_s, struct err *err) MUST_USE;
