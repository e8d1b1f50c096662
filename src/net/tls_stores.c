/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys: PEM in the configuration or in a file, PKCS#12 files. What a file is, is seen from its first
 * bytes, not from the type that is configured: Java reads a PKCS#12 file under the type JKS too. Java's own JKS format
 * is refused with the command that converts it. */
#include "net/tls_priv.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STORE_MAX = 4 << 20 };

/* What was read: a file, or the text of a key. */
struct store {
	const char *what;            /* the file's name, or the key's: for messages */
	const char *password;        /* of the file; NULL: none */
	const char *key_password;
	uint8_t *data;
	size_t len;
};

/* ---- reading ---- */

static int read_all(int fd, struct store *store, struct err *err)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > STORE_MAX)
		return err_set(err, RC_USAGE, "not a file of at most 4 MiB");
	store->data = xcalloc(1, (size_t)st.st_size + 1);
	while (store->len < (size_t)st.st_size) {
		n = read(fd, store->data + store->len, (size_t)st.st_size - store->len);
		if (n < 0)
			return err_set(err, RC_USAGE, "%s", strerror(errno));
		if (n == 0)
			break;
		store->len += (size_t)n;
	}
	return RC_OK;
}

static int store_open(struct store *store, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	store->what = path;
	rc = fd < 0 ? err_set(err, RC_USAGE, "%s", strerror(errno)) : read_all(fd, store, err);
	if (fd >= 0)
		close(fd);
	return rc;
}

static void store_of_text(struct store *store, const char *pem)
{
	char *lines = tls_pem_lines(pem);

	store->data = (uint8_t *)lines;
	store->len = strlen(lines);
}

static void store_close(struct store *store)
{
	if (store->data != NULL)
		OPENSSL_cleanse(store->data, store->len);
	xfree(store->data);
	store->data = NULL;
}

/* ---- what it is ---- */

static bool is_jks(const struct store *store)
{
	static const uint8_t jks[] = { 0xFE, 0xED, 0xFE, 0xED }, jceks[] = { 0xCE, 0xCE, 0xCE, 0xCE };

	return store->len > 4 && (memcmp(store->data, jks, 4) == 0 || memcmp(store->data, jceks, 4) == 0);
}

static bool is_pem(const struct store *store)
{
	return memmem(store->data, store->len, "-----BEGIN ", 11) != NULL;
}

static int refuse_jks(const struct store *store, struct err *err)
{
	err_set(err, RC_USAGE, "%s is a JKS file, which only Java reads", store->what);
	return err_hint(err, "keytool -importkeystore -srckeystore %s -destkeystore %s.p12 -deststoretype PKCS12",
			store->what, store->what);
}

/* ---- PEM ---- */

static int give_password(char *buf, int size, int writing, void *password)
{
	const char *text = password;
	size_t len = text != NULL ? strlen(text) : 0;

	(void)writing;
	if (len == 0 || len > (size_t)size)
		return -1;   /* never asks at the terminal */
	memcpy(buf, text, len);
	return (int)len;
}

static BIO *bio_of(const struct store *store)
{
	return BIO_new_mem_buf(store->data, (int)store->len);
}

/* Drops "no more certificates", which is how reading ends. */
static int trust_pem(X509_STORE *trust, const struct store *store)
{
	BIO *bio = bio_of(store);
	X509 *cert;
	int n = 0;

	while ((cert = PEM_read_bio_X509(bio, NULL, give_password, NULL)) != NULL) {
		n += X509_STORE_add_cert(trust, cert);
		X509_free(cert);
	}
	BIO_free(bio);
	ERR_clear_error();
	return n;
}

static EVP_PKEY *key_pem(const struct store *store)
{
	const char *password = store->key_password != NULL ? store->key_password : store->password;
	BIO *bio = bio_of(store);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_password, (void *)(uintptr_t)password);

	BIO_free(bio);
	return key;
}

static STACK_OF(X509) *chain_pem(const struct store *store)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	BIO *bio = bio_of(store);
	X509 *cert;

	while ((cert = PEM_read_bio_X509(bio, NULL, give_password, NULL)) != NULL)
		sk_X509_push(chain, cert);
	BIO_free(bio);
	ERR_clear_error();
	return chain;
}

/* ---- PKCS#12 ---- */

static int bad_pkcs12(const struct store *store, bool password, struct err *err)
{
	char why[160];

	if (password)
		err_set(err, RC_USAGE, "%s: the password does not open it", store->what);
	else
		err_set(err, RC_USAGE, "%s is neither PEM nor PKCS12: %s", store->what, tls_queued_reason(why, sizeof(why)));
	ERR_clear_error();
	return err_hint(err, password ? "ssl.truststore.password or ssl.keystore.password" :
			"openssl pkcs12 -info -in %s", store->what);
}

static int parse_pkcs12(const struct store *store, EVP_PKEY **key, X509 **cert, STACK_OF(X509) **others,
			struct err *err)
{
	const uint8_t *at = store->data;
	PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)store->len);
	int rc = RC_OK;

	if (p12 == NULL)
		return bad_pkcs12(store, false, err);
	if (PKCS12_parse(p12, store->password != NULL ? store->password : "", key, cert, others) != 1)
		rc = bad_pkcs12(store, true, err);
	PKCS12_free(p12);
	return rc;
}

/* A trust store of Java's has its certificates as "others". */
static int trust_pkcs12(X509_STORE *trust, const struct store *store, int *n, struct err *err)
{
	STACK_OF(X509) *others = NULL;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	int rc = parse_pkcs12(store, &key, &cert, &others, err);

	for (int i = 0; rc == RC_OK && i < sk_X509_num(others); i++)
		*n += X509_STORE_add_cert(trust, sk_X509_value(others, i));
	if (cert != NULL && rc == RC_OK)
		*n += X509_STORE_add_cert(trust, cert);
	sk_X509_pop_free(others, X509_free);
	EVP_PKEY_free(key);
	X509_free(cert);
	return rc;
}

