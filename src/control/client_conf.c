/* SPDX-License-Identifier: Apache-2.0 */
#include "control/client_conf.h"

#include "base/mem.h"
#include "control/login.h"

#include <string.h>
#include <strings.h>

enum { FRAME_MAX = 128 << 20 };

static int32_t number(const struct props *props, const char *name)
{
	return (int32_t)keys_number(&client_key_table, props, name);
}

/* ---- security ---- */

static void read_protocol(struct client_conf *conf, const struct props *props)
{
	const char *protocol = keys_text(&client_key_table, props, "security.protocol");

	conf->wants_tls = strcasecmp(protocol, "SSL") == 0 || strcasecmp(protocol, "SASL_SSL") == 0;
	conf->wants_sasl = strncasecmp(protocol, "SASL_", 5) == 0;
}

/* Reads keys one after the other; after the first error nothing more. */
struct reading {
	const struct props *props;
	const struct secret_rules *rules;
	struct err *err;
	int rc;
	bool elsewhere;
};

static int not_here(struct reading *r, int rc)
{
	r->elsewhere = r->elsewhere || rc != RC_OK;
	return rc;
}

/* NULL: not set, or empty. What it resolves to must not be in any text. */
static char *take(struct reading *r, const char *key)
{
	const char *value = keys_text(&client_key_table, r->props, key);
	char *text = NULL;

	if (r->rc != RC_OK || value == NULL || value[0] == '\0')
		return NULL;
	r->rc = not_here(r, secret_resolve(r->rules, value, &text, r->err));
	if (r->rc != RC_OK)
		err_wrap(r->err, "%s", key);
	return text;
}

/* Of what messages show. A link's messages stand in the control log, so who may write there could read by them whatever
 * references name. */
static char *take_shown(struct reading *r, const char *key)
{
	const char *value = keys_text(&client_key_table, r->props, key);

	if (r->rc == RC_OK && r->rules != NULL && value != NULL && secret_is_reference(value)) {
		r->rc = err_set(r->err, RC_USAGE, "%s of a link cannot be a reference: it is no secret", key);
		err_hint(r->err, "write the value itself into the link's configuration");
	}
	return take(r, key);
}

static char *take_file(struct reading *r, const char *key)
{
	char *path = take_shown(r, key);

	if (path == NULL)
		return NULL;
	r->rc = not_here(r, secret_file_check(r->rules, path, r->err));
	if (r->rc != RC_OK)
		err_wrap(r->err, "%s", key);
	return path;
}

static int read_tls(struct reading *r, struct tls_settings *s)
{
	char *check;

	*s = (struct tls_settings){
		.truststore_location = take_file(r, "ssl.truststore.location"),
		.truststore_password = take(r, "ssl.truststore.password"),
		.truststore_type = take_shown(r, "ssl.truststore.type"),
		.truststore_certificates = take(r, "ssl.truststore.certificates"),
		.keystore_location = take_file(r, "ssl.keystore.location"),
		.keystore_password = take(r, "ssl.keystore.password"),
		.keystore_type = take_shown(r, "ssl.keystore.type"),
		.keystore_key = take(r, "ssl.keystore.key"),
		.keystore_certificate_chain = take(r, "ssl.keystore.certificate.chain"),
		.key_password = take(r, "ssl.key.password"),
		.enabled_protocols = take_shown(r, "ssl.enabled.protocols"),
		.cipher_suites = take_shown(r, "ssl.cipher.suites"),
	};
	check = take_shown(r, "ssl.endpoint.identification.algorithm");
	s->check_host = check != NULL;
	xfree(check);
	return r->rc == RC_OK ? tls_settings_check(s, r->err) : r->rc;
}

static int secure_tls(struct client_conf *conf, struct reading *reading)
{
	struct tls_settings settings;
	int rc = read_tls(reading, &settings);

	if (rc == RC_OK)
		conf->tls = tls_create(&settings);
	else
		tls_settings_fini(&settings);
	return rc;
}

/* As take_shown, within the line; a host's own file may hold what it likes. */
static int references_check(const struct reading *reading)
{
	const char *value = keys_text(&client_key_table, reading->props, "sasl.jaas.config");

	return reading->rules == NULL ? RC_OK : login_references_check(value, reading->err);
}

