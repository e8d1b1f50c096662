/* SPDX-License-Identifier: Apache-2.0 */
#include "control/conf.h"

#include "base/mem.h"
#include "control/seal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const struct key_table *const tables[] = { &conf_key_table, &client_key_table, NULL };

static int load_file(struct conf *conf, const char *path, bool lenient, struct notes *notes, struct err *err)
{
	struct props own = { 0 };
	int rc = props_load(&own, path, err);

	if (rc == RC_OK)
		rc = keys_check(tables, &own, lenient, notes, err);
	if (rc == RC_OK)
		rc = secret_exposure_check(&own, path, notes, err);
	if (rc == RC_OK)
		props_add(&conf->props, &own);
	props_fini(&own);
	return rc;
}

static char *text(const struct conf *conf, const char *name)
{
	const char *value = keys_text(&conf_key_table, &conf->props, name);

	return value == NULL ? NULL : xstrdup(value);
}

static int64_t number(const struct conf *conf, const char *name)
{
	return keys_number(&conf_key_table, &conf->props, name);
}

/* group.instance.id: the host name unless it is set. */
static char *worker_id(const struct conf *conf)
{
	const char *value = keys_text(&conf_key_table, &conf->props, "worker.id");
	char host[256] = "";

	if (value != NULL && value[0] != '\0')
		return xstrdup(value);
	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		return xstrdup("worker");
	return xstrdup(host);
}

static void read_words(struct conf *conf)
{
	const char *engine = keys_text(&conf_key_table, &conf->props, "io.engine");
	const char *format = keys_text(&conf_key_table, &conf->props, "log.format");
	const char *level = keys_text(&conf_key_table, &conf->props, "log.level");
	static const char *const levels[] = { "error", "warn", "info", "debug", "trace" };

	conf->io_engine = strcasecmp(engine, "io_uring") == 0 ? LOOP_IO_URING :
			  strcasecmp(engine, "epoll") == 0 ? LOOP_EPOLL : LOOP_AUTO;
	conf->log_format = strcasecmp(format, "json") == 0 ? LOG_JSON : LOG_KV;
	conf->log_level = LOG_INFO;
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcasecmp(level, levels[i]) == 0)
			conf->log_level = (enum log_level)(LOG_ERROR + (int)i);
}

static bool loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* host:0: whichever is free. Nowhere else that is an address. */
static bool any_port(struct conf *conf)
{
	const char *colon = strrchr(conf->http_listener, ':');
	char *text;
	bool ok;

	if (colon == NULL || strcmp(colon, ":0") != 0)
		return false;
	text = xasprintf("%.*s:1", (int)(colon - conf->http_listener), conf->http_listener);
	ok = endpoint_parse(text, strlen(text), &conf->http);
	conf->http.port = 0;
	xfree(text);
	return ok;
}

static int listeners_check(struct conf *conf, struct err *err)
{
	const char *const names[] = { "http.listener", "http.advertised.listener" };
	const char *const values[] = { conf->http_listener, conf->http_advertised_listener };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct endpoint *list;
		int n;

		if (values[i] == NULL || values[i][0] == '\0')
			continue;
		if (i == 0 && any_port(conf))
			continue;
		if (endpoints_parse(values[i], &list, &n, err) != RC_OK)
			return err_wrap(err, "%s", names[i]);
		if (n == 1 && i == 0)
			conf->http = (struct endpoint){ xstrdup(list[0].host), list[0].port };
		if (n != 1 || (i == 1 && loopback(list[0].host)))
			err_set(err, RC_USAGE, "%s=%s: %s", names[i], values[i],
				n != 1 ? "one host:port is needed" : "a loopback address means nothing to others");
		endpoints_free(list, n);
		if (err->rc == RC_USAGE)
			return RC_USAGE;
	}
	return RC_OK;
}

/* Brokers name the owner of a certificate like this unless ssl.principal.mapping.rules says otherwise. */
static void certificate_principal(struct client_conf *conf)
{
	char subject[1024];

	if (conf->principal != NULL || conf->auth != NULL || conf->tls == NULL)
		return;
	conf->principal = tls_subject(conf->tls, subject, sizeof(subject)) ? xasprintf("User:%s", subject) :
			  xstrdup("User:ANONYMOUS");
}

