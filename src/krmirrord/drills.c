/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/drills.h"

#include "krmirrord/report_tail.h"

#include <stdio.h>
#include <string.h>

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

static void take_line(void *arg, const json_t *line)
{
	const char *plan = json_string_value(json_object_get(line, "plan"));
	int64_t started = report_started(line);
	struct drill_told *told;
	char name[sizeof(told->plan)];

	snprintf(name, sizeof(name), "%s", plan != NULL ? plan : "");
	told = plan != NULL && started >= 0 ? told_of(arg, name) : NULL;
	if (told == NULL)
		return;
	told->run_ms = started;
	told->ok = json_is_true(json_object_get(line, "ok"));
	if (told->ok)
		told->success_ms = started;
	told->rto_ms = report_number(line, "rto_ms");
	told->rpo_records = report_number(line, "rpo_records");
	told->rpo_ms = report_number(line, "rpo_ms");
}

void drills_read(const char *path, struct drills *drills)
{
	*drills = (struct drills){ 0 };
	report_tail(path, take_line, drills);
}
