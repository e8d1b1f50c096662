/* SPDX-License-Identifier: Apache-2.0 */
#include "client/oauth_tokens.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/oauth_http.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { TOKEN_MAX = 64 << 10, RENEW_PERCENT = 80, LIVES_DEFAULT_S = 300 };

struct oauth_tokens {
	pthread_mutex_t mutex;   /* held while an endpoint is asked: one question for all who wait */
	char *token;             /* NULL: none */
	int64_t renew_ns, expires_ns;
};

struct oauth_tokens *oauth_tokens_create(void)
{
	struct oauth_tokens *tokens = xcalloc(1, sizeof(*tokens));

	pthread_mutex_init(&tokens->mutex, NULL);
	return tokens;
}

void oauth_tokens_destroy(struct oauth_tokens *tokens)
{
	if (tokens == NULL)
		return;
	xfree_secret(tokens->token);
	pthread_mutex_destroy(&tokens->mutex);
	xfree(tokens);
}

/* RFC 6750: what a bearer token may look like. Also keeps the separators of the SASL message out of it. */
static bool is_token(const char *text)
{
	return text[0] != '\0' && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=") ==
	       strlen(text);
}

/* ---- a file ---- */

static int of_file(const char *path, char **token, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = xcalloc(1, TOKEN_MAX + 1);
	ssize_t n = fd < 0 ? -1 : read(fd, text, TOKEN_MAX);
	int error = errno;

	if (fd >= 0)
		close(fd);
	while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
		text[--n] = '\0';
	if (n < 0)
		err_set(err, RC_AUTH, "the token file %s: %s", path, strerror(error));
	else if (!is_token(text))
		err_set(err, RC_AUTH, "the token file %s holds no token", path);
	if (n >= 0 && is_token(text)) {
		*token = text;
		return RC_OK;
	}
	xfree_secret(text);
	return err->rc;
}

/* ---- an endpoint ---- */

static void add_reason(const json_t *answer, char *text, size_t cap)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	const char *more = json_string_value(json_object_get(answer, "error_description"));

	text[0] = '\0';
	if (error != NULL)
		snprintf(text, cap, ": %.60s%s%.120s", error, more != NULL ? ": " : "", more != NULL ? more : "");
}

int oauth_answer_parse(long status, const char *body, size_t len, char **token, int64_t *lives_s, struct err *err)
{
	json_t *answer = json_loadb(body, len, 0, NULL);
	const char *found = json_string_value(json_object_get(answer, "access_token"));
	const json_t *lives = json_object_get(answer, "expires_in");
	char reason[200];
	int rc = RC_OK;

	if (status != 200) {
		add_reason(answer, reason, sizeof(reason));
		rc = err_set(err, RC_AUTH, "it answers %ld%s", status, reason);
	} else if (found == NULL || !is_token(found)) {
		rc = err_set(err, RC_AUTH, "its answer has no access_token");
	} else {
		*token = xstrdup(found);
		*lives_s = json_is_number(lives) ? (int64_t)json_number_value(lives) : -1;
	}
	json_decref(answer);
	return rc;
}

static int ask(struct oauth_tokens *tokens, const struct auth_settings *s, struct err *err)
{
	struct oauth_http_answer answer = { 0 };
	int64_t now = clock_mono_ns(), lives_s = -1;
	char *token = NULL;
	int rc = oauth_http_ask(s, &answer, err);

	if (rc == RC_OK)
		rc = oauth_answer_parse(answer.status, answer.body.data, answer.body.len, &token, &lives_s, err);
	oauth_http_answer_fini(&answer);
	if (rc != RC_OK)
		return err_wrap(err, "token endpoint %.200s", s->token_url);
	if (lives_s <= 0)
		lives_s = LIVES_DEFAULT_S;
	lives_s = MIN(lives_s, INT64_C(86400) * 365);
	xfree_secret(tokens->token);
	tokens->token = token;
	tokens->renew_ns = now + lives_s * NS_PER_S / 100 * RENEW_PERCENT;
	tokens->expires_ns = now + lives_s * NS_PER_S;
	return RC_OK;
}

/* A token that is to be renewed and cannot be is good until it expires. */
static int of_endpoint(struct oauth_tokens *tokens, const struct auth_settings *s, char **token, struct err *err)
{
	int64_t now = clock_mono_ns();
	int rc = RC_OK;

	pthread_mutex_lock(&tokens->mutex);
	if (tokens->token == NULL || now >= tokens->renew_ns)
		rc = ask(tokens, s, err);
	if (rc != RC_OK && tokens->token != NULL && now < tokens->expires_ns)
		rc = RC_OK;
	if (rc == RC_OK)
		*token = xstrdup(tokens->token);
	pthread_mutex_unlock(&tokens->mutex);
	return rc;
}

int oauth_tokens_get(struct oauth_tokens *tokens, const struct auth_settings *s, char **token, struct err *err)
{
	if (s->token != NULL && is_token(s->token)) {
		*token = xstrdup(s->token);
		return RC_OK;
	}
	if (s->token != NULL)
		return err_set(err, RC_USAGE, "sasl.jaas.config: token is no bearer token");
	if (strncmp(s->token_url, "file://", 7) == 0)
		return of_file(s->token_url + 7, token, err);
	return of_endpoint(tokens, s, token, err);
}
