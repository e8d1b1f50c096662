/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/report_tail.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TAIL = 256 << 10 };

int64_t report_number(const json_t *line, const char *key)
{
	const json_t *value = json_object_get(line, key);

	return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
}

int64_t report_started(const json_t *line)
{
	const char *text = json_string_value(json_object_get(line, "started"));
	struct tm tm = { 0 };

	if (text == NULL)
		return report_number(line, "started");
	return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) != NULL ? (int64_t)timegm(&tm) * 1000 : -1;
}

void report_tail(const char *path, report_line_fn *each, void *arg)
{
	FILE *file = fopen(path, "re");
	char *text;
	size_t len;

	if (file == NULL)
		return;
	if (fseek(file, -TAIL, SEEK_END) != 0)
		rewind(file);
	text = xmalloc(TAIL);
	len = fread(text, 1, TAIL, file);
	fclose(file);
	/* The first line may have lost its beginning; then it is no JSON. */
	for (const char *p = text, *end; (end = memchr(p, '\n', len - (size_t)(p - text))) != NULL; p = end + 1) {
		json_t *line = json_loadb(p, (size_t)(end - p), 0, NULL);

		if (json_is_object(line))
			each(arg, line);
		json_decref(line);
	}
	xfree(text);
}
