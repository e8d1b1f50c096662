/* SPDX-License-Identifier: Apache-2.0 */
/* Between auth.c, which runs steps on threads, and the mechanisms, which know nothing of threads. Only for client/. */
#pragma once

#include "client/auth.h"

/* One conversation. */
struct auth_talk;

/* NULL with err set (RC_AUTH, RC_USAGE). */
struct auth_talk *auth_talk_create(const struct auth_settings *settings, const char *host, struct err *err);
void auth_talk_destroy(struct auth_talk *talk);
/* in NULL: the first step. *out is the talk's until the next step. May block. */
int auth_talk_step(struct auth_talk *talk, const void *in, size_t in_len, const void **out, size_t *len, bool *complete,
		   struct err *err) MUST_USE;
