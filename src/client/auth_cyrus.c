/* SPDX-License-Identifier: Apache-2.0 */
/* Mechanisms by libsasl2. The library is one for the process and not safe for threads in all versions
 * (reference/io-uring-and-sasl-traps.md 3.1), so every call of it is behind one mutex, and sasl_done is never called. */
#include "client/auth_mechanism.h"

#include "client/auth_kerberos.h"
#include "client/auth_scram.h"

#include "base/mem.h"

#include <pthread.h>
#include <sasl/sasl.h>
#include <string.h>

enum { N_CALLBACKS = 4, SERVICE_MAX = 64 };

/* The library has one type for callbacks of all kinds; the cast on the way says that it is meant. */
typedef int callback(void);
typedef void any_callback(void);

struct cyrus_talk {
	struct auth_talk talk;
	const struct auth_settings *settings;
	sasl_conn_t *conn;
	sasl_secret_t *password;
	sasl_callback_t callbacks[N_CALLBACKS];
	struct kerberos_creds *creds;   /* NULL: none, or the process's own */
	bool complete;
};

/* ---- the one library ---- */

static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int init_result;

static void *no_mutex(void)
{
	return &library;
}

static int nothing(void *mutex)
{
	(void)mutex;
	return SASL_OK;
}

static void ignore(void *mutex)
{
	(void)mutex;
}

static int quiet(void *context, int level, const char *text)
{
	(void)context;
	(void)level;
	(void)text;
	return SASL_OK;
}

static void init(void)
{
	static const sasl_callback_t callbacks[] = {
		{ SASL_CB_LOG, (callback *)(any_callback *)quiet, NULL }, { SASL_CB_LIST_END, NULL, NULL }
	};

	sasl_set_mutex(no_mutex, nothing, nothing, ignore);
	init_result = sasl_client_init(callbacks);
}

static int fail(struct err *err, const struct cyrus_talk *talk, int res)
{
	const char *mechanism = talk->settings->mechanism;

	if (res == SASL_NOMECH) {
		err_set(err, RC_USAGE, "this host has no %s for SASL", mechanism);
		return err_hint(err, auth_is(talk->settings, "GSSAPI") ? "install libsasl2-modules-gssapi-mit" :
				"install libsasl2-modules");
	}
	return err_set(err, RC_AUTH, "SASL %s: %s", mechanism,
		       talk->conn != NULL ? sasl_errdetail(talk->conn) : sasl_errstring(res, NULL, NULL));
}

/* ---- what it asks for ---- */

static int give_name(void *context, int id, const char **result, unsigned *len)
{
	const struct cyrus_talk *talk = context;
	/* USER would be another one to act for; empty: the same. */
	const char *name = id == SASL_CB_AUTHNAME ? talk->settings->username : "";

	*result = name != NULL ? name : "";
	if (len != NULL)
		*len = (unsigned)strlen(*result);
	return SASL_OK;
}

static int give_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **secret)
{
	const struct cyrus_talk *talk = context;

	(void)conn;
	if (id != SASL_CB_PASS || talk->password == NULL)
		return SASL_FAIL;
	*secret = talk->password;
	return SASL_OK;
}

static void set_callbacks(struct cyrus_talk *talk)
{
	if (auth_is(talk->settings, "GSSAPI")) {   /* a name would be taken for the ticket's */
		talk->callbacks[0] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
		return;
	}
	talk->callbacks[0] = (sasl_callback_t){ SASL_CB_AUTHNAME, (callback *)(any_callback *)give_name, talk };
	talk->callbacks[1] = (sasl_callback_t){ SASL_CB_USER, (callback *)(any_callback *)give_name, talk };
	talk->callbacks[2] = (sasl_callback_t){ SASL_CB_PASS, (callback *)(any_callback *)give_password, talk };
	talk->callbacks[3] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
}

static sasl_secret_t *secret_of(const char *password)
{
	size_t len = password != NULL ? strlen(password) : 0;
	sasl_secret_t *secret = xcalloc(1, sizeof(*secret) + len);

	secret->len = len;
	memcpy(secret->data, password != NULL ? password : "", len);
	return secret;
}

/* ---- the talk ---- */

static void destroy(struct auth_talk *base)
{
	struct cyrus_talk *talk = container_of(base, struct cyrus_talk, talk);

	pthread_mutex_lock(&library);
	if (talk->conn != NULL)
		sasl_dispose(&talk->conn);
	pthread_mutex_unlock(&library);
	kerberos_creds_free(talk->creds);
	explicit_bzero(talk->password->data, talk->password->len);
	xfree(talk->password);
	xfree(talk);
}

static int step(struct auth_talk *base, const void *in, size_t in_len, const void **out, size_t *len, bool *complete,
		struct err *err)
{
	struct cyrus_talk *talk = container_of(base, struct cyrus_talk, talk);
	const char *token = NULL, *chosen = NULL;
	unsigned n = 0;
	int res, rc = RC_OK;

	/* PLAIN is through after its first token, and must not be told of the broker's consent. */
	if (talk->complete && in_len == 0) {
		*out = NULL;
		*len = 0;
		*complete = true;
		return RC_OK;
	}
	if (in != NULL && strncmp(talk->settings->mechanism, "SCRAM-", 6) == 0 && auth_scram_check(in, in_len, err) != RC_OK)
		return err->rc;
	pthread_mutex_lock(&library);
	if (in == NULL)
		res = sasl_client_start(talk->conn, talk->settings->mechanism, NULL, &token, &n, &chosen);
	else
		res = sasl_client_step(talk->conn, in, (unsigned)in_len, NULL, &token, &n);
	/* INTERACT would be a question to a person: what it would ask is given above, or missing. */
	if (res != SASL_OK && res != SASL_CONTINUE)
		rc = fail(err, talk, res);
	pthread_mutex_unlock(&library);
	talk->complete = res == SASL_OK;
	*out = token;
	*len = n;
	*complete = talk->complete;
	return rc;
}

struct auth_talk *auth_cyrus_create(const struct auth_settings *settings, const char *host, struct err *err)
{
	static const struct auth_talk_ops ops = { step, destroy };
	/* Frames are not wrapped: no layer of its own. */
	sasl_security_properties_t no_layer = { .min_ssf = 0, .max_ssf = 0, .maxbufsize = 0 };
	struct cyrus_talk *talk = xcalloc(1, sizeof(*talk));
	const char *service = auth_is(settings, "GSSAPI") ? settings->service : "kafka";
	int res;

	talk->talk.ops = &ops;
	talk->settings = settings;
	talk->password = secret_of(settings->password);
	set_callbacks(talk);
	if (settings->keytab != NULL && (talk->creds = kerberos_creds_get(settings, err)) == NULL) {
		destroy(&talk->talk);
		return NULL;
	}
	pthread_once(&once, init);
	pthread_mutex_lock(&library);
	res = init_result;
	if (res == SASL_OK)
		res = sasl_client_new(service, host, NULL, NULL, talk->callbacks, 0, &talk->conn);
	if (res == SASL_OK)
		res = sasl_setprop(talk->conn, SASL_SEC_PROPS, &no_layer);
	if (res == SASL_OK && talk->creds != NULL)
		res = sasl_setprop(talk->conn, SASL_GSS_CREDS, kerberos_creds_handle(talk->creds));
	if (res != SASL_OK)
		fail(err, talk, res);
	pthread_mutex_unlock(&library);
	if (res == SASL_OK)
		return &talk->talk;
	destroy(&talk->talk);
	return NULL;
}
