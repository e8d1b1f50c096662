/* SPDX-License-Identifier: Apache-2.0 */
/* Each step is a job of its own.
 *
 * Happy path: auth_begin -> job: talk is made, first token -> done -> the owner sends, receives -> auth_go_on -> job -> ...
 * -> complete -> auth_end. An exchange that is ended while a step works is freed when that ends. */
#include "client/auth.h"

#include "base/mem.h"
#include "client/auth_mechanism.h"
#include "client/oauth_tokens.h"
#include "net/job.h"

#include <stdatomic.h>
#include <string.h>

struct auth {
	struct auth_settings settings;
	atomic_int refs;
	struct oauth_tokens *tokens;
};

struct auth_talking {
	struct auth *auth;
	struct loop *loop;
	struct auth_exchange *exchange;
	struct job *job;             /* NULL: no step is under way */
	char *host;
	/* the step's while it works */
	struct auth_talk *talk;
	uint8_t *in;
	size_t in_len;
	const void *out;
	size_t out_len;
	bool complete;
	struct err err;
};

/* ---- settings ---- */

void auth_settings_fini(struct auth_settings *s)
{
	char *const all[] = {
		s->mechanism, s->username, s->password, s->service, s->keytab, s->principal, s->token, s->token_url,
		s->token_trust, s->scope, s->extensions,
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		xfree_secret(all[i]);
	*s = (struct auth_settings){ 0 };
}

static int kerberos_check(const struct auth_settings *s, struct err *err)
{
	if (s->service == NULL) {
		err_set(err, RC_USAGE, "sasl.mechanism=GSSAPI needs sasl.kerberos.service.name");
		return err_hint(err, "it is the first part of the brokers' principals, often kafka");
	}
	if ((s->keytab == NULL) != (s->principal == NULL))
		return err_set(err, RC_USAGE, "sasl.jaas.config: keyTab and principal go together; one is missing");
	return RC_OK;
}

static int oauth_check(const struct auth_settings *s, struct err *err)
{
	const char *url = s->token_url;

	if (s->token != NULL)
		return RC_OK;
	if (url == NULL) {
		err_set(err, RC_USAGE, "sasl.mechanism=OAUTHBEARER needs sasl.oauthbearer.token.endpoint.url");
		return err_hint(err, "https://..., file:///path, or token=\"...\" in sasl.jaas.config");
	}
	if (strncmp(url, "file:///", 8) == 0)
		return RC_OK;
	if (strncmp(url, "https://", 8) != 0) {
		err_set(err, RC_USAGE, "sasl.oauthbearer.token.endpoint.url=%.200s: secrets go by https only", url);
		return err_hint(err, "https://..., or file:///path for a token in a file");
	}
	if (s->username != NULL && s->password != NULL)
		return RC_OK;
	err_set(err, RC_USAGE, "sasl.mechanism=OAUTHBEARER with an endpoint needs clientId and clientSecret in "
		"sasl.jaas.config");
	return err_hint(err, "sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
			     "clientId=\"...\" clientSecret=\"...\";");
}

int auth_settings_check(const struct auth_settings *s, struct err *err)
{
	static const char *const known[] = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER" };
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		found = found || strcmp(s->mechanism, known[i]) == 0;
	if (!found) {
		err_set(err, RC_USAGE, "sasl.mechanism=%s is not known", s->mechanism);
		return err_hint(err, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI and OAUTHBEARER are");
	}
	if (auth_is(s, "GSSAPI"))
		return kerberos_check(s, err);
	if (auth_is(s, "OAUTHBEARER"))
		return oauth_check(s, err);
	if (s->username != NULL && s->password != NULL)
		return RC_OK;
	err_set(err, RC_USAGE, "sasl.mechanism=%s needs sasl.jaas.config with username and password", s->mechanism);
	return err_hint(err, "sasl.jaas.config=org.apache.kafka.common.security.%s required username=\"...\" password=\"...\";",
			s->mechanism[0] == 'P' ? "plain.PlainLoginModule" : "scram.ScramLoginModule");
}

struct auth *auth_create(struct auth_settings *settings)
{
	struct auth *auth = xcalloc(1, sizeof(*auth));

	auth->settings = *settings;
	*settings = (struct auth_settings){ 0 };
	atomic_init(&auth->refs, 1);
	auth->tokens = oauth_tokens_create();
	return auth;
}

struct auth *auth_ref(struct auth *auth)
{
	atomic_fetch_add(&auth->refs, 1);
	return auth;
}

void auth_unref(struct auth *auth)
{
	if (auth == NULL || atomic_fetch_sub(&auth->refs, 1) > 1)
		return;
	auth_settings_fini(&auth->settings);
	oauth_tokens_destroy(auth->tokens);
	xfree(auth);
}

const char *auth_token_url(const struct auth *auth)
{
	return auth->settings.token_url;
}

const char *auth_mechanism(const struct auth *auth)
{
	return auth->settings.mechanism;
}

/* ---- steps ---- */

static void talking_free(void *data)
{
	struct auth_talking *t = data;

	if (t->talk != NULL)
		t->talk->ops->destroy(t->talk);
	if (t->in != NULL)
		explicit_bzero(t->in, t->in_len);
	xfree(t->in);
	xfree(t->host);
	auth_unref(t->auth);
	xfree(t);
}

static void take_step(void *data)
{
	struct auth_talking *t = data;
	const struct auth_settings *settings = &t->auth->settings;

	t->err = (struct err){ 0 };
	if (t->talk == NULL)
		t->talk = auth_is(settings, "OAUTHBEARER") ? auth_oauth_create(settings, t->auth->tokens) :
			  auth_cyrus_create(settings, t->host, &t->err);
	if (t->talk != NULL && t->talk->ops->step(t->talk, t->in, t->in_len, &t->out, &t->out_len, &t->complete,
						  &t->err) != RC_OK)
		t->out = NULL;
}

static void stepped(void *data)
{
	struct auth_talking *t = data;
	struct auth_exchange *exchange = t->exchange;

	t->job = NULL;
	exchange->err = t->err;
	exchange->token = t->out;
	exchange->len = t->out_len;
	exchange->complete = t->complete;
	exchange->done(exchange);
}

static void start(struct auth_talking *t)
{
	static const struct job_ops ops = { take_step, stepped, talking_free };
	int error;

	t->job = job_start(t->loop, &ops, t, &error);
	if (t->job != NULL)
		return;
	err_set(&t->err, RC_AUTH, "no thread for SASL: %s", strerror(error));
	t->job = job_post(t->loop, &ops, t);
}

void auth_begin(struct auth_exchange *exchange, struct auth *auth, struct loop *loop, const char *host)
{
	struct auth_talking *t = xcalloc(1, sizeof(*t));

	CHECK(exchange->talking_ == NULL && exchange->done != NULL);
	exchange->talking_ = t;
	t->auth = auth_ref(auth);
	t->loop = loop;
	t->exchange = exchange;
	t->host = xstrdup(host);
	start(t);
}

void auth_go_on(struct auth_exchange *exchange, const void *token, size_t len)
{
	struct auth_talking *t = exchange->talking_;

	CHECK(t != NULL && t->job == NULL);
	xfree(t->in);
	t->in = xmalloc(len + 1);
	memcpy(t->in, token, len);
	t->in_len = len;
	start(t);
}

void auth_end(struct auth_exchange *exchange)
{
	struct auth_talking *t = exchange->talking_;

	if (t == NULL)
		return;
	exchange->talking_ = NULL;
	if (t->job != NULL)
		job_cancel(t->job);
	else
		talking_free(t);
}
