/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include "base/mem.h"

#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "TiB", UINT64_C(1) << 40 },
	{ "kB", 1000 },
	{ "MB", 1000000 },
	{ "GB", 1000000000 },
};

/* Digits, then one of the units. */
static bool parse(const char *text, const struct unit *units, size_t n, uint64_t *value)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	if (p == text)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(p, units[i].name) == 0)
			return !__builtin_mul_overflow(v, units[i].factor, value);
	return false;
}

bool duration_parse(const char *text, int64_t *ms)
{
	uint64_t v;

	/* 100 years: deadlines are counted in nanoseconds of 63 bits. */
	if (!parse(text, durations, ARRAY_LEN(durations), &v) || v > UINT64_C(36500) * 86400000)
		return false;
	*ms = (int64_t)v;
	return true;
}

void duration_text(int64_t ms, char *text, size_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(durations); i++)
		if (ms != 0 && ms % (int64_t)durations[i].factor == 0) {
			snprintf(text, size, "%lld%s", (long long)(ms / (int64_t)durations[i].factor),
				 durations[i].name);
			return;
		}
	snprintf(text, size, "%lldms", (long long)ms);
}

bool size_parse(const char *text, uint64_t *bytes)
{
	return parse(text, sizes, ARRAY_LEN(sizes), bytes);
}

enum { NAME_MAX_LEN = 127 };

/* Optimal string alignment distance; names of a command line or a configuration key are short. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][NAME_MAX_LEN + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= m; j++)
		above[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = MIN(change, 1 + MIN(above[j], row[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[m];
}

const char *name_nearest(const char *word, const char *const *names, size_t n)
{
	size_t len = strlen(word), best = SIZE_MAX;
	const char *found = NULL;

	if (len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t m = strlen(names[i]), d;

		if (m > NAME_MAX_LEN)
			continue;
		d = distance(word, len, names[i], m);
		if (d < best && d <= MAX(len, m) / 3 + (MAX(len, m) < 3)) {
			best = d;
			found = names[i];
		}
	}
	return found;
}
