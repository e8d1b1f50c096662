/* SPDX-License-Identifier: Apache-2.0 */
#include "test_certs.h"

#include "base/mem.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { DAY_S = 86400 };

static void extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	CHECK(ext != NULL);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

struct cert cert_make(const char *subject, const char *names, const struct cert *issuer, int days)
{
	struct cert c = { EVP_EC_gen("P-256"), X509_new() };
	X509_NAME *name = X509_get_subject_name(c.x509);
	static long serial = 1;

	X509_set_version(c.x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x509), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c.x509), -60L * DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(c.x509), (long)days * DAY_S);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)subject, -1, -1, 0);
	X509_set_issuer_name(c.x509, issuer != NULL ? X509_get_subject_name(issuer->x509) : name);
	X509_set_pubkey(c.x509, c.key);
	if (names != NULL)
		extend(c.x509, NID_subject_alt_name, names);
	else
		extend(c.x509, NID_basic_constraints, "critical,CA:TRUE");
	CHECK(X509_sign(c.x509, issuer != NULL ? issuer->key : c.key, EVP_sha256()) > 0);
	return c;
}

void cert_free(struct cert *cert)
{
	EVP_PKEY_free(cert->key);
	X509_free(cert->x509);
}

static char *text_of(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *text = xstrndup(data, (size_t)len);

	BIO_free(bio);
	return text;
}

char *cert_pem(const struct cert *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(bio, cert->x509);
	return text_of(bio);
}

char *cert_key_pem(const struct cert *cert, const char *password)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_PKCS8PrivateKey(bio, cert->key, password != NULL ? EVP_aes_256_cbc() : NULL, NULL, 0, NULL,
				      (void *)(uintptr_t)password);
	return text_of(bio);
}

void cert_write_pkcs12(const struct cert *cert, const struct cert *other, const char *password, const char *path)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	FILE *f = fopen(path, "w");
	PKCS12 *p12;

	CHECK(f != NULL);
	sk_X509_push(others, other->x509);
	p12 = PKCS12_create(password, "test", cert->key, cert->x509, others, 0, 0, 0, 0, 0);
	CHECK(p12 != NULL);
	CHECK(i2d_PKCS12_fp(f, p12) == 1);
	fclose(f);
	PKCS12_free(p12);
	sk_X509_free(others);
}

void write_text(const char *path, const char *a, const char *b)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	fprintf(f, "%s%s", a, b);
	fclose(f);
}
