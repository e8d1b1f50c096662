/* SPDX-License-Identifier: Apache-2.0 */
#include "kmsgc.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parser {
	const char *path;
	struct api *api;
	struct line *lines;
	int n, at;
};

static const char *const type_names[] = { "bool", "int8", "int16", "uint16", "int32", "uint32", "int64", "float64",
					  "uuid", "string", "bytes", "records" };

static bool number(const char *s, int64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoll(s, &end, 0);
	return errno == 0 && end != s && *end == '\0';
}

/* "N-M" or "N+"; a single "N" is N-N. */
static bool range(const char *s, int *since, int *until)
{
	char *end;

	if (!isdigit((unsigned char)s[0]))
		return false;
	*since = (int)strtol(s, &end, 10);
	*until = *since;
	if (strcmp(end, "+") == 0) {
		*until = NONE;
		return true;
	}
	if (*end == '-' && isdigit((unsigned char)end[1]))
		*until = (int)strtol(end + 1, &end, 10);
	return *end == '\0';
}

static struct label *label_get(struct parser *p, const char *name, struct line *line)
{
	struct label *l;

	for (l = p->api->labels; l != NULL; l = l->next)
		if (strcmp(l->name, name) == 0)
			return l;
	l = pool_new(sizeof(*l));
	l->name = name;
	l->cname = snake(name);
	l->line = line;
	l->path = p->path;
	l->next = p->api->labels;
	p->api->labels = l;
	return l;
}

static bool initial(struct parser *p, struct field *f, const char *word)
{
	f->has_initial = true;
	if (strcmp(word, "null") == 0) {
		f->initial_null = true;
		f->initial = -1;
	} else if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) {
		f->initial = word[0] == 't';
	} else if (!number(word, &f->initial)) {
		complain(p->path, f->line->number, "no default: %s", word);
		return false;
	}
	return true;
}

/* One attribute from word i on; gives the index behind it, 0 for a mistake. */
static int attribute(struct parser *p, struct field *f, int i)
{
	char **w = f->line->words;
	bool more = i + 1 < f->line->n_words;
	int64_t tag;
	int until;

	if (strcmp(w[i], "lossy") == 0) {
		f->lossy = true;
	} else if (strcmp(w[i], "secret") == 0) {
		f->secret = true;
	} else if (strcmp(w[i], "plain") == 0) {
		f->plain = true;
	} else if (strcmp(w[i], "null") == 0) {
		f->null_since = f->since;
		if (more && range(w[i + 1], &f->null_since, &until))
			i++;
	} else if (strcmp(w[i], "tag") == 0 && more && number(w[i + 1], &tag) && tag >= 0 && tag < NONE) {
		f->tag = (int)tag;
		i++;
	} else if (strcmp(w[i], "=") == 0 && more) {
		if (!initial(p, f, w[++i]))
			return 0;
	} else {
		complain(p->path, f->line->number, "unknown attribute: %s", w[i]);
		return 0;
	}
	return i + 1;
}

static void type(struct parser *p, struct field *f, const char *word)
{
	f->array = strncmp(word, "[]", 2) == 0;
	word += f->array ? 2 : 0;
	f->type = T_STRUCT;
	for (int i = 0; i < T_STRUCT; i++)
		if (strcmp(word, type_names[i]) == 0)
			f->type = (enum type)i;
	if (f->type == T_STRUCT)
		f->label = label_get(p, word, f->line);
}

static bool field(struct parser *p, struct line *line, struct field *f)
{
	int i = 2;

	*f = (struct field){ .line = line, .tag = -1, .null_since = NONE, .until = NONE };
	if (line->n_words < 2 || !isupper((unsigned char)line->words[0][0])) {
		complain(p->path, line->number, "a field is: Name type [versions] [attributes]");
		return false;
	}
	f->name = line->words[0];
	f->cname = snake(f->name);
	type(p, f, line->words[1]);
	f->since = p->api->table_min;
	if (i < line->n_words && range(line->words[i], &f->since, &f->until))
		i++;
	while (i < line->n_words) {
		i = attribute(p, f, i);
		if (i == 0)
			return false;
	}
	return true;
}

