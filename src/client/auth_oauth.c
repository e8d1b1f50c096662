/* SPDX-License-Identifier: Apache-2.0 */
/* OAUTHBEARER (RFC 7628), which Debian's libsasl2 lacks: one message with the token and the extensions (KIP-342). A broker
 * that refuses answers with a reason, which wants one byte before it ends the exchange. */
#include "client/auth_mechanism.h"

#include "base/mem.h"
#include "client/oauth_tokens.h"

struct oauth_talk {
	struct auth_talk talk;
	const struct auth_settings *settings;
	struct oauth_tokens *tokens;
	char *message;
};

static int first(struct oauth_talk *o, struct err *err)
{
	const char *extensions = o->settings->extensions != NULL ? o->settings->extensions : "";
	char *token = NULL;
	int rc = oauth_tokens_get(o->tokens, o->settings, &token, err);

	if (rc != RC_OK)
		return rc;
	o->message = xasprintf("n,,\001auth=Bearer %s\001%s\001", token, extensions);
	xfree_secret(token);
	return RC_OK;
}

static int step(struct auth_talk *talk, const void *in, size_t in_len, const void **out, size_t *len, bool *complete,
		struct err *err)
{
	struct oauth_talk *o = container_of(talk, struct oauth_talk, talk);
	int rc = RC_OK;

	xfree_secret(o->message);
	o->message = NULL;
	*complete = true;
	if (in == NULL)
		rc = first(o, err);
	else if (in_len > 0)
		o->message = xstrdup("\001");   /* the broker's next answer is its refusal, in words */
	*out = o->message;
	*len = o->message != NULL ? strlen(o->message) : 0;
	return rc;
}

static void destroy(struct auth_talk *talk)
{
	struct oauth_talk *o = container_of(talk, struct oauth_talk, talk);

	xfree_secret(o->message);
	xfree(o);
}

struct auth_talk *auth_oauth_create(const struct auth_settings *settings, struct oauth_tokens *tokens)
{
	static const struct auth_talk_ops ops = { step, destroy };
	struct oauth_talk *o = xcalloc(1, sizeof(*o));

	o->talk.ops = &ops;
	o->settings = settings;
	o->tokens = tokens;
	return &o->talk;
}
