/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/drills.h"

#include "base/mem.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

enum { TAIL = 256 << 10 };

static int64_t number(const json_t *line, const char *key)
{
	const json_t *value = json_object_get(line, key);

	return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
}

/* Milliseconds, or a time of ISO 8601 in UTC. */
static int64_t started_of(const json_t *line)
{
	const char *text = json_string_value(json_object_get(line, "started"));
	struct tm tm = { 0 };

	if (text == NULL)
		return number(line, "started");
	return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) != NULL ? (int64_t)timegm(&tm) * 1000 : -1;
}

/* NULL: there is no room for more plans. */
static struct drill_told *told_of(struct drills *drills, const char *plan)
{
	struct drill_told *told;

	for (int i = 0; i < drills->n; i++)
		if (strcmp(drills->items[i].plan, plan) == 0)
			return &drills->items[i];
	if (drills->n == DRILLS_MAX)
		return NULL;
	told = &drills->items[drills->n++];
	*told = (struct drill_told){ .run_ms = -1, .success_ms = -1 };
	snprintf(told->plan, sizeof(told->plan), "%s", plan);
	return told;
}

static void take_line(struct drills *drills, const char *text, size_t len)
{
	json_t *line = json_loadb(text, len, 0, NULL);
	const char *plan = json_string_value(json_object_get(line, "plan"));
	int64_t started = started_of(line);
	struct drill_told *told;
	char name[sizeof(told->plan)];

	snprintf(name, sizeof(name), "%s", plan != NULL ? plan : "");
	told = plan != NULL && started >= 0 ? told_of(drills, name) : NULL;
	if (told != NULL) {
		told->run_ms = started;
		told->ok = json_is_true(json_object_get(line, "ok"));
		if (told->ok)
			told->success_ms = started;
		told->rto_ms = number(line, "rto_ms");
		told->rpo_records = number(line, "rpo_records");
		told->rpo_ms = number(line, "rpo_ms");
	}
	json_decref(line);
}

void drills_read(const char *path, struct drills *drills)
{
	FILE *file = fopen(path, "re");
	char *text;
	size_t len;

	*drills = (struct drills){ 0 };
	if (file == NULL)
		return;
	if (fseek(file, -TAIL, SEEK_END) != 0)
		rewind(file);
	text = xmalloc(TAIL);
	len = fread(text, 1, TAIL, file);
	fclose(file);
	/* The first line may have lost its beginning; then it is no JSON. */
	for (const char *p = text, *end; (end = memchr(p, '\n', len - (size_t)(p - text))) != NULL; p = end + 1)
		take_line(drills, p, (size_t)(end - p));
	xfree(text);
}
