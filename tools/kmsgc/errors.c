/* SPDX-License-Identifier: Apache-2.0 */
/* errors.kerr, a line per Kafka error code: CODE NAME action stored "sentence". */
#include "kmsgc.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const actions[] = { "ok", "retry", "refresh", "probe", "fence", "stop" };
static const char *const stored[] = { "no", "maybe", "yes" };

static bool one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

/* Codes ascend without a hole: a code that is left out would read as unknown. */
static void check_row(const char *path, const struct line *l, int code)
{
	char *end;

	if (l->n_words != 4 || l->text == NULL || l->indent != 0) {
		complain(path, l->number, "expected: CODE NAME action stored \"sentence\"");
		return;
	}
	if (strtol(l->words[0], &end, 10) != code || *end != '\0')
		complain(path, l->number, "code %s, expected %d", l->words[0], code);
	for (const char *c = l->words[1]; *c != '\0'; c++)
		if (!isupper((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_') {
			complain(path, l->number, "%s is no name of an error", l->words[1]);
			break;
		}
	if (!one_of(l->words[2], actions, sizeof(actions) / sizeof(actions[0])))
		complain(path, l->number, "unknown action: %s", l->words[2]);
	if (!one_of(l->words[3], stored, sizeof(stored) / sizeof(stored[0])))
		complain(path, l->number, "stored is no, maybe or yes, not %s", l->words[3]);
	if (strpbrk(l->text, "\"\\") != NULL || l->text[0] == '\0')
		complain(path, l->number, "the sentence is empty or has a quote or backslash");
}

static void emit_codes(const struct source *src, const char *dir)
{
	struct out o = { 0 };

	put(&o, "/* Made by kmsgc from protocol/errors.kerr: change that file, not this one. */\n");
	put(&o, "#pragma once\n\nenum {\n");
	for (int i = 0; i < src->n; i++)
		put(&o, "\tKERR_%s = %s,\n", src->lines[i].words[1], src->lines[i].words[0]);
	put(&o, "\tKERR_CODE_MAX_ = %s\n};\n", src->lines[src->n - 1].words[0]);
	out_write(&o, dir, "kerr_codes.h");
}

static void emit_table(const struct source *src, const char *dir)
{
	struct out o = { 0 };

	put(&o, "/* Made by kmsgc from protocol/errors.kerr: change that file, not this one. */\n"
		"#include \"wire/kerr_table.h\"\n\nconst struct kerr kerr_table[] = {\n");
	for (int i = 0; i < src->n; i++) {
		const struct line *l = &src->lines[i];

		put(&o, "\t{ %s, \"%s\", KERR_%s, KERR_STORED_%s,\n\t  \"%s\" },\n", l->words[0], l->words[1],
		    upper(l->words[2]), upper(l->words[3]), l->text);
	}
	put(&o, "};\nconst int kerr_table_n = %d;\n", src->n);
	out_write(&o, dir, "kerr_table.c");
}

void errors(const char *path, const char *dir)
{
	struct source src;

	if (!lex(path, &src))
		return;
	if (src.n == 0)
		complain(path, 0, "empty");
	for (int i = 0; i < src.n; i++)
		check_row(path, &src.lines[i], i - 1);
	if (complaints() > 0)
		return;
	emit_codes(&src, dir);
	emit_table(&src, dir);
}
