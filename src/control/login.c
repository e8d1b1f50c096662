/* SPDX-License-Identifier: Apache-2.0 */
#include "control/login.h"

#include "base/mem.h"
#include "control/jaas.h"

#include <string.h>

static char *option_of(const struct jaas *jaas, const char *name)
{
	const char *value = jaas_option(jaas, name);

	return value != NULL && value[0] != '\0' ? xstrdup(value) : NULL;
}

/* ---- the login modules ---- */

static void read_password(struct auth_settings *s, const struct jaas *jaas)
{
	s->username = option_of(jaas, "username");
	s->password = option_of(jaas, "password");
}

/* Krb5LoginModule: a keytab, or (useTicketCache) what kinit left. The key's own service name comes first, as Java's. */
static void read_kerberos(struct auth_settings *s, const struct jaas *jaas)
{
	if (s->service == NULL)
		s->service = option_of(jaas, "serviceName");
	s->keytab = option_of(jaas, "keyTab");
	s->principal = option_of(jaas, "principal");
	if (s->keytab == NULL) {
		xfree(s->principal);
		s->principal = NULL;
	}
}

/* "extension_NAME" options, for the broker (KIP-342). */
static char *extensions_of(const struct jaas *jaas)
{
	char *all = xstrdup(""), *longer;

	for (int i = 0; i < jaas->n_options; i++) {
		const struct jaas_option *o = &jaas->options[i];

		if (strncmp(o->name, "extension_", 10) != 0 || strchr(o->value, 1) != NULL)
			continue;
		longer = xasprintf("%s%s=%s\001", all, o->name + 10, o->value);
		xfree(all);
		all = longer;
	}
	return all;
}

static void read_oauth(struct auth_settings *s, const struct jaas *jaas)
{
	s->username = option_of(jaas, "clientId");
	s->password = option_of(jaas, "clientSecret");
	s->scope = option_of(jaas, "scope");
	s->token = option_of(jaas, "token");
	s->token_trust = option_of(jaas, "ssl.truststore.location");
	s->extensions = extensions_of(jaas);
}

/* DefaultKafkaPrincipalBuilder, here and below without mapping rules. */
static char *of_password(const struct auth_settings *s)
{
	return s->username != NULL ? xasprintf("User:%s", s->username) : NULL;
}

/* The first part of the name. */
static char *of_kerberos(const struct auth_settings *s)
{
	return s->principal != NULL ? xasprintf("User:%.*s", (int)strcspn(s->principal, "/@"), s->principal) : NULL;
}

static char *of_oauth(const struct auth_settings *s)
{
	(void)s;
	return NULL;
}

static const struct login {
	const char *mechanism, *module;
	void (*read)(struct auth_settings *s, const struct jaas *jaas);
	char *(*principal)(const struct auth_settings *s);
} logins[] = {
	{ "PLAIN", "PlainLoginModule", read_password, of_password },
	{ "SCRAM-SHA-256", "ScramLoginModule", read_password, of_password },
	{ "SCRAM-SHA-512", "ScramLoginModule", read_password, of_password },
	{ "GSSAPI", "Krb5LoginModule", read_kerberos, of_kerberos },
	{ "OAUTHBEARER", "OAuthBearerLoginModule", read_oauth, of_oauth },
};

static const struct login *login_of(const char *mechanism)
{
	for (size_t i = 0; i < ARRAY_LEN(logins); i++)
		if (strcmp(logins[i].mechanism, mechanism) == 0)
			return &logins[i];
	return NULL;
}

int login_read(struct auth_settings *s, const char *line, struct err *err)
{
	const struct login *login = login_of(s->mechanism);
	struct jaas jaas;
	int rc;

	if (login == NULL)
		return RC_OK;
	rc = jaas_parse(&jaas, line, err);
	if (rc != RC_OK)
		return err_wrap(err, "sasl.jaas.config");
	if (jaas_is(&jaas, login->module))
		login->read(s, &jaas);
	else
		rc = err_set(err, RC_USAGE, "sasl.jaas.config: sasl.mechanism=%s needs the %s", s->mechanism, login->module);
	jaas_fini(&jaas);
	return rc;
}

int login_files_check(const struct auth_settings *s, const struct secret_rules *rules, struct err *err)
{
	int rc = s->keytab != NULL ? secret_file_check(rules, s->keytab, err) : RC_OK;

	return rc == RC_OK && s->token_trust != NULL ? secret_file_check(rules, s->token_trust, err) : rc;
}

char *login_principal(const struct auth_settings *s)
{
	const struct login *login = login_of(s->mechanism);

	return login != NULL ? login->principal(s) : NULL;
}

/* ---- references ---- */

static bool is_shown(const struct jaas_option *option)
{
	static const char *const shown[] = { "keyTab", "principal", "serviceName", "ssl.truststore.location" };

	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		if (strcmp(option->name, shown[i]) == 0)
			return true;
	return false;
}

int login_references_check(const char *line, struct err *err)
{
	struct jaas jaas;
	int rc;

	if (secret_is_one_reference(line))
		return RC_OK;
	rc = jaas_parse(&jaas, line, err);
	for (int i = 0; rc == RC_OK && i < jaas.n_options; i++)
		if (is_shown(&jaas.options[i]) && secret_is_reference(jaas.options[i].value))
			rc = err_set(err, RC_USAGE, "%s of a link cannot be a reference: it is no secret", jaas.options[i].name);
	jaas_fini(&jaas);
	return rc == RC_OK ? RC_OK : err_wrap(err, "sasl.jaas.config");
}
