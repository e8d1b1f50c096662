/* SPDX-License-Identifier: Apache-2.0 */
#include "control/keys.h"

#include "base/mem.h"
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

const struct key_row *keys_find(const struct key_table *table, const char *name)
{
	for (int i = 0; i < table->n; i++) {
		const char *row = table->rows[i].name;
		size_t len = strlen(row);

		if (row[len - 1] == '*' ? strncmp(row, name, len - 1) == 0 : strcmp(row, name) == 0)
			return &table->rows[i];
	}
	return NULL;
}

static const struct key_row *find_in(const struct key_table *const *tables, const char *name)
{
	for (; *tables != NULL; tables++) {
		const struct key_row *row = keys_find(*tables, name);

		if (row != NULL)
			return row;
	}
	return NULL;
}

/* The names that may be suggested: those that do something. */
static const char *nearest_in(const struct key_table *const *tables, const char *name)
{
	const char **names = NULL, *found;
	size_t n = 0;

	for (; *tables != NULL; tables++) {
		names = xrealloc(names, n + (size_t)(*tables)->n + 1, sizeof(*names));
		for (int i = 0; i < (*tables)->n; i++)
			if (!((*tables)->rows[i].flags & (KEY_JAVA | KEY_IGNORED | KEY_READ_ONLY)))
				names[n++] = (*tables)->rows[i].name;
	}
	found = name_nearest(name, names, n);
	xfree(names);
	return found;
}

const char *keys_nearest(const struct key_table *table, const char *name)
{
	const struct key_table *tables[] = { table, NULL };

	return nearest_in(tables, name);
}

/* --- values -------------------------------------------------------------------------------------------------- */

static bool int_parse(const char *text, int64_t *value)
{
	char *end;
	long long v;

	if (!isdigit((unsigned char)text[text[0] == '-']))
		return false;
	errno = 0;
	v = strtoll(text, &end, 10);
	*value = v;
	return errno == 0 && *end == '\0';
}

static bool number_parse(enum key_type type, const char *text, int64_t *value)
{
	uint64_t bytes;

	if (int_parse(text, value))
		return true;
	if (type == KEY_MS)
		return duration_parse(text, value);
	if (type != KEY_BYTES || !size_parse(text, &bytes) || bytes > INT64_MAX)
		return false;
	*value = (int64_t)bytes;
	return true;
}

static bool number_check(const struct key_row *row, const char *value, struct err *err)
{
	static const char *const what[] = {
		[KEY_INT] = "a number", [KEY_MS] = "a duration (500ms, 30s, 5m; a plain number is milliseconds)",
		[KEY_BYTES] = "a size (48MiB, 64KiB; a plain number is bytes)",
	};
	int64_t v;

	if (!number_parse(row->type, value, &v)) {
		err_set(err, RC_USAGE, "\"%s\" is not %s", value, what[row->type]);
		return false;
	}
	if ((row->min != 0 || row->max != 0) && (v < row->min || v > row->max)) {
		err_set(err, RC_USAGE, "%s is out of range: %lld to %lld", value, (long long)row->min,
			(long long)row->max);
		return false;
	}
	return true;
}

static bool word_check(const struct key_row *row, const char *value, struct err *err)
{
	size_t len = strlen(value);

	for (const char *p = row->words; len > 0 && *p != '\0'; p += p[strcspn(p, "|")] == '|') {
		size_t n = strcspn(p, "|");

		if (n == len && strncasecmp(p, value, n) == 0)
			return true;
		p += n;
		if (*p == '\0')
			break;
	}
	err_set(err, RC_USAGE, "\"%s\" is none of %s", value, row->words);
	return false;
}

/* One pair of quotes around, and \" \{ \} inside: what a quoted JSON value looks like after the dialects. */
static char *unquoted(const char *value)
{
	size_t len = strlen(value), n = 0;
	char *out = xmalloc(len + 1);

	if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
		value++;
		len -= 2;
	}
	for (size_t i = 0; i < len; i++) {
		if (value[i] == '\\' && i + 1 < len && strchr("\"{}", value[i + 1]) != NULL)
			continue;
		out[n++] = value[i];
	}
	out[n] = '\0';
	return out;
}

json_t *keys_json(const char *value, bool *quoted, struct err *err)
{
	json_error_t why, again;
	json_t *json = json_loads(value, JSON_REJECT_DUPLICATES, &why);
	char *other;

	*quoted = false;
	if (json != NULL)
		return json;
	other = unquoted(value);
	json = json_loads(other, JSON_REJECT_DUPLICATES, &again);
	xfree(other);
	*quoted = json != NULL;
	if (json == NULL)
		err_set(err, RC_USAGE, "not valid JSON: %s (at character %d)", why.text, why.position);
	return json;
}

static bool json_check(const char *value, struct err *err)
{
	bool quoted;
	json_t *json;

	if (value[0] == '\0')
		return true;
	json = keys_json(value, &quoted, err);
	json_decref(json);
	return json != NULL;
}

