/* SPDX-License-Identifier: Apache-2.0 */
/* What a command prints. Results go to standard output: text and tables, or with -o json exactly one document.
 * Messages and progress go to standard error. Nothing here ever prints a setting's value that is secret: callers give
 * only what may be seen. */
#pragma once

#include "control/json_values.h"
#include "control/outcome.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct output {
	bool json;
	FILE *out, *err;
	bool tty;                  /* standard error is a terminal: progress rewrites one line */
	/* private */
	bool documented_;          /* the one document is out */
	bool progress_open_;       /* a progress line waits for its end */
	int64_t progress_at_ns_;
	char progress_[256];
};

void output_init(struct output *o, bool json, FILE *out, FILE *err);
/* Ends a progress line and flushes. False when standard output took not everything (a full disk, a closed pipe). */
bool output_close(struct output *o) MUST_USE;

/* A line of the result, for people: nothing with -o json. */
void output_say(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "krmirror: ..." on standard error. */
void output_note(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void output_warn(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* How far it is: on a terminal one line that is rewritten; elsewhere a line when it changed, every 10 s at most. */
void output_progress(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The document of -o json; takes over the reference. Nothing otherwise. Once. */
void output_document(struct output *o, json_t *document);
/* A failure: sentence and hint on standard error; with -o json also the error document, unless the normal one is
 * already out. word: one of error_words. */
void output_failure(struct output *o, const char *word, const struct err *err);

/* The closed list of words of the error document. */
const char *const *error_words(size_t *n);

struct column {
	const char *name;
	bool right;                /* numbers */
	bool wraps;                /* on a terminal that is too narrow; elsewhere nothing is ever cut */
};

struct table;

/* The columns must outlive it. */
struct table *table_create(const struct column *columns, size_t n);
void table_row(struct table *table);
/* The next cell of the row that table_row began. */
void table_text(struct table *table, const char *text);   /* "-" for NULL and "" */
void table_known(struct table *table, int64_t value);     /* "-" for negative numbers */
void table_number(struct table *table, int64_t value);
/* Prints and frees. */
void table_print(struct table *table, FILE *out);
