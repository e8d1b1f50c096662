/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/verifies.h"

#include "base/mem.h"
#include "krmirrord/report_tail.h"

#include <string.h>

/* The lines of a report's tail are 2,000 at most: a search through all of them is short. */
static struct verify_told *told_of(struct verifies *v, const struct verify_told *line)
{
	for (int i = 0; i < v->n; i++)
		if (strcmp(v->items[i].topic, line->topic) == 0 && strcmp(v->items[i].link, line->link) == 0)
			return &v->items[i];
	v->items = xrealloc(v->items, (size_t)v->n + 1, sizeof(*v->items));
	return &v->items[v->n++];
}

static void take_line(void *arg, const json_t *json)
{
	const char *link = json_string_value(json_object_get(json, "link_name"));
	const char *topic = json_string_value(json_object_get(json, "topic"));
	struct verify_told line = { .run_ms = report_started(json), .ok = json_is_true(json_object_get(json, "ok")),
				    .mismatches = report_number(json, "mismatch_count") };

	if (link == NULL || topic == NULL || line.run_ms < 0)
		return;
	snprintf(line.link, sizeof(line.link), "%s", link);
	snprintf(line.topic, sizeof(line.topic), "%s", topic);
	*told_of(arg, &line) = line;
}

void verifies_read(const char *path, struct verifies *verifies)
{
	verifies_fini(verifies);
	report_tail(path, take_line, verifies);
}

void verifies_copy(struct verifies *to, const struct verifies *from)
{
	*to = (struct verifies){ xcalloc((size_t)MAX(from->n, 1), sizeof(*to->items)), from->n };
	if (from->n > 0)
		memcpy(to->items, from->items, (size_t)from->n * sizeof(*to->items));
}

void verifies_fini(struct verifies *verifies)
{
	xfree(verifies->items);
	*verifies = (struct verifies){ 0 };
}
