/* SPDX-License-Identifier: Apache-2.0 */
/* From Kafka's ssl.* settings to an OpenSSL context. Kafka's names are Java's: protocols "TLSv1.2", cipher suites by
 * their IANA names (org.apache.kafka.common.config.SslConfigs). */
#include "net/tls_priv.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 4096 };

static bool word_is(struct str word, const char *want)
{
	return strlen(want) == (size_t)word.len && strncasecmp(word.data, want, (size_t)word.len) == 0;
}

static int version_of(struct str word)
{
	if (word_is(word, "TLSv1.3"))
		return TLS1_3_VERSION;
	if (word_is(word, "TLSv1.2"))
		return TLS1_2_VERSION;
	return 0;
}

static int versions_of(const char *list, int *lowest, int *highest, struct err *err)
{
	struct str word;

	*lowest = *highest = 0;
	while (str_item(&list, &word)) {
		int v = version_of(word);

		if (v == 0) {
			err_set(err, RC_USAGE, "ssl.enabled.protocols: %.*s is not spoken", MIN(word.len, 40), word.data);
			return err_hint(err, "TLSv1.2 and TLSv1.3 are");
		}
		*lowest = *lowest == 0 ? v : MIN(*lowest, v);
		*highest = MAX(*highest, v);
	}
	if (*lowest != 0)
		return RC_OK;
	*lowest = TLS1_2_VERSION;
	*highest = TLS1_3_VERSION;
	return RC_OK;
}

/* Colon lists of OpenSSL's names: of TLS 1.3's suites, and of those before. */
struct suites {
	char of_13[TEXT_MAX], before[TEXT_MAX];
};

static bool append_name(char *list, const char *name, size_t len)
{
	size_t used = strlen(list);

	if (used + 1 + len >= TEXT_MAX)
		return false;
	snprintf(list + used, TEXT_MAX - used, "%s%.*s", used > 0 ? ":" : "", (int)len, name);
	return true;
}

static bool is_of_13(const char *word, size_t len)
{
	return len > 8 && (strncmp(word, "TLS_AES_", 8) == 0 || strncmp(word, "TLS_CHACHA20_", MIN(len, (size_t)13)) == 0) &&
	       memmem(word, len, "_WITH_", 6) == NULL;
}

/* OpenSSL knows IANA names (OPENSSL_cipher_name); its own are taken too. */
static bool add_suite(struct suites *suites, const char *word, size_t len)
{
	char name[128];
	const char *own;

	if (len >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	if (is_of_13(word, len))
		return append_name(suites->of_13, word, len);
	own = OPENSSL_cipher_name(name);
	if (own == NULL || strcmp(own, "(NONE)") == 0)
		return strncmp(name, "TLS_", 4) != 0 && append_name(suites->before, name, len);
	return append_name(suites->before, own, strlen(own));
}

static int unknown_suite(const char *word, size_t len, struct err *err)
{
	err_set(err, RC_USAGE, "ssl.cipher.suites: %.*s is not known", (int)MIN(len, (size_t)100), word);
	return err_hint(err, "names are those of IANA, as Java has them: TLS_AES_256_GCM_SHA384, "
			     "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
}

static int set_suites(SSL_CTX *ctx, const char *list, struct err *err)
{
	struct suites suites = { "", "" };
	struct str word;

	while (str_item(&list, &word))
		if (!add_suite(&suites, word.data, (size_t)word.len))
			return unknown_suite(word.data, (size_t)word.len, err);
	if (suites.of_13[0] == '\0' && suites.before[0] == '\0')
		return RC_OK;
	/* A list that names suites of one version only leaves none of the other. */
	if (SSL_CTX_set_ciphersuites(ctx, suites.of_13) != 1)
		return unknown_suite(suites.of_13, strlen(suites.of_13), err);
	if (suites.before[0] == '\0') {
		SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
		return RC_OK;
	}
	if (SSL_CTX_set_cipher_list(ctx, suites.before) != 1)
		return unknown_suite(suites.before, strlen(suites.before), err);
	return RC_OK;
}

static int configure(SSL_CTX *ctx, const struct tls_settings *settings, int64_t *expiry, struct err *err)
{
	int lowest, highest, rc;

	rc = versions_of(settings->enabled_protocols != NULL ? settings->enabled_protocols : "", &lowest, &highest, err);
	if (rc != RC_OK)
		return rc;
	SSL_CTX_set_min_proto_version(ctx, lowest);
	SSL_CTX_set_max_proto_version(ctx, highest);
	/* Renegotiation would let a write wait for a read. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, tls_verified);
	rc = tls_stores_trust(ctx, settings, err);
	if (rc == RC_OK)
		rc = tls_stores_key(ctx, settings, expiry, err);
	if (rc == RC_OK && settings->cipher_suites != NULL)
		rc = set_suites(ctx, settings->cipher_suites, err);
	return rc;
}

SSL_CTX *tls_context_create(const struct tls_settings *settings, int64_t *expiry, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char why[160];

	if (ctx == NULL) {
		err_set(err, RC_USAGE, "OpenSSL makes no context: %s", tls_queued_reason(why, sizeof(why)));
		return NULL;
	}
	if (configure(ctx, settings, expiry, err) == RC_OK)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static int type_check(const char *key, const char *type, const char *location, struct err *err)
{
	if (type == NULL || strcasecmp(type, "PEM") == 0 || strcasecmp(type, "PKCS12") == 0 || location != NULL)
		return RC_OK;   /* what a file really is, is seen when it is read */
	err_set(err, RC_USAGE, "%s=%s without %.*slocation", key, type, (int)(strlen(key) - 4), key);
	return err_hint(err, "PEM may stand in the configuration itself; other types are files");
}

static int both(const char *a_key, const char *a, const char *b_key, const char *b, struct err *err)
{
	if (a == NULL || b == NULL)
		return RC_OK;
	return err_set(err, RC_USAGE, "%s and %s are both set; one of them", a_key, b_key);
}

int tls_settings_check(const struct tls_settings *s, struct err *err)
{
	int lowest, highest, rc;

	rc = versions_of(s->enabled_protocols != NULL ? s->enabled_protocols : "", &lowest, &highest, err);
	if (rc == RC_OK)
		rc = both("ssl.truststore.location", s->truststore_location, "ssl.truststore.certificates",
			  s->truststore_certificates, err);
	if (rc == RC_OK)
		rc = both("ssl.keystore.location", s->keystore_location, "ssl.keystore.key", s->keystore_key, err);
	if (rc == RC_OK && s->truststore_certificates == NULL)
		rc = type_check("ssl.truststore.type", s->truststore_type, s->truststore_location, err);
	if (rc == RC_OK && s->keystore_key == NULL)
		rc = type_check("ssl.keystore.type", s->keystore_type, s->keystore_location, err);
	if (rc == RC_OK && (s->keystore_key == NULL) != (s->keystore_certificate_chain == NULL))
		rc = err_set(err, RC_USAGE, "ssl.keystore.key and ssl.keystore.certificate.chain go together; one is missing");
	return rc;
}
