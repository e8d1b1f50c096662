/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong with TLS, in words that say whose certificate or setting it is. */
#include "net/tls_priv.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

const char *tls_queued_reason(char *text, size_t cap)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	snprintf(text, cap, "%s", reason != NULL ? reason : "no reason given");
	ERR_clear_error();
	return text;
}

/* ---- at verification ---- */

static void time_text(const ASN1_TIME *t, char *text, size_t cap)
{
	struct tm tm;

	text[0] = '\0';
	if (ASN1_TIME_to_tm(t, &tm) == 1)
		strftime(text, cap, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void add_text(char *list, size_t cap, const uint8_t *data, int len)
{
	size_t used = strlen(list);

	snprintf(list + used, cap - used, "%s%.*s", used > 0 ? ", " : "", len, (const char *)data);
}

static void add_address(char *list, size_t cap, const ASN1_OCTET_STRING *ip)
{
	const uint8_t *b = ASN1_STRING_get0_data(ip);
	char text[16];

	if (ASN1_STRING_length(ip) != 4)
		return;
	snprintf(text, sizeof(text), "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	add_text(list, cap, (const uint8_t *)text, (int)strlen(text));
}

static void names_of(X509 *cert, char *list, size_t cap)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	list[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			add_text(list, cap, ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName));
		else if (name->type == GEN_IPADD)
			add_address(list, cap, name->d.iPAddress);
	}
	GENERAL_NAMES_free(names);
}

int tls_verified(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_refusal *refusal = ssl != NULL ? SSL_get_app_data(ssl) : NULL;
	X509 *cert = X509_STORE_CTX_get_current_cert(store), *leaf = X509_STORE_CTX_get0_cert(store);

	if (ok || refusal == NULL || refusal->code != X509_V_OK)
		return ok;
	refusal->code = X509_STORE_CTX_get_error(store);
	if (cert != NULL) {
		X509_NAME_oneline(X509_get_subject_name(cert), refusal->subject, sizeof(refusal->subject));
		time_text(X509_get0_notAfter(cert), refusal->until, sizeof(refusal->until));
		time_text(X509_get0_notBefore(cert), refusal->from, sizeof(refusal->from));
	}
	if (leaf != NULL)
		names_of(leaf, refusal->names, sizeof(refusal->names));
	return ok;
}

/* ---- afterwards ---- */

static void refused_by_us(const struct tls_refusal *r, const char *host, struct err *err)
{
	switch (r->code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		err_set(err, RC_AUTH, "TLS: the certificate %s expired at %s", r->subject, r->until);
		err->cause = CAUSE_TLS_DATE;
		err_hint(err, "renew it at the broker, and check this host's clock");
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		err_set(err, RC_AUTH, "TLS: the certificate %s is valid from %s on", r->subject, r->from);
		err->cause = CAUSE_TLS_DATE;
		err_hint(err, "check this host's clock");
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		err_set(err, RC_AUTH, "TLS: the broker's certificate is for %s, not for %s",
			r->names[0] != '\0' ? r->names : r->subject, host);
		err->cause = CAUSE_TLS_NAME;
		err_hint(err, "its certificate must name the host that it advertises; "
			 "ssl.endpoint.identification.algorithm= (empty) turns this check off");
		break;
	default:
		err_set(err, RC_AUTH, "TLS: the broker's certificate is not trusted: %s (%s)",
			X509_verify_cert_error_string(r->code), r->subject);
		err->cause = CAUSE_TLS_AUTHORITY;
		err_hint(err, "ssl.truststore.location or ssl.truststore.certificates must hold the CA's certificate");
	}
}

static bool is_alert(unsigned long code)
{
	return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET &&
	       ERR_GET_REASON(code) < SSL_AD_REASON_OFFSET + 256;
}

static void refused_by_peer(unsigned long code, struct err *err)
{
	int alert = ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET;

	err_set(err, RC_AUTH, "TLS: the broker refuses: %s", SSL_alert_desc_string_long(alert));
	err->cause = CAUSE_TLS_REFUSED;
	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REQUIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
		err_hint(err, "it wants a client certificate that it trusts: ssl.keystore.location, or ssl.keystore.key and "
			 "ssl.keystore.certificate.chain");
		break;
	case SSL_AD_CERTIFICATE_EXPIRED:
		err_hint(err, "renew the certificate of ssl.keystore.*");
		break;
	case SSL_AD_HANDSHAKE_FAILURE:
	case SSL_AD_PROTOCOL_VERSION:
		err_hint(err, "no common protocol or cipher (ssl.enabled.protocols, ssl.cipher.suites), or it wants a client "
			 "certificate (ssl.keystore.*)");
		break;
	default:
		break;
	}
}

/* Records that are not TLS: the other side speaks something else. */
static bool is_not_tls(unsigned long code)
{
	int reason = ERR_GET_REASON(code);

	return ERR_GET_LIB(code) == ERR_LIB_SSL &&
	       (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG);
}

static void not_tls(struct err *err, const char *what)
{
	err_set(err, RC_PROTO, "TLS: %s", what);
	err_hint(err, "does this listener speak TLS? if not: security.protocol=PLAINTEXT or SASL_PLAINTEXT");
}

void tls_explain(const struct tls_refusal *refusal, const char *host, bool ended, bool handshaking,
		 struct err *err)
{
	unsigned long code = ERR_peek_error();
	char why[160];

	if (refusal->code != X509_V_OK)
		refused_by_us(refusal, host, err);
	else if (is_alert(code))
		refused_by_peer(code, err);
	else if (is_not_tls(code) && handshaking)
		not_tls(err, "the peer answers, but not with TLS");
	else if (ended && handshaking)
		not_tls(err, "closed by the peer during the handshake");
	else if (ended)
		err_set(err, RC_CLOSED, "closed by the peer");
	else
		err_set(err, RC_PROTO, "TLS: %s", tls_queued_reason(why, sizeof(why)));
	ERR_clear_error();
}