/* ---- trust ---- */

static int trust_store(SSL_CTX *ctx, const struct store *store, struct err *err)
{
	X509_STORE *trust = SSL_CTX_get_cert_store(ctx);
	int n = 0, rc = RC_OK;

	if (is_jks(store))
		return refuse_jks(store, err);
	if (is_pem(store))
		n = trust_pem(trust, store);
	else
		rc = trust_pkcs12(trust, store, &n, err);
	if (rc == RC_OK && n == 0)
		rc = err_set(err, RC_USAGE, "%s holds no certificate", store->what);
	return rc;
}

int tls_stores_trust(SSL_CTX *ctx, const struct tls_settings *settings, struct err *err)
{
	struct store store = { .password = settings->truststore_password };
	int rc;

	if (settings->truststore_location == NULL && settings->truststore_certificates == NULL) {
		if (SSL_CTX_set_default_verify_paths(ctx) == 1)
			return RC_OK;
		return err_set(err, RC_USAGE, "the system's trusted certificates cannot be read");
	}
	if (settings->truststore_location != NULL) {
		rc = store_open(&store, settings->truststore_location, err);
	} else {
		store.what = "ssl.truststore.certificates";
		store_of_text(&store, settings->truststore_certificates);
		rc = RC_OK;
	}
	if (rc == RC_OK)
		rc = trust_store(ctx, &store, err);
	else
		err_wrap(err, "ssl.truststore.location=%s", store.what);
	store_close(&store);
	return rc;
}

/* ---- the own certificate ---- */

static int64_t end_of(const X509 *cert)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
		return -1;
	return (int64_t)timegm(&tm);
}

static int use(SSL_CTX *ctx, EVP_PKEY *key, STACK_OF(X509) *chain, const char *what, int64_t *expiry, struct err *err)
{
	char why[160];

	if (key == NULL) {
		err_set(err, RC_USAGE, "%s: no private key can be read: %s", what, tls_queued_reason(why, sizeof(why)));
		return err_hint(err, "is ssl.key.password right?");
	}
	if (sk_X509_num(chain) == 0)
		return err_set(err, RC_USAGE, "%s holds no certificate", what);
	if (SSL_CTX_use_certificate(ctx, sk_X509_value(chain, 0)) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return err_set(err, RC_USAGE, "%s: key and certificate do not fit: %s", what,
			       tls_queued_reason(why, sizeof(why)));
	for (int i = 1; i < sk_X509_num(chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)) != 1)
			return err_set(err, RC_USAGE, "%s: bad certificate chain: %s", what,
				       tls_queued_reason(why, sizeof(why)));
	*expiry = end_of(sk_X509_value(chain, 0));
	return RC_OK;
}

static int use_pkcs12(SSL_CTX *ctx, const struct store *store, int64_t *expiry, struct err *err)
{
	STACK_OF(X509) *chain = sk_X509_new_null(), *others = NULL;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	int rc = parse_pkcs12(store, &key, &cert, &others, err);

	if (cert != NULL)
		sk_X509_push(chain, cert);
	for (int i = 0; rc == RC_OK && i < sk_X509_num(others); i++)
		sk_X509_push(chain, sk_X509_value(others, i));
	if (rc == RC_OK)
		rc = use(ctx, key, chain, store->what, expiry, err);
	X509_free(cert);
	sk_X509_pop_free(others, X509_free);
	sk_X509_free(chain);
	EVP_PKEY_free(key);
	return rc;
}

/* keys and certificates may be of one file, or of two texts. */
static int use_pem(SSL_CTX *ctx, const struct store *keys, const struct store *certs, int64_t *expiry, struct err *err)
{
	STACK_OF(X509) *chain = chain_pem(certs);
	EVP_PKEY *key = key_pem(keys);
	int rc = use(ctx, key, chain, keys->what, expiry, err);

	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(key);
	return rc;
}

static int key_of_file(SSL_CTX *ctx, const struct tls_settings *s, int64_t *expiry, struct err *err)
{
	struct store store = { .password = s->keystore_password, .key_password = s->key_password };
	int rc = store_open(&store, s->keystore_location, err);

	if (rc != RC_OK)
		err_wrap(err, "ssl.keystore.location=%s", s->keystore_location);
	else if (is_jks(&store))
		rc = refuse_jks(&store, err);
	else if (is_pem(&store))
		rc = use_pem(ctx, &store, &store, expiry, err);
	else
		rc = use_pkcs12(ctx, &store, expiry, err);
	store_close(&store);
	return rc;
}

static int key_of_text(SSL_CTX *ctx, const struct tls_settings *s, int64_t *expiry, struct err *err)
{
	struct store key = { .what = "ssl.keystore.key", .key_password = s->key_password };
	struct store chain = { .what = "ssl.keystore.certificate.chain" };
	int rc;

	store_of_text(&key, s->keystore_key);
	store_of_text(&chain, s->keystore_certificate_chain);
	rc = use_pem(ctx, &key, &chain, expiry, err);
	store_close(&key);
	store_close(&chain);
	return rc;
}

int tls_stores_key(SSL_CTX *ctx, const struct tls_settings *s, int64_t *expiry, struct err *err)
{
	*expiry = -1;
	if (s->keystore_location != NULL)
		return key_of_file(ctx, s, expiry, err);
	if (s->keystore_key != NULL)
		return key_of_text(ctx, s, expiry, err);
	return RC_OK;
}
