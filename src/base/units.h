/* SPDX-License-Identifier: Apache-2.0 */
/* What people write: durations and sizes with units, and names that they misspell. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "500ms", "30s", "5m", "2h", "1d"; no blank, no sign, one unit. False when it is not so, or too large. */
bool duration_parse(const char *text, int64_t *ms);
/* The shortest exact form: 60000 is "1m", 1500 is "1500ms". */
void duration_text(int64_t ms, char *text, size_t size);
/* "48MiB", "1GiB", "64KiB", "512" or "512B" bytes; also kB, MB, GB of 1000. */
bool size_parse(const char *text, uint64_t *bytes);

/* The one of the n names that is nearest to word by edit distance (a swap of neighbours counts as one), or
 * NULL when none is near enough to be meant: more than a third of its letters differ. Of equals the first. */
const char *name_nearest(const char *word, const char *const *names, size_t n);
