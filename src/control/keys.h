/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of configuration keys: one row per key. The man pages are checked against them. */
#pragma once

#include "control/notes.h"
#include "control/props.h"

#include <jansson.h>
#include <stdint.h>

enum key_type {
	KEY_STRING,
	KEY_BOOL,         /* true, false */
	KEY_INT,
	KEY_MS,           /* a duration, in milliseconds */
	KEY_BYTES,        /* a size, in bytes */
	KEY_WORD,         /* one of `words`, upper or lower case */
	KEY_LIST,         /* separated by commas */
	KEY_JSON
};

enum key_flag {
	KEY_SECRET = 1,      /* never shown */
	KEY_JAVA = 2,        /* means something to Java clients only: noted, not used */
	KEY_IGNORED = 4,     /* known, has no effect: `doc` says why */
	KEY_LATER = 8,       /* known, checked and recorded; not acted on by this version */
	KEY_READ_ONLY = 16   /* derived: refused in a file, `doc` says what to set instead */
};

struct key_row {
	const char *name;     /* a trailing * stands for any ending */
	enum key_type type;
	const char *initial;  /* the default as text; NULL: none */
	int64_t min, max;     /* of numbers; both 0: no bounds */
	const char *words;    /* KEY_WORD: "A|B|C" */
	unsigned flags;       /* enum key_flag */
	const char *doc;      /* one line */
};

struct key_table {
	const char *what;     /* "krmirror.properties", "link.config": for messages */
	const struct key_row *rows;
	int n;
};

extern const struct key_table conf_key_table;       /* krmirror.properties */
extern const struct key_table link_key_table;       /* link.config */
extern const struct key_table client_key_table;     /* client settings that both have */

/* NULL: not known. */
const struct key_row *keys_find(const struct key_table *table, const char *name);
/* The nearest known name, or NULL when none is near. */
const char *keys_nearest(const struct key_table *table, const char *name);
/* Checks one value; false with the reason, without the key's name, in err. */
bool keys_check_value(const struct key_row *row, const char *value, struct err *err);
/* A JSON value as the file dialects leave it: as it is, or (then *quoted) without one pair of outer quotes and with
 * \" \{ \} unescaped. NULL with the reason in err. The caller drops the reference. */
json_t *keys_json(const char *value, bool *quoted, struct err *err);
/* Checks all: unknown keys (with the nearest name), bad values, what is noted or refused. `lenient`: an unknown key is
 * one warning for all of them instead of an error (--command-config). tables ends with NULL. RC_USAGE with file:line. */
int keys_check(const struct key_table *const *tables, const struct props *props, bool lenient, struct notes *notes,
	       struct err *err) MUST_USE;
/* The value in the file or the row's default; numbers in the unit of the key. The value was checked before. */
const char *keys_text(const struct key_table *table, const struct props *props, const char *name);
int64_t keys_number(const struct key_table *table, const struct props *props, const char *name);
bool keys_bool(const struct key_table *table, const struct props *props, const char *name);
