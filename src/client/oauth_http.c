/* SPDX-License-Identifier: Apache-2.0 */
#include "client/oauth_http.h"

#include "base/mem.h"

#include <curl/curl.h>
#include <pthread.h>
#include <string.h>

enum { BODY_MAX = 256 << 10 };

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take(char *data, size_t size, size_t n, void *owner)
{
	struct oauth_http_answer *answer = owner;
	size_t len = size * n;

	if (answer->body.len + len > BODY_MAX)
		return 0;
	doc_add_bytes(&answer->body, data, len);
	return len;
}

/* grant_type=client_credentials&scope=... */
static char *form_of(CURL *curl, const struct auth_settings *s)
{
	char *scope = s->scope != NULL ? curl_easy_escape(curl, s->scope, 0) : NULL;
	char *form = xasprintf("grant_type=client_credentials%s%s", scope != NULL ? "&scope=" : "", scope != NULL ? scope : "");

	curl_free(scope);
	return form;
}

static void prepare(CURL *curl, const struct auth_settings *s, struct oauth_http_answer *answer, char *reason)
{
	curl_easy_setopt(curl, CURLOPT_URL, s->token_url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)s->token_connect_timeout_ms);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)s->token_connect_timeout_ms + s->token_read_timeout_ms);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	curl_easy_setopt(curl, CURLOPT_USERNAME, s->username);
	curl_easy_setopt(curl, CURLOPT_PASSWORD, s->password);
	if (s->token_trust != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, s->token_trust);
}

int oauth_http_ask(const struct auth_settings *s, struct oauth_http_answer *answer, struct err *err)
{
	char reason[CURL_ERROR_SIZE] = "";
	char *form;
	CURLcode code;
	CURL *curl;

	pthread_once(&once, init);
	curl = curl_easy_init();
	CHECK(curl != NULL);
	prepare(curl, s, answer, reason);
	form = form_of(curl, s);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
	code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	else
		err_set(err, RC_AUTH, "no answer: %s", reason[0] != '\0' ? reason : curl_easy_strerror(code));
	curl_easy_cleanup(curl);
	xfree(form);
	return code == CURLE_OK ? RC_OK : err->rc;
}

void oauth_http_answer_fini(struct oauth_http_answer *answer)
{
	if (answer->body.data != NULL)
		explicit_bzero(answer->body.data, answer->body.len);
	xfree(answer->body.data);
	*answer = (struct oauth_http_answer){ 0 };
}
