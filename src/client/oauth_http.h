/* SPDX-License-Identifier: Apache-2.0 */
/* One question to a token endpoint, by libcurl: https only, no redirects, bounded in time and size. Only for client/. */
#pragma once

#include "base/doc.h"
#include "client/auth.h"

struct oauth_http_answer {
	long status;
	struct doc body;
};

/* Blocks, at most for the two timeouts of the settings. RC_AUTH: no answer, and why. */
int oauth_http_ask(const struct auth_settings *settings, struct oauth_http_answer *answer, struct err *err) MUST_USE;
void oauth_http_answer_fini(struct oauth_http_answer *answer);