static int secure_sasl(struct client_conf *conf, struct reading *reading)
{
	struct auth_settings settings = {
		.mechanism = take_shown(reading, "sasl.mechanism"), .service = take_shown(reading, "sasl.kerberos.service.name"),
		.token_url = take_shown(reading, "sasl.oauthbearer.token.endpoint.url"),
		.token_connect_timeout_ms = number(reading->props, "sasl.login.connect.timeout.ms"),
		.token_read_timeout_ms = number(reading->props, "sasl.login.read.timeout.ms"),
	};
	char *line = take(reading, "sasl.jaas.config");
	int rc = reading->rc;

	if (rc == RC_OK && settings.token_url != NULL)
		rc = not_here(reading, secret_url_check(reading->rules, settings.token_url, reading->err));
	if (rc == RC_OK && settings.mechanism == NULL)
		rc = err_set(reading->err, RC_USAGE, "sasl.mechanism is empty");
	if (rc == RC_OK && line != NULL)
		rc = references_check(reading);
	if (rc == RC_OK && line != NULL)
		rc = login_read(&settings, line, reading->err);
	if (rc == RC_OK)
		rc = not_here(reading, login_files_check(&settings, reading->rules, reading->err));
	if (rc == RC_OK)
		rc = auth_settings_check(&settings, reading->err);
	if (rc == RC_OK) {
		conf->principal = login_principal(&settings);
		conf->auth = auth_create(&settings);
	} else {
		auth_settings_fini(&settings);
	}
	xfree_secret(line);
	return rc;
}

int client_conf_secure(struct client_conf *conf, const struct props *props, const struct secret_rules *rules,
		       struct err *err)
{
	struct reading reading = { .props = props, .rules = rules, .err = err };
	int rc = RC_OK;

	if (conf->wants_tls)
		rc = secure_tls(conf, &reading);
	if (rc == RC_OK && conf->wants_sasl)
		rc = secure_sasl(conf, &reading);
	if (rc == RC_OK && !conf->wants_tls && !conf->wants_sasl)
		conf->principal = xstrdup("User:ANONYMOUS");
	conf->elsewhere = reading.elsewhere;
	return rc;
}

int client_conf_read(struct client_conf *conf, const struct props *props, struct err *err)
{
	const char *servers = keys_text(&client_key_table, props, "bootstrap.servers");
	const char *addresses = keys_text(&client_key_table, props, "broker.address.map");

	*conf = (struct client_conf){
		.bootstrap_text = xstrdup(servers != NULL ? servers : ""),
		.client_id = xstrdup(keys_text(&client_key_table, props, "client.id")),
		.request_timeout_ms = number(props, "request.timeout.ms"),
		.connect_timeout_ms = number(props, "socket.connection.setup.timeout.ms"),
		.reconnect_backoff_ms = number(props, "reconnect.backoff.ms"),
		.reconnect_backoff_max_ms = number(props, "reconnect.backoff.max.ms"),
		.retry_backoff_ms = number(props, "retry.backoff.ms"),
		.metadata_max_age_ms = number(props, "metadata.max.age.ms"),
		.rcvbuf = number(props, "receive.buffer.bytes"),
		.sndbuf = number(props, "send.buffer.bytes"),
	};
	if (endpoints_parse(conf->bootstrap_text, &conf->bootstrap, &conf->n_bootstrap, err) != RC_OK)
		return err_wrap(err, "bootstrap.servers");
	if (addresses != NULL && address_map_parse(addresses, &conf->addresses, err) != RC_OK)
		return err_wrap(err, "broker.address.map");
	read_protocol(conf, props);
	return RC_OK;
}

void client_conf_fini(struct client_conf *conf)
{
	endpoints_free(conf->bootstrap, conf->n_bootstrap);
	address_map_fini(&conf->addresses);
	xfree(conf->bootstrap_text);
	xfree(conf->principal);
	xfree(conf->client_id);
	tls_unref(conf->tls);
	auth_unref(conf->auth);
	*conf = (struct client_conf){ 0 };
}

void client_conf_opts(const struct client_conf *conf, const char *side, const char *cluster_id,
		      struct cluster_opts *opts)
{
	CHECK((!conf->wants_tls || conf->tls != NULL) && (!conf->wants_sasl || conf->auth != NULL));
	*opts = (struct cluster_opts){
		.side = side,
		.bootstrap = conf->bootstrap,
		.n_bootstrap = conf->n_bootstrap,
		.addresses = conf->addresses,
		.client_id = conf->client_id,
		.cluster_id = cluster_id,
		.request_timeout_ms = conf->request_timeout_ms,
		.connect_timeout_ms = conf->connect_timeout_ms,
		.reconnect_backoff_ms = conf->reconnect_backoff_ms,
		.reconnect_backoff_max_ms = MAX(conf->reconnect_backoff_ms, conf->reconnect_backoff_max_ms),
		.retry_backoff_ms = conf->retry_backoff_ms,
		.metadata_max_age_ms = conf->metadata_max_age_ms,
		.frame_max = FRAME_MAX,
		.rcvbuf = MAX(conf->rcvbuf, 0),
		.sndbuf = MAX(conf->sndbuf, 0),
		.tls = conf->tls,
		.auth = conf->auth,
	};
}
