/* SPDX-License-Identifier: Apache-2.0 */
/* How a connection says who it is: SaslHandshake names the mechanism, SaslAuthenticate carries its tokens both ways
 * (KIP-152). Where the broker gives sessions a lifetime (KIP-368) all is done again on the same connection before it is
 * over: what is queued waits meanwhile, what is in flight is answered first, for brokers serve a connection in order.
 *
 *   NEGOTIATING, or READY -> AUTHENTICATING: handshake -> token -> ... -> consent -> broker_authenticated */
#include "client/broker_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/sasl_authenticate.h"
#include "wire/msg/sasl_handshake.h"

#include <sys/random.h>

enum {
	RENEW_PERCENT = 85, RENEW_SPREAD = 10,   /* of the lifetime, as Kafka's own client does */
	ROUNDS_MAX = 16, TOKEN_MAX = 64 << 10,   /* of a broker that means well */
};

static const char *mechanism(const struct broker *b)
{
	return auth_mechanism(broker_opts(b)->auth);
}

/* The connection has not ended by itself. */
static bool answered(struct broker *b)
{
	return b->hello.rc == RC_OK && b->state == BROKER_AUTHENTICATING;
}

static void refused(struct broker *b, struct str message)
{
	struct err why;

	err_set(&why, RC_AUTH, "%s authentication refused: %.*s", mechanism(b), STR_ARG(message));
	why.cause = CAUSE_LOGIN;
	err_hint(&why, "check who sasl.jaas.config names, and that this cluster knows that name with this mechanism");
	broker_shut_err(b, &why);
}

/* ---- renewal ---- */

static int64_t renewal_of(int64_t lifetime_ms)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0)
		r = 0;
	return lifetime_ms * (RENEW_PERCENT + (int64_t)(r % (RENEW_SPREAD + 1))) / 100;
}

static void renew(struct timer *timer)
{
	struct broker *b = container_of(timer, struct broker, auth_timer);

	if (b->state == BROKER_READY && conn_is_ready(&b->conn))
		broker_authenticate(b);
}

static void consented(struct broker *b, int64_t lifetime_ms)
{
	auth_end(&b->auth);
	if (lifetime_ms > 0)
		loop_timer_set(b->loop, &b->auth_timer, loop_now(b->loop) + renewal_of(lifetime_ms) * NS_PER_MS);
	if (b->authenticated)
		log_debug(broker_text(b), "authenticated again", "what=%s times=%d lifetime_ms=%lld", b->what, ++b->renewals,
			  (long long)lifetime_ms);
	broker_authenticated(b);
}

/* ---- tokens ---- */

static void token_answered(struct call *call)
{
	struct broker *b = call->owner;
	const struct sasl_authenticate_response *res;

	if (!answered(b))
		return;
	res = call_res(call, sasl_authenticate);
	if (res->error_code != 0) {
		refused(b, res->error_message.len > 0 ? res->error_message : str_of(kerr_name(res->error_code)));
		return;
	}
	if (res->auth_bytes.len > TOKEN_MAX) {
		broker_shut(b, RC_PROTO, "%s: a token of %d bytes is no %s", broker_text(b), res->auth_bytes.len, mechanism(b));
		return;
	}
	b->session_lifetime_ms = res->session_lifetime_ms;
	/* SCRAM has the broker's proof in its last answer: that must be looked at too. */
	if (b->auth.complete && res->auth_bytes.len <= 0)
		consented(b, b->session_lifetime_ms);
	else
		auth_go_on(&b->auth, res->auth_bytes.data, (size_t)MAX(res->auth_bytes.len, 0));
}

static void send_token(struct broker *b)
{
	struct sasl_authenticate_request *req;
	int16_t version = broker_version(b, &sasl_authenticate_api);

	if (version < 0) {
		broker_shut(b, RC_UNSUPPORTED, "%s does not speak SaslAuthenticate: it is older than Kafka 2.4",
			    broker_text(b));
		return;
	}
	call_reset(&b->hello);
	call_init(&b->hello, &sasl_authenticate_api, token_answered, b);
	req = call_req(&b->hello, sasl_authenticate);
	req->auth_bytes.data = arena_alloc(&b->hello.arena, b->auth.len + 1);
	memcpy((uint8_t *)(uintptr_t)req->auth_bytes.data, b->auth.token, b->auth.len);
	req->auth_bytes.len = (int32_t)b->auth.len;
	broker_send_hello(b, version);
}

static void stepped(struct auth_exchange *exchange)
{
	struct broker *b = exchange->owner;

	if (b->state != BROKER_AUTHENTICATING || !conn_is_ready(&b->conn))
		return;
	if (exchange->err.rc == RC_OK && ++b->auth_rounds > ROUNDS_MAX)
		broker_shut(b, RC_PROTO, "%s: %s takes more than %d rounds", broker_text(b), mechanism(b), ROUNDS_MAX);
	else if (exchange->err.rc != RC_OK)
		broker_shut_err(b, &exchange->err);
	else if (exchange->complete && exchange->len == 0)
		consented(b, b->session_lifetime_ms);
	else
		send_token(b);
}

/* ---- the handshake ---- */

static void name_mechanisms(const struct sasl_handshake_response *res, char *text, size_t cap)
{
	text[0] = '\0';
	for (int32_t i = 0; i < res->mechanisms.n; i++) {
		size_t used = strlen(text);

		snprintf(text + used, cap - used, "%s%.*s", used > 0 ? ", " : "", STR_ARG(res->mechanisms.items[i]));
	}
}

static void no_such_mechanism(struct broker *b, const char *names)
{
	struct err why;

	err_set(&why, RC_AUTH, "sasl.mechanism=%s is not enabled there; it has %s", mechanism(b), names);
	why.cause = CAUSE_MECHANISM;
	broker_shut_err(b, &why);
}

static void handshaken(struct call *call)
{
	struct broker *b = call->owner;
	const struct sasl_handshake_response *res;
	char names[120];

	if (!answered(b))
		return;
	res = call_res(call, sasl_handshake);
	if (res->error_code == 0) {
		auth_begin(&b->auth, broker_opts(b)->auth, b->loop, b->host);
		return;
	}
	name_mechanisms(res, names, sizeof(names));
	if (res->error_code == KERR_UNSUPPORTED_SASL_MECHANISM)
		no_such_mechanism(b, names);
	else if (res->error_code == KERR_ILLEGAL_SASL_STATE)
		broker_shut(b, RC_AUTH, "%s: this listener wants no SASL: security.protocol=%s", broker_text(b),
			    broker_opts(b)->tls != NULL ? "SSL" : "PLAINTEXT");
	else
		broker_shut(b, RC_AUTH, "%s: SaslHandshake: %s", broker_text(b), kerr_name(res->error_code));
}

void broker_authenticate(struct broker *b)
{
	broker_move(b, BROKER_AUTHENTICATING);
	auth_end(&b->auth);
	b->auth_rounds = 0;
	call_reset(&b->hello);
	call_init(&b->hello, &sasl_handshake_api, handshaken, b);
	call_req(&b->hello, sasl_handshake)->mechanism = str_of(mechanism(b));
	broker_send_hello(b, sasl_handshake_api.max);
}

void broker_auth_init(struct broker *b)
{
	b->auth.done = stepped;
	b->auth.owner = b;
	b->auth_timer.done = renew;
}

void broker_auth_end(struct broker *b)
{
	auth_end(&b->auth);
	loop_timer_clear(&b->auth_timer);
	b->authenticated = false;
	b->renewals = 0;
}