/* The lines deeper than the one before, as the body of label l. */
static bool body(struct parser *p, struct label *l, int depth)
{
	if (depth > DEPTH_MAX) {
		complain(p->path, p->lines[p->at].number, "nested deeper than %d", DEPTH_MAX);
		return false;
	}
	l->has_body = true;
	while (p->at < p->n && p->lines[p->at].indent >= depth) {
		struct line *line = &p->lines[p->at];
		struct field *f;

		if (line->indent > depth) {
			complain(p->path, line->number, "too deep: the line above takes no fields");
			return false;
		}
		l->fields = pool_grow(l->fields, (size_t)l->n * sizeof(*f), (size_t)(l->n + 1) * sizeof(*f));
		f = &l->fields[l->n];
		if (!field(p, line, f))
			return false;
		l->n++;
		p->at++;
		if (p->at == p->n || p->lines[p->at].indent <= depth || f->label == NULL)
			continue;
		if (f->label->has_body) {
			complain(p->path, p->lines[p->at].number, "%s has a body already", f->label->name);
			return false;
		}
		if (!body(p, f->label, depth + 1))
			return false;
	}
	return true;
}

/* api KEY Name MIN-MAX [table MIN-MAX] flexible N+|none to ROUTE */
static bool head(struct parser *p)
{
	struct api *a = p->api;
	struct line *l = &p->lines[0];
	char **w = l->words;
	int64_t key = -1;
	int i = 4, until = NONE;

	a->line = l;
	if (l->n_words < 8 || strcmp(w[0], "api") != 0 || !number(w[1], &key) || !range(w[3], &a->min, &a->max))
		goto bad;
	a->key = (int)key;
	a->name = w[2];
	a->cname = snake(a->name);
	a->table_min = a->min;
	a->table_max = a->max;
	if (strcmp(w[i], "table") == 0) {
		if (!range(w[i + 1], &a->table_min, &a->table_max))
			goto bad;
		i += 2;
	}
	if (l->n_words != i + 4 || strcmp(w[i], "flexible") != 0 || strcmp(w[i + 2], "to") != 0)
		goto bad;
	a->flexible = NONE;
	if (strcmp(w[i + 1], "none") != 0 && (!range(w[i + 1], &a->flexible, &until) || until != NONE))
		goto bad;
	a->route = w[i + 3];
	return true;
bad:
	complain(p->path, l->number, "expected: api KEY Name MIN-MAX [table MIN-MAX] flexible N+|none to ROUTE");
	return false;
}

static struct label *message(struct parser *p, const char *word, const char *suffix)
{
	struct line *line = p->at < p->n ? &p->lines[p->at] : &p->lines[p->n - 1];
	struct label *l;

	if (p->at == p->n || line->indent != 0 || line->n_words != 1 || strcmp(line->words[0], word) != 0) {
		complain(p->path, line->number, "expected: %s", word);
		return NULL;
	}
	l = label_get(p, pool_printf("%s%s", p->api->name, suffix), line);
	p->at++;
	return body(p, l, 1) ? l : NULL;
}

bool parse(struct source *src, struct api *api)
{
	struct parser p = { .path = src->path, .api = api, .lines = src->lines, .n = src->n, .at = 1 };

	*api = (struct api){ .path = src->path };
	if (src->n == 0) {
		complain(src->path, 0, "empty");
		return false;
	}
	if (!head(&p))
		return false;
	api->request = message(&p, "request", "Request");
	if (api->request == NULL)
		return false;
	api->response = message(&p, "response", "Response");
	if (api->response == NULL)
		return false;
	if (p.at < p.n)
		complain(src->path, p.lines[p.at].number, "unexpected line after the response");
	return p.at == p.n;
}
