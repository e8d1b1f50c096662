/* SPDX-License-Identifier: Apache-2.0 */
/* One thread for each step: steps are few, and one that hangs must not hold up others.
 *
 * Happy path: auth_begin -> thread: talk is made, first token -> posted -> done -> the owner sends, receives ->
 * auth_go_on -> thread -> ... -> complete -> auth_end.
 * auth_end, by where the job is:
 *   idle     freed
 *   working  marked; the thread frees it and does not touch the loop, which may be gone by then
 *   posted   the post is taken back, then freed
 * The job's lock orders these; the thread posts while it holds it, so that auth_end finds either. */
#include "client/auth.h"

#include "base/mem.h"
#include "client/auth_mechanism.h"
#include "client/oauth_tokens.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

enum { STACK_BYTES = 1 << 20 };

struct auth {
	struct auth_settings settings;
	atomic_int refs;
	struct oauth_tokens *tokens;
};

enum job_state { JOB_IDLE, JOB_WORKING, JOB_POSTED, JOB_ENDED };

struct auth_job {
	struct auth *auth;
	struct loop *loop;
	struct auth_exchange *exchange;
	char *host;
	pthread_mutex_t lock;
	enum job_state state;
	struct post post;
	/* the thread's while it works */
	struct auth_talk *talk;
	uint8_t *in;
	size_t in_len;
	const void *out;
	size_t out_len;
	bool complete;
	struct err err;
};

/* ---- settings ---- */

static void forget(char **text)
{
	if (*text != NULL)
		explicit_bzero(*text, strlen(*text));
	xfree(*text);
	*text = NULL;
}

void auth_settings_fini(struct auth_settings *s)
{
	forget(&s->mechanism);
	forget(&s->username);
	forget(&s->password);
	forget(&s->service);
	forget(&s->keytab);
	forget(&s->principal);
	forget(&s->token);
	forget(&s->token_url);
	forget(&s->token_trust);
	forget(&s->scope);
	forget(&s->extensions);
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

const char *auth_mechanism(const struct auth *auth)
{
	return auth->settings.mechanism;
}

/* ---- steps ---- */

static void job_free(struct auth_job *job)
{
	if (job->talk != NULL)
		job->talk->ops->destroy(job->talk);
	if (job->in != NULL)
		explicit_bzero(job->in, job->in_len);
	xfree(job->in);
	xfree(job->host);
	auth_unref(job->auth);
	pthread_mutex_destroy(&job->lock);
	xfree(job);
}

static void take_step(struct auth_job *job)
{
	const struct auth_settings *settings = &job->auth->settings;

	job->err = (struct err){ 0 };
	if (job->talk == NULL)
		job->talk = auth_is(settings, "OAUTHBEARER") ? auth_oauth_create(settings, job->auth->tokens, &job->err) :
			    auth_cyrus_create(settings, job->host, &job->err);
	if (job->talk != NULL && job->talk->ops->step(job->talk, job->in, job->in_len, &job->out, &job->out_len,
						      &job->complete, &job->err) != RC_OK)
		job->out = NULL;
}

static void *work(void *arg)
{
	struct auth_job *job = arg;
	bool ended;

	take_step(job);
	pthread_mutex_lock(&job->lock);
	ended = job->state == JOB_ENDED;
	if (!ended) {
		job->state = JOB_POSTED;
		loop_post(job->loop, &job->post);
	}
	pthread_mutex_unlock(&job->lock);
	if (ended)
		job_free(job);
	return NULL;
}

static void came_back(struct post *post)
{
	struct auth_job *job = container_of(post, struct auth_job, post);
	struct auth_exchange *exchange = job->exchange;

	/* Wait until the thread, which posted this with the lock held, has let go of it. */
	pthread_mutex_lock(&job->lock);
	job->state = JOB_IDLE;
	pthread_mutex_unlock(&job->lock);
	exchange->err = job->err;
	exchange->token = job->out;
	exchange->len = job->out_len;
	exchange->complete = job->complete;
	exchange->done(exchange);
}

static int start_thread(struct auth_job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int res;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	res = pthread_create(&thread, &attr, work, job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return res;
}

static void start(struct auth_job *job)
{
	int res;

	job->state = JOB_WORKING;
	res = start_thread(job);
	if (res == 0)
		return;
	err_set(&job->err, RC_AUTH, "no thread for SASL: %s", strerror(res));
	job->state = JOB_POSTED;
	loop_post(job->loop, &job->post);
}

void auth_begin(struct auth_exchange *exchange, struct auth *auth, struct loop *loop, const char *host)
{
	struct auth_job *job = xcalloc(1, sizeof(*job));

	CHECK(exchange->job_ == NULL && exchange->done != NULL);
	exchange->job_ = job;
	job->auth = auth_ref(auth);
	job->loop = loop;
	job->exchange = exchange;
	job->host = xstrdup(host);
	job->post.run = came_back;
	pthread_mutex_init(&job->lock, NULL);
	start(job);
}

void auth_go_on(struct auth_exchange *exchange, const void *token, size_t len)
{
	struct auth_job *job = exchange->job_;

	CHECK(job != NULL && job->state == JOB_IDLE);
	xfree(job->in);
	job->in = xmalloc(len + 1);
	memcpy(job->in, token, len);
	job->in_len = len;
	start(job);
}

void auth_end(struct auth_exchange *exchange)
{
	struct auth_job *job = exchange->job_;
	enum job_state state;

	if (job == NULL)
		return;
	exchange->job_ = NULL;
	pthread_mutex_lock(&job->lock);
	state = job->state;
	job->state = JOB_ENDED;
	pthread_mutex_unlock(&job->lock);
	if (state == JOB_WORKING)
		return;
	if (state == JOB_POSTED)
		CHECK(loop_unpost(job->loop, &job->post));
	job_free(job);
}
