/* SPDX-License-Identifier: Apache-2.0 */
#include "control/jaas.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

enum { OPTIONS_MAX = 64 };

struct parser {
	const char *text, *at;
	struct err *err;
};

static int expected(const struct parser *p, const char *what)
{
	err_set(p->err, RC_USAGE, "%s is expected at character %d", what, (int)(p->at - p->text) + 1);
	return err_hint(p->err, "sasl.jaas.config is one line: MODULE required NAME=\"VALUE\" ...;");
}

static void skip_blanks(struct parser *p)
{
	while (isspace((unsigned char)*p->at))
		p->at++;
}

/* A word without blanks, quotes, equals signs and semicolons. NULL: there is none. */
static char *word(struct parser *p)
{
	size_t n = strcspn(p->at, " \t\r\n=;\"'");
	char *text;

	if (n == 0)
		return NULL;
	text = xstrndup(p->at, n);
	p->at += n;
	return text;
}

/* In double or single quotes; a backslash takes the next character as it is. NULL: the quotes do not end. */
static char *quoted(struct parser *p)
{
	char quote = *p->at++;
	char *text = xcalloc(1, strlen(p->at) + 1);
	size_t n = 0;

	for (; *p->at != '\0' && *p->at != quote; p->at++) {
		if (*p->at == '\\' && p->at[1] != '\0')
			p->at++;
		text[n++] = *p->at;
	}
	if (*p->at == quote) {
		p->at++;
		return text;
	}
	xfree_secret(text);
	return NULL;
}

static int option(struct parser *p, struct jaas *jaas)
{
	struct jaas_option *o;

	if (jaas->n_options >= OPTIONS_MAX)
		return expected(p, "a semicolon");
	jaas->options = xrealloc(jaas->options, (size_t)jaas->n_options + 1, sizeof(*jaas->options));
	o = &jaas->options[jaas->n_options++];
	*o = (struct jaas_option){ 0 };
	o->name = word(p);
	if (o->name == NULL)
		return expected(p, "an option's name, or a semicolon,");
	skip_blanks(p);
	if (*p->at != '=')
		return expected(p, "an equals sign");
	p->at++;
	skip_blanks(p);
	if (*p->at == '"' || *p->at == '\'') {
		o->value = quoted(p);
		return o->value != NULL ? RC_OK : expected(p, "the end of a quoted value");
	}
	o->value = word(p);
	return o->value != NULL ? RC_OK : expected(p, "a value");
}

static int flag(struct parser *p)
{
	static const char *const flags[] = { "required", "requisite", "sufficient", "optional" };
	char *found;
	bool known = false;

	skip_blanks(p);
	found = word(p);
	for (size_t i = 0; found != NULL && i < ARRAY_LEN(flags); i++)
		known = known || strcasecmp(found, flags[i]) == 0;
	xfree(found);
	return known ? RC_OK : expected(p, "the word required");
}

static int parse(struct parser *p, struct jaas *jaas)
{
	int rc;

	skip_blanks(p);
	jaas->module = word(p);
	if (jaas->module == NULL)
		return expected(p, "a login module's class");
	rc = flag(p);
	while (rc == RC_OK) {
		skip_blanks(p);
		if (*p->at == ';')
			break;
		rc = option(p, jaas);
	}
	if (rc != RC_OK)
		return rc;
	p->at++;
	skip_blanks(p);
	return *p->at == '\0' ? RC_OK : expected(p, "the end: one login module is allowed; it");
}

int jaas_parse(struct jaas *jaas, const char *text, struct err *err)
{
	struct parser p = { text, text, err };
	int rc;

	*jaas = (struct jaas){ 0 };
	rc = parse(&p, jaas);
	if (rc != RC_OK)
		jaas_fini(jaas);
	return rc;
}

void jaas_fini(struct jaas *jaas)
{
	for (int i = 0; i < jaas->n_options; i++) {
		struct jaas_option *o = &jaas->options[i];

		xfree(o->name);
		xfree_secret(o->value);
	}
	xfree(jaas->options);
	xfree(jaas->module);
	*jaas = (struct jaas){ 0 };
}

const char *jaas_option(const struct jaas *jaas, const char *name)
{
	for (int i = 0; i < jaas->n_options; i++)
		if (strcmp(jaas->options[i].name, name) == 0)
			return jaas->options[i].value;
	return NULL;
}

bool jaas_is(const struct jaas *jaas, const char *name)
{
	const char *dot = strrchr(jaas->module, '.');

	return strcmp(dot != NULL ? dot + 1 : jaas->module, name) == 0;
}
