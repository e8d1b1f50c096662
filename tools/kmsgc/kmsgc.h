/* SPDX-License-Identifier: Apache-2.0 */
/* kmsgc: compiles protocol/NAME.kmsg and errors.kerr to C structs and constant descriptor tables.
 *
 * lex.c cuts a file into lines of words, parse.c makes the tree below, check.c holds every rule that is not form,
 * emit.c writes the C text, errors.c does the error list. Mistakes are reported as "file:line: message" and end the
 * run with status 1. All memory lives in one pool until the program ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { WORDS_MAX = 16, DEPTH_MAX = 6, NONE = 0x7fff };

/* A line of a file: its words, and the comment lines that stand directly above it. */
struct line {
	int number, indent;
	int n_words;
	char *words[WORDS_MAX];
	char *text;             /* what follows the first quote, errors.kerr only */
	char **notes;
	int n_notes;
};

struct source {
	const char *path;
	struct line *lines;
	int n;
};

enum type {
	T_BOOL, T_INT8, T_INT16, T_UINT16, T_INT32, T_UINT32, T_INT64, T_FLOAT64, T_UUID, T_STRING, T_BYTES,
	T_RECORDS, T_STRUCT
};

struct field {
	const char *name;
	char *cname;
	struct line *line;
	enum type type;
	bool array, lossy, secret, plain;
	int since, until;       /* NONE as until: no end */
	int null_since;         /* NONE: never */
	int tag;                /* -1: none */
	bool has_initial, initial_null;
	int64_t initial;
	struct label *label;    /* T_STRUCT */
};

/* A struct: a message, or a label of the author. */
struct label {
	const char *name;
	char *cname;
	struct line *line;
	const char *path;
	struct field *fields;
	int n;
	bool has_body, emitted;
	struct label *next;
};

struct api {
	const char *name, *route, *path;
	char *cname;
	struct line *line;
	int key, min, max, table_min, table_max, flexible;
	struct label *request, *response;
	struct label *labels;   /* in the order of their bodies' ends, so inner ones come first */
};

/* pool.c */
void *pool_new(size_t size);
void *pool_grow(void *old, size_t old_size, size_t size);
char *pool_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *snake(const char *camel);
char *upper(const char *s);
void pool_free(void);

/* Reports a mistake and counts it. */
void complain(const char *path, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int complaints(void);

/* lex.c. False when the file cannot be read or has a tab, a stray indentation, or too many words in a line. */
bool lex(const char *path, struct source *src);
/* parse.c */
bool parse(struct source *src, struct api *api);
/* check.c */
void check(struct api *apis, int n);
/* emit.c: DIR/NAME.h for each API and DIR/tables.c. A file that would not change is left alone. */
void emit(const struct api *apis, int n, const char *dir);
/* errors.c: reads errors.kerr and writes DIR/kerr_codes.h and DIR/kerr_table.c. */
void errors(const char *path, const char *dir);

/* out.c: a text in memory that is written at the end, if the file is not the same already. */
struct out {
	char *text;
	size_t len, cap;
};
void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void out_write(struct out *o, const char *dir, const char *name);
