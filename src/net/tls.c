/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_priv.h"

#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { N_FILES = 2, SOON_S = 30 * 86400 };

/* What tells that a file is another than the one that was read. */
struct file_mark {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct tls {
	struct tls_settings settings;
	atomic_int refs;
	pthread_mutex_t mutex;   /* of all below */
	SSL_CTX *ctx;            /* NULL: not read yet */
	struct file_mark marks[N_FILES];   /* of what ctx was made from, or could not be */
	int64_t expiry;
};

void tls_settings_fini(struct tls_settings *s)
{
	char *const all[] = {
		s->truststore_location, s->truststore_password, s->truststore_type, s->truststore_certificates,
		s->keystore_location, s->keystore_password, s->keystore_type, s->keystore_key,
		s->keystore_certificate_chain, s->key_password, s->enabled_protocols, s->cipher_suites,
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		xfree_secret(all[i]);
	*s = (struct tls_settings){ 0 };
}

struct tls *tls_create(struct tls_settings *settings)
{
	struct tls *tls = xcalloc(1, sizeof(*tls));

	tls->settings = *settings;
	*settings = (struct tls_settings){ 0 };
	atomic_init(&tls->refs, 1);
	pthread_mutex_init(&tls->mutex, NULL);
	tls->expiry = -1;
	return tls;
}

struct tls *tls_ref(struct tls *tls)
{
	atomic_fetch_add(&tls->refs, 1);
	return tls;
}

void tls_unref(struct tls *tls)
{
	if (tls == NULL || atomic_fetch_sub(&tls->refs, 1) > 1)
		return;
	SSL_CTX_free(tls->ctx);
	pthread_mutex_destroy(&tls->mutex);
	tls_settings_fini(&tls->settings);
	xfree(tls);
}

const struct tls_settings *tls_settings_of(const struct tls *tls)
{
	return &tls->settings;
}

static struct file_mark mark_of(const char *path)
{
	struct stat st;

	if (path == NULL || stat(path, &st) != 0)
		return (struct file_mark){ 0 };
	return (struct file_mark){ st.st_dev, st.st_ino, st.st_size, st.st_mtim };
}

static bool same_mark(const struct file_mark *a, const struct file_mark *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* True when a file is not as it was when it was last read; remembers how it is now. */
static bool files_changed(struct tls *tls)
{
	const char *paths[N_FILES] = { tls->settings.truststore_location, tls->settings.keystore_location };
	bool changed = false;

	for (int i = 0; i < N_FILES; i++) {
		struct file_mark now = mark_of(paths[i]);

		changed = changed || !same_mark(&now, &tls->marks[i]);
		tls->marks[i] = now;
	}
	return changed;
}

static void tell_expiry(const struct tls *tls)
{
	int64_t left = tls->expiry - (int64_t)time(NULL);

	if (tls->expiry >= 0 && left < SOON_S)
		log_warn("tls", left < 0 ? "the own certificate has expired" : "the own certificate expires soon",
			 "file=" LOG_Q " days=%lld", tls->settings.keystore_location != NULL ?
			 tls->settings.keystore_location : "ssl.keystore.certificate.chain", (long long)(left / 86400));
}

static int load_locked(struct tls *tls, struct err *err)
{
	int64_t expiry = -1;
	SSL_CTX *ctx;

	if (!files_changed(tls) && tls->ctx != NULL)
		return RC_OK;
	ctx = tls_context_create(&tls->settings, &expiry, err);
	if (ctx == NULL && tls->ctx == NULL)
		return err->rc;
	if (ctx == NULL) {
		log_warn("tls", "changed files cannot be used; what was read before goes on", "error=" LOG_Q, err->text);
		return RC_OK;
	}
	if (tls->ctx != NULL)
		log_info("tls", "certificates read again", "truststore=" LOG_Q " keystore=" LOG_Q,
			 tls->settings.truststore_location != NULL ? tls->settings.truststore_location : "",
			 tls->settings.keystore_location != NULL ? tls->settings.keystore_location : "");
	SSL_CTX_free(tls->ctx);
	tls->ctx = ctx;
	tls->expiry = expiry;
	tell_expiry(tls);
	return RC_OK;
}

int tls_load(struct tls *tls, struct err *err)
{
	int rc;

	pthread_mutex_lock(&tls->mutex);
	rc = load_locked(tls, err);
	pthread_mutex_unlock(&tls->mutex);
	return rc;
}

SSL_CTX *tls_context(struct tls *tls, struct err *err)
{
	SSL_CTX *ctx = NULL;

	pthread_mutex_lock(&tls->mutex);
	if (load_locked(tls, err) == RC_OK) {
		ctx = tls->ctx;
		SSL_CTX_up_ref(ctx);
	}
	pthread_mutex_unlock(&tls->mutex);
	return ctx;
}

bool tls_subject(struct tls *tls, char *text, size_t cap)
{
	struct err unused;
	SSL_CTX *ctx = tls_context(tls, &unused);
	X509 *cert = ctx != NULL ? SSL_CTX_get0_certificate(ctx) : NULL;
	BIO *bio = cert != NULL ? BIO_new(BIO_s_mem()) : NULL;
	int n = -1;

	if (bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) > 0)
		n = BIO_read(bio, text, (int)cap - 1);
	if (n > 0)
		text[n] = '\0';
	BIO_free(bio);
	SSL_CTX_free(ctx);
	return n > 0;
}

int64_t tls_expiry(struct tls *tls)
{
	int64_t expiry;

	pthread_mutex_lock(&tls->mutex);
	expiry = tls->expiry;
	pthread_mutex_unlock(&tls->mutex);
	return expiry;
}
