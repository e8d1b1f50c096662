/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/text.h"

#include <time.h>

enum { LABEL_WIDTH = 25 };

void text_label(FILE *out, const char *label)
{
	int n = fprintf(out, "%s:", label);

	fprintf(out, "%*s", n < LABEL_WIDTH ? LABEL_WIDTH - n : 1, "");
}

void text_field(FILE *out, const char *label, const char *value)
{
	text_label(out, label);
	fprintf(out, "%s\n", value != NULL && value[0] != '\0' ? value : "-");
}

const char *text_ago(int64_t ms, char *text, size_t size)
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {
		{ 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" },
	};

	if (ms < 0) {
		snprintf(text, size, "-");
		return text;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (ms >= units[i].ms) {
			snprintf(text, size, "%lld%s ago", (long long)(ms / units[i].ms), units[i].name);
			return text;
		}
	snprintf(text, size, "now");
	return text;
}

const char *text_time(int64_t wall_ms, char *text, size_t size)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (wall_ms <= 0 || gmtime_r(&seconds, &tm) == NULL ||
	    strftime(text, size, "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		snprintf(text, size, "-");
	return text;
}

const char *text_known(int64_t value, char *text, size_t size)
{
	if (value < 0)
		snprintf(text, size, "not known");
	else
		snprintf(text, size, "%lld", (long long)value);
	return text;
}