bool keys_check_value(const struct key_row *row, const char *value, struct err *err)
{
	switch (row->type) {
	case KEY_BOOL:
		if (strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0)
			return true;
		err_set(err, RC_USAGE, "\"%s\" is neither true nor false", value);
		return false;
	case KEY_INT:
	case KEY_MS:
	case KEY_BYTES:
		return number_check(row, value, err);
	case KEY_WORD:
		return word_check(row, value, err);
	case KEY_JSON:
		return json_check(value, err);
	case KEY_STRING:
	case KEY_LIST:
		break;
	}
	return true;
}

/* --- files --------------------------------------------------------------------------------------------------- */

static const char *where(const struct prop *prop, char *text, size_t size)
{
	if (prop->line > 0)
		snprintf(text, size, "%s:%d", prop->file, prop->line);
	else
		snprintf(text, size, "%s", prop->file);
	return text;
}

/* "1000 acl.sync.enable=true": another known key inside a value. Writes its name. */
static bool second_key(const struct key_table *const *tables, const char *value, char *name, size_t size)
{
	for (const char *p = value; *p != '\0'; p++) {
		const struct key_row *row;
		size_t n;

		if ((*p != ' ' && *p != '\t') || p[1] == '\0')
			continue;
		n = strcspn(p + 1, " \t=:\"");
		if (n == 0 || n >= size || p[1 + n] != '=')
			continue;
		memcpy(name, p + 1, n);
		name[n] = '\0';
		row = find_in(tables, name);
		if (row != NULL && strchr(name, '.') != NULL)
			return true;
	}
	return false;
}

static int check_known(const struct key_table *const *tables, const struct key_row *row, const struct prop *prop,
		       struct notes *notes, struct err *err)
{
	char at[512], other[96];

	where(prop, at, sizeof(at));
	if (row->flags & KEY_READ_ONLY) {
		err_set(err, RC_USAGE, "%s: %s cannot be set", at, prop->key);
		return err_hint(err, "%s", row->doc);
	}
	if (row->flags & (KEY_JAVA | KEY_IGNORED)) {
		notes_add(notes, "%s: %s is not used: %s", at, prop->key, row->doc);
		return RC_OK;
	}
	/* Options of a login module have names of keys: ssl.truststore.location="..." is for the token endpoint. */
	if (strcmp(prop->key, "sasl.jaas.config") != 0 && second_key(tables, prop->value, other, sizeof(other))) {
		err_set(err, RC_USAGE, "%s: several keys on one line: %s stands inside the value of %s", at, other,
			prop->key);
		return err_hint(err, "put %s on a line of its own", other);
	}
	if (!keys_check_value(row, prop->value, err))
		return err_wrap(err, "%s: %s", at, prop->key);
	return RC_OK;
}

static int unknown(const struct key_table *const *tables, const struct prop *prop, struct err *err)
{
	const char *nearest = nearest_in(tables, prop->key);
	char at[512];

	err_set(err, RC_USAGE, "%s: unknown key \"%s\" in %s", where(prop, at, sizeof(at)), prop->key,
		tables[0]->what);
	if (nearest != NULL)
		err_hint(err, "did you mean %s?", nearest);
	return RC_USAGE;
}

int keys_check(const struct key_table *const *tables, const struct props *props, bool lenient, struct notes *notes,
	       struct err *err)
{
	char *skipped = NULL;
	int rc = RC_OK;

	for (int i = 0; i < props->n && rc == RC_OK; i++) {
		const struct prop *prop = &props->items[i];
		const struct key_row *row = find_in(tables, prop->key);

		if (row != NULL) {
			rc = check_known(tables, row, prop, notes, err);
		} else if (!lenient) {
			rc = unknown(tables, prop, err);
		} else {
			char *more = skipped == NULL ? xasprintf("%s", prop->key) :
						       xasprintf("%s, %s", skipped, prop->key);

			xfree(skipped);
			skipped = more;
		}
	}
	if (rc == RC_OK && skipped != NULL)
		notes_add(notes, "%s: not used: %s", props->items[0].file, skipped);
	xfree(skipped);
	return rc;
}

/* --- typed reads --------------------------------------------------------------------------------------------- */

const char *keys_text(const struct key_table *table, const struct props *props, const char *name)
{
	const char *value = props_get(props, name);
	const struct key_row *row;

	if (value != NULL)
		return value;
	row = keys_find(table, name);
	CHECK(row != NULL);
	return row->initial;
}

int64_t keys_number(const struct key_table *table, const struct props *props, const char *name)
{
	const char *text = keys_text(table, props, name);
	const struct key_row *row = keys_find(table, name);
	int64_t value = 0;

	CHECK(row != NULL && text != NULL && number_parse(row->type, text, &value));
	return value;
}

bool keys_bool(const struct key_table *table, const struct props *props, const char *name)
{
	const char *text = keys_text(table, props, name);

	return text != NULL && strcasecmp(text, "true") == 0;
}
