/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule about meaning, in one place; parse.c knows only the form. */
#include "kmsgc.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

static const char *const routes[] = { "any", "leader", "controller", "group", "txn" };
static const char *const keywords[] = { "auto", "break", "case", "char", "const", "continue", "default", "do", "double",
	"else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict",
	"return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void",
	"volatile", "while", "bool", "true", "false", "errno" };

static void check_name(const char *path, int line, const char *name, const char *cname)
{
	for (const char *c = name; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c)) {
			complain(path, line, "%s is not a name", name);
			return;
		}
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strcmp(cname, keywords[i]) == 0)
			complain(path, line, "%s would be a keyword of C", name);
}

static void check_ranges(const struct api *a, const struct field *f)
{
	int line = f->line->number;

	if (f->since < a->table_min || f->since > a->table_max)
		complain(a->path, line, "%s: versions begin outside the table's %d-%d", f->name, a->table_min,
			 a->table_max);
	if (f->until < f->since || (f->until != NONE && f->until > a->table_max))
		complain(a->path, line, "%s: versions end outside the table's %d-%d", f->name, a->table_min,
			 a->table_max);
	if (f->null_since != NONE && (f->null_since < f->since || f->null_since > f->until ||
				      f->null_since > a->table_max))
		complain(a->path, line, "%s: null outside the versions of the field", f->name);
}

static bool may_be_null(const struct field *f)
{
	return f->array || f->type == T_STRING || f->type == T_BYTES || f->type == T_RECORDS;
}

static bool fits(const struct field *f)
{
	static const int64_t low[] = { 0, INT8_MIN, INT16_MIN, 0, INT32_MIN, 0, INT64_MIN };
	static const int64_t high[] = { 1, INT8_MAX, INT16_MAX, UINT16_MAX, INT32_MAX, UINT32_MAX, INT64_MAX };

	return f->type <= T_INT64 && f->initial >= low[f->type] && f->initial <= high[f->type];
}

static void check_values(const struct api *a, const struct field *f)
{
	int line = f->line->number;

	if (f->null_since != NONE && !may_be_null(f))
		complain(a->path, line, "%s: this type has no null", f->name);
	if (f->has_initial && f->initial_null && f->null_since == NONE)
		complain(a->path, line, "%s: default null, but the field has no null", f->name);
	if (f->has_initial && !f->initial_null && (may_be_null(f) || !fits(f)))
		complain(a->path, line, "%s: the default does not fit the type", f->name);
	if (f->plain && f->type != T_STRING && f->type != T_BYTES)
		complain(a->path, line, "%s: plain is for strings and bytes", f->name);
	if (f->array && f->type == T_RECORDS)
		complain(a->path, line, "%s: an array of records does not exist", f->name);
	if (f->lossy && f->since <= a->table_min && f->until >= a->table_max)
		complain(a->path, line, "%s: lossy, but no version lacks it", f->name);
}

/* Tags are dense, ascending, behind the ordinary fields, and in flexible versions only. */
static void check_tags(const struct api *a, const struct label *l)
{
	int next = 0;

	for (int i = 0; i < l->n; i++) {
		const struct field *f = &l->fields[i];

		if (f->tag < 0) {
			if (next > 0)
				complain(a->path, f->line->number, "%s: ordinary field behind a tagged one", f->name);
			continue;
		}
		if (f->tag != next)
			complain(a->path, f->line->number, "%s: tag %d, expected %d", f->name, f->tag, next);
		next = f->tag + 1;
		if (f->since < a->flexible)
			complain(a->path, f->line->number, "%s: tagged in a version that is not flexible", f->name);
	}
}

static void check_label(const struct api *a, const struct label *l)
{
	if (!l->has_body) {
		complain(a->path, l->line->number, "%s is no type, and has no body here", l->name);
		return;
	}
	if (l->n == 0 && l != a->request && l != a->response)
		complain(a->path, l->line->number, "%s has no fields", l->name);
	check_name(a->path, l->line->number, l->name, l->cname);
	check_tags(a, l);
	for (int i = 0; i < l->n; i++) {
		const struct field *f = &l->fields[i];

		check_name(a->path, f->line->number, f->name, f->cname);
		check_ranges(a, f);
		check_values(a, f);
		for (int j = 0; j < i; j++)
			if (strcmp(l->fields[j].cname, f->cname) == 0)
				complain(a->path, f->line->number, "%s stands twice in %s", f->name, l->name);
	}
}

/* A struct that holds itself, directly or not, would have no end. */
static bool holds(const struct label *l, const struct label *what, int depth)
{
	for (int i = 0; i < l->n && depth <= DEPTH_MAX; i++)
		if (l->fields[i].label == what ||
		    (l->fields[i].label != NULL && holds(l->fields[i].label, what, depth + 1)))
			return true;
	return false;
}

static int depth_of(const struct label *l)
{
	int deepest = 0;

	for (int i = 0; i < l->n; i++)
		if (l->fields[i].label != NULL) {
			int d = depth_of(l->fields[i].label);

			deepest = d > deepest ? d : deepest;
		}
	return deepest + 1;
}

static void check_api(const struct api *a)
{
	bool known = false, circle = false;
	int line = a->line->number;

	check_name(a->path, line, a->name, a->cname);
	if (a->key < 0 || a->key > INT16_MAX)
		complain(a->path, line, "key %d", a->key);
	if (a->table_min > a->table_max || a->table_max >= NONE)
		complain(a->path, line, "table versions %d-%d", a->table_min, a->table_max);
	if (a->min > a->max || a->min < a->table_min || a->max > a->table_max)
		complain(a->path, line, "versions %d-%d are not inside the table's %d-%d", a->min, a->max,
			 a->table_min, a->table_max);
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		known = known || strcmp(a->route, routes[i]) == 0;
	if (!known)
		complain(a->path, line, "unknown route: %s", a->route);
	for (const struct label *l = a->labels; l != NULL; l = l->next) {
		check_label(a, l);
		if (holds(l, l, 1)) {
			complain(a->path, l->line->number, "%s holds itself", l->name);
			circle = true;
		}
	}
	if (!circle && (depth_of(a->request) > DEPTH_MAX || depth_of(a->response) > DEPTH_MAX))
		complain(a->path, line, "nested deeper than %d", DEPTH_MAX);
}

/* One C struct tag is global, so labels are unique over all APIs. */
static void check_unique(const struct api *apis, int n)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++) {
			if (apis[i].key == apis[j].key)
				complain(apis[i].path, apis[i].line->number, "key %d is %s's", apis[i].key, apis[j].name);
			for (const struct label *l = apis[i].labels; l != NULL; l = l->next)
				for (const struct label *m = apis[j].labels; m != NULL; m = m->next)
					if (strcmp(l->cname, m->cname) == 0)
						complain(apis[i].path, l->line->number, "label %s is also in %s",
							 l->name, apis[j].path);
		}
}

void check(struct api *apis, int n)
{
	for (int i = 0; i < n; i++)
		check_api(&apis[i]);
	check_unique(apis, n);
}