/* By default that of the login. What brokers make of it by rules of their own must be said. */
static int read_principal(struct conf *conf, struct err *err)
{
	const struct prop *given = props_find(&conf->props, "principal");
	const char *name = given != NULL ? strchr(given->value, ':') : NULL;

	if (given == NULL || given->value[0] == '\0') {
		certificate_principal(&conf->destination);
		return RC_OK;
	}
	if (name == NULL || name == given->value || name[1] == '\0' || strcmp(name, ":*") == 0) {
		err_set(err, RC_USAGE, "%s: principal=%s is not the name of one", given->file, given->value);
		return err_hint(err, "as brokers name it in ACLs and in their logs, for example User:krmirror");
	}
	xfree(conf->destination.principal);
	conf->destination.principal = xstrdup(given->value);
	return RC_OK;
}

static int read_all(struct conf *conf, struct err *err)
{
	const struct prop *factor = props_find(&conf->props, "control.topic.replication.factor");

	conf->control_topic = text(conf, "control.topic");
	conf->control_topic_replication = factor == NULL ? -1 : (int32_t)number(conf, factor->key);
	conf->group_id = text(conf, "group.id");
	conf->worker_id = worker_id(conf);
	conf->session_timeout_ms = (int32_t)number(conf, "session.timeout.ms");
	conf->worker_threads = (int32_t)number(conf, "worker.threads");
	conf->buffer_memory = number(conf, "buffer.memory");
	conf->max_request_size = number(conf, "max.request.size");
	conf->http_listener = text(conf, "http.listener");
	conf->http_advertised_listener = text(conf, "http.advertised.listener");
	conf->metrics_drill_report = text(conf, "metrics.drill.report");
	conf->metrics_verify_report = text(conf, "metrics.verify.report");
	conf->metrics_partitions = keys_bool(&conf_key_table, &conf->props, "metrics.partitions");
	conf->secret_key_file = text(conf, "secret.key.file");
	conf->secret_files_allowed = text(conf, "secret.files.allowed");
	conf->secret_env_allowed = text(conf, "secret.env.allowed");
	conf->oauth_urls_allowed = text(conf, "sasl.oauthbearer.allowed.urls");
	read_words(conf);
	err->rc = RC_OK;
	if (client_conf_read(&conf->destination, &conf->props, err) != RC_OK ||
	    client_conf_secure(&conf->destination, &conf->props, NULL, err) != RC_OK)
		return err->rc;
	return read_principal(conf, err) == RC_OK ? listeners_check(conf, err) : err->rc;
}

int conf_load(struct conf *conf, const struct conf_files *files, struct notes *notes, struct err *err)
{
	int rc = RC_OK;

	*conf = (struct conf){ 0 };
	if (files->config != NULL)
		rc = load_file(conf, files->config, false, notes, err);
	if (rc == RC_OK && files->command_config != NULL)
		rc = load_file(conf, files->command_config, true, notes, err);
	if (rc != RC_OK)
		return rc;
	if (files->bootstrap != NULL)
		props_set(&conf->props, "bootstrap.servers", files->bootstrap, "--bootstrap-server", 0);
	rc = read_all(conf, err);
	if (rc == RC_OK && conf->secret_key_file != NULL && conf->secret_key_file[0] != '\0')
		rc = secret_key_load(&conf->secret_key, conf->secret_key_file, notes, err);
	if (rc == RC_OK && conf->destination.n_bootstrap == 0) {
		err_set(err, RC_USAGE, "no destination cluster: bootstrap.servers is not set");
		rc = err_hint(err, "give --bootstrap-server HOST:PORT, or set bootstrap.servers in %s",
			      files->config != NULL ? files->config : "krmirror.properties (-c FILE)");
	}
	return rc;
}

struct secret_rules conf_secret_rules(const struct conf *conf)
{
	return (struct secret_rules){
		.files_allowed = conf->secret_files_allowed, .env_allowed = conf->secret_env_allowed,
		.urls_allowed = conf->oauth_urls_allowed,
	};
}

void conf_fini(struct conf *conf)
{
	props_fini(&conf->props);
	client_conf_fini(&conf->destination);
	xfree(conf->control_topic);
	xfree(conf->group_id);
	xfree(conf->worker_id);
	xfree(conf->http_listener);
	xfree(conf->http.host);
	xfree(conf->metrics_drill_report);
	xfree(conf->metrics_verify_report);
	xfree(conf->http_advertised_listener);
	xfree(conf->secret_key_file);
	secret_key_free(conf->secret_key);
	xfree(conf->secret_files_allowed);
	xfree(conf->secret_env_allowed);
	xfree(conf->oauth_urls_allowed);
	*conf = (struct conf){ 0 };
}
