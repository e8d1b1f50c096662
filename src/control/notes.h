/* SPDX-License-Identifier: Apache-2.0 */
/* What a person should be told although nothing failed: warnings of configuration files and of the verbs. The command
 * line prints them on standard error, the daemon logs them. */
#pragma once

#include "base/err.h"

struct notes {
	char **lines;
	int n;
};

void notes_add(struct notes *notes, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Frees the lines; the notes are empty again. Right for a zeroed struct. */
void notes_fini(struct notes *notes);
