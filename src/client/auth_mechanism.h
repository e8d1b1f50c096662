/* SPDX-License-Identifier: Apache-2.0 */
/* Between auth.c, which runs steps on threads, and the mechanisms, which know nothing of threads. Only for client/. */
#pragma once

#include "client/auth.h"

#include <string.h>

struct oauth_tokens;

/* One conversation; the first member of a mechanism's own. */
struct auth_talk {
	const struct auth_talk_ops *ops;
};

struct auth_talk_ops {
	/* in NULL: the first step. *out is the talk's until the next step. May block. */
	int (*step)(struct auth_talk *talk, const void *in, size_t in_len, const void **out, size_t *len, bool *complete,
		    struct err *err) MUST_USE;
	void (*destroy)(struct auth_talk *talk);
};

/* What is given outlives the talk. The first is NULL with err set (RC_AUTH, RC_USAGE), and may block. */
struct auth_talk *auth_cyrus_create(const struct auth_settings *settings, const char *host, struct err *err);
struct auth_talk *auth_oauth_create(const struct auth_settings *settings, struct oauth_tokens *tokens);

static inline bool auth_is(const struct auth_settings *settings, const char *mechanism)
{
	return strcmp(settings->mechanism, mechanism) == 0;
}
