/* SPDX-License-Identifier: Apache-2.0 */
#include "kmsgc.h"

#include <stdlib.h>
#include <string.h>

static void note_add(struct line *l, const char *text)
{
	l->notes = pool_grow(l->notes, (size_t)l->n_notes * sizeof(char *), (size_t)(l->n_notes + 1) * sizeof(char *));
	l->notes[l->n_notes++] = pool_printf("%s", text);
}

static bool words(const char *path, struct line *l, char *s)
{
	char *save = NULL;

	for (char *w = strtok_r(s, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		if (w[0] == '#')
			break;
		if (l->n_words == WORDS_MAX) {
			complain(path, l->number, "more than %d words", WORDS_MAX);
			return false;
		}
		l->words[l->n_words++] = w;
	}
	return true;
}

static bool line_add(struct source *src, struct line *pending, int number, char *s)
{
	size_t indent = strspn(s, " ");
	char *text = s + indent;

	pending->number = number;
	if (*text == '\0') {
		*pending = (struct line){ 0 };
		return true;
	}
	if (*text == '#') {
		note_add(pending, text + 1 + (text[1] == ' '));
		return true;
	}
	if (strchr(s, '\t') != NULL || indent % 2 != 0) {
		complain(src->path, number, "indentation is two blanks a level, without tabs");
		return false;
	}
	pending->indent = (int)(indent / 2);
	pending->text = strchr(text, '"');
	if (pending->text != NULL) {
		char *end = strrchr(++pending->text, '"');

		pending->text[-1] = '\0';
		if (end == NULL || end[1] != '\0') {
			complain(src->path, number, "the text does not end with a quote");
			return false;
		}
		*end = '\0';
	}
	if (!words(src->path, pending, text))
		return false;
	src->lines = pool_grow(src->lines, (size_t)src->n * sizeof(*pending),
			       (size_t)(src->n + 1) * sizeof(*pending));
	src->lines[src->n++] = *pending;
	*pending = (struct line){ 0 };
	return true;
}

bool lex(const char *path, struct source *src)
{
	struct line pending = { 0 };
	FILE *f = fopen(path, "rb");
	char *buf = NULL;
	size_t cap = 0;
	bool ok = true;
	ssize_t n;

	*src = (struct source){ .path = path };
	if (f == NULL) {
		complain(path, 0, "cannot be read");
		return false;
	}
	for (int number = 1; ok && (n = getline(&buf, &cap, f)) >= 0; number++) {
		buf[strcspn(buf, "\r\n")] = '\0';
		ok = line_add(src, &pending, number, pool_printf("%s", buf));
	}
	free(buf);
	fclose(f);
	return ok;
}
