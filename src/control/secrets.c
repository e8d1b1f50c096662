/* SPDX-License-Identifier: Apache-2.0 */
#include "control/secrets.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 120 };

/* One reference in a text: "${file:PATH:KEY}", or "${env:NAME}". */
struct reference {
	const char *begin, *end;     /* from the dollar to behind the brace */
	const char *kind, *body;     /* "file", and what follows its colon */
	size_t kind_len, body_len;
};

static bool reference_next(const char *text, struct reference *r)
{
	for (const char *p = strstr(text, "${"); p != NULL; p = strstr(p + 2, "${")) {
		const char *close = strchr(p, '}'), *colon;

		if (close == NULL)
			return false;
		colon = memchr(p, ':', (size_t)(close - p));
		if (colon == NULL)
			continue;
		*r = (struct reference){
			.begin = p, .end = close + 1, .kind = p + 2, .body = colon + 1,
			.kind_len = (size_t)(colon - p - 2), .body_len = (size_t)(close - colon - 1),
		};
		return true;
	}
	return false;
}

static bool kind_is(const struct reference *r, const char *kind)
{
	return strlen(kind) == r->kind_len && strncmp(r->kind, kind, r->kind_len) == 0;
}

bool secret_is_reference(const char *value)
{
	struct reference r;

	for (const char *p = value; reference_next(p, &r); p = r.end)
		if (kind_is(&r, "file") || kind_is(&r, "env"))
			return true;
	return false;
}

bool secret_is_one_reference(const char *value)
{
	struct reference r;

	return reference_next(value, &r) && (kind_is(&r, "file") || kind_is(&r, "env")) && r.begin == value && *r.end == '\0';
}

/* ---- what is allowed ---- */

static bool lies_in(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/' || folder[len - 1] == '/');
}

static bool file_allowed(const char *list, const char *real)
{
	char folder[PATH_MAX], allowed[PATH_MAX];
	struct str item;

	while (str_item(&list, &item)) {
		int len = snprintf(folder, sizeof(folder), "%.*s", STR_ARG(item));

		if (len < (int)sizeof(folder) && realpath(folder, allowed) != NULL && lies_in(real, allowed))
			return true;
	}
	return false;
}

int secret_file_check(const struct secret_rules *rules, const char *path, struct err *err)
{
	char real[PATH_MAX];

	if (rules == NULL)
		return RC_OK;
	/* Not told apart from one that is not allowed: the log's writers must not learn which files there are. */
	if (path[0] == '/' && realpath(path, real) != NULL && file_allowed(rules->files_allowed, real))
		return RC_OK;
	err_set(err, RC_USAGE, "the file %.*s of this link is not there, or not below secret.files.allowed of this host",
		SHOWN, path);
	return err_hint(err, "put it below %s, or add its directory to secret.files.allowed in krmirror.properties",
			rules->files_allowed != NULL && rules->files_allowed[0] != '\0' ? rules->files_allowed :
			"one of its directories (none is set)");
}

int secret_url_check(const struct secret_rules *rules, const char *url, struct err *err)
{
	const char *list = rules != NULL ? rules->urls_allowed : NULL;
	struct str item;

	if (rules == NULL)
		return RC_OK;
	if (strncmp(url, "file://", 7) == 0)
		return secret_file_check(rules, url + 7, err);
	while (str_item(&list, &item))
		if (str_is(item, url))
			return RC_OK;
	err_set(err, RC_USAGE, "the token endpoint %.*s of this link is not one that this host allows", SHOWN, url);
	return err_hint(err, "sasl.oauthbearer.allowed.urls in krmirror.properties");
}

static bool env_allowed(const char *list, const char *name)
{
	struct str item;

	while (str_item(&list, &item)) {
		if (str_is(item, name))
			return true;
		if (item.data[item.len - 1] == '*' && strncmp(item.data, name, (size_t)item.len - 1) == 0)
			return true;
	}
	return false;
}

/* ---- resolving ---- */

static int of_env(const struct secret_rules *rules, const char *name, char **value, struct err *err)
{
	const char *found;

	if (rules != NULL && !env_allowed(rules->env_allowed, name)) {
		err_set(err, RC_USAGE, "${env:%.*s}: this host does not allow that name to links", SHOWN, name);
		return err_hint(err, "secret.env.allowed=%s in krmirror.properties",
				rules->env_allowed != NULL ? rules->env_allowed : "");
	}
	found = getenv(name);
	if (found == NULL)
		return err_set(err, RC_USAGE, "${env:%.*s}: no such environment variable", SHOWN, name);
	*value = xstrdup(found);
	return RC_OK;
}

static int of_file(const struct secret_rules *rules, char *body, char **value, struct err *err)
{
	char *colon = strrchr(body, ':');
	struct props props = { 0 };
	const char *found;
	int rc;

	if (colon == NULL || colon == body || colon[1] == '\0')
		return err_set(err, RC_USAGE, "${file:%.*s}: write ${file:/path:key}", SHOWN, body);
	*colon = '\0';
	rc = secret_file_check(rules, body, err);
	if (rc == RC_OK)
		rc = props_load(&props, body, err);
	if (rc == RC_OK) {
		found = props_get(&props, colon + 1);
		if (found != NULL)
			*value = xstrdup(found);
		else
			rc = err_set(err, RC_USAGE, "${file:%.*s:%.*s}: the file has no such key", SHOWN, body, SHOWN,
				     colon + 1);
	}
	props_fini(&props);
	return rc;
}

static int resolve_one(const struct secret_rules *rules, const struct reference *r, char **value, struct err *err)
{
	char *body = xstrndup(r->body, r->body_len);
	int rc = RC_OK;

	*value = NULL;
	if (kind_is(r, "env"))
		rc = of_env(rules, body, value, err);
	else if (kind_is(r, "file"))
		rc = of_file(rules, body, value, err);
	else
		*value = xstrndup(r->begin, (size_t)(r->end - r->begin));   /* nothing of ours: stays */
	xfree(body);
	return rc;
}

int secret_resolve(const struct secret_rules *rules, const char *value, char **text, struct err *err)
{
	char *out = xstrdup(""), *part, *longer;
	struct reference r;
	int rc = RC_OK;

	while (rc == RC_OK && reference_next(value, &r)) {
		rc = resolve_one(rules, &r, &part, err);
		if (rc != RC_OK)
			break;
		longer = xasprintf("%s%.*s%s", out, (int)(r.begin - value), value, part);
		xfree(part);
		xfree(out);
		out = longer;
		value = r.end;
	}
	if (rc != RC_OK) {
		xfree(out);
		return rc;
	}
	*text = xasprintf("%s%s", out, value);
	xfree(out);
	return RC_OK;
}
