/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the mechanism in a byte, then what a hostile broker answers, each message after its length in two bytes; NONCE in
 * it stands for the nonce of the client, without which SCRAM reads no further. Every
 * step ends, and soon; a refusal has a reason, and neither it nor a token of SCRAM tells the password. */
#include "fuzz.h"

#include "base/mem.h"
#include "client/auth_mechanism.h"
#include "client/oauth_tokens.h"

#include <string.h>

enum { ROUNDS = 16 };

static const char password[] = "hushhush", placeholder[] = "NONCE";

static struct auth_settings login(const char *mechanism)
{
	struct auth_settings s = {
		.mechanism = xstrdup(mechanism), .username = xstrdup("alice"), .password = xstrdup(password),
	};

	if (strcmp(mechanism, "OAUTHBEARER") == 0)
		s.token = xstrdup("a.b.c");
	return s;
}

static void judge(int rc, const struct err *err, const void *token, size_t len)
{
	if (rc == RC_OK)
		CHECK(len == 0 || memmem(token, len, password, strlen(password)) == NULL);
	else
		CHECK(err->rc == rc && err->text[0] != '\0' && strstr(err->text, password) == NULL);
}

/* The first message of SCRAM: "n,,n=alice,r=NONCE". The caller frees it. */
static char *nonce_of(const void *token, size_t len)
{
	const uint8_t *at = len > 0 ? memmem(token, len, ",r=", 3) : NULL;

	return at != NULL ? xstrndup((const char *)at + 3, len - 3 - (size_t)(at - (const uint8_t *)token)) : xstrdup("");
}

/* A message with the nonce put in, exactly as large as it is, and never NULL. */
static uint8_t *message_of(const uint8_t *said, size_t len, const char *nonce, size_t *size)
{
	const uint8_t *at = len > 0 ? memmem(said, len, placeholder, strlen(placeholder)) : NULL;
	size_t before = at != NULL ? (size_t)(at - said) : len, behind = at != NULL ? len - before - strlen(placeholder) : 0;
	size_t put = at != NULL ? strlen(nonce) : 0;
	uint8_t *message = xmalloc(before + put + behind + 1);

	memcpy(message, said, before);
	memcpy(message + before, nonce, put);
	memcpy(message + before + put, said + len - behind, behind);
	*size = before + put + behind;
	return message;
}

static void converse(struct auth_talk *talk, const uint8_t *p, const uint8_t *end)
{
	struct err err = { 0 };
	const void *token = NULL;
	bool complete = false;
	size_t len = 0;
	int rc = talk->ops->step(talk, NULL, 0, &token, &len, &complete, &err);
	char *nonce = nonce_of(token, len);

	judge(rc, &err, token, len);
	for (int round = 0; rc == RC_OK && !complete && end - p >= 2 && round < ROUNDS; round++) {
		size_t said = MIN((size_t)p[0] << 8 | p[1], (size_t)(end - p) - 2), size;
		uint8_t *message = message_of(p + 2, said, nonce, &size);

		p += 2 + said;
		rc = talk->ops->step(talk, message, size, &token, &len, &complete, &err);
		judge(rc, &err, token, len);
		xfree(message);
	}
	xfree(nonce);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const mechanisms[] = { "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER" };
	const char *mechanism;
	struct auth_settings settings;
	struct oauth_tokens *tokens;
	struct auth_talk *talk;
	struct err err = { 0 };

	if (size == 0)
		return 0;
	mechanism = mechanisms[data[0] % ARRAY_LEN(mechanisms)];
	settings = login(mechanism);
	tokens = oauth_tokens_create();
	talk = auth_is(&settings, "OAUTHBEARER") ? auth_oauth_create(&settings, tokens) :
						   auth_cyrus_create(&settings, "broker.example", &err);
	CHECK(talk != NULL);
	converse(talk, data + 1, data + size);
	talk->ops->destroy(talk);
	oauth_tokens_destroy(tokens);
	auth_settings_fini(&settings);
	return 0;
}
