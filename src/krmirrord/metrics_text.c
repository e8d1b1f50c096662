/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/metrics.h"

#include <inttypes.h>
#include <string.h>

static void begin(struct family *f)
{
	if (!f->begun_)
		doc_add(f->doc, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, f->type);
	f->begun_ = true;
}

/* Names of topics and links are tame, what else is a label may not be. */
static void put_value(struct doc *doc, const char *value)
{
	for (const char *p = value; *p != '\0'; p++) {
		size_t plain = strcspn(p, "\\\"\n");

		doc_add_bytes(doc, p, plain);
		p += plain;
		if (*p == '\0')
			return;
		doc_add_bytes(doc, *p == '\n' ? "\\n" : *p == '"' ? "\\\"" : "\\\\", 2);
	}
}

static void put_name(struct family *f, const struct labels *labels)
{
	const char *before = "{";

	begin(f);
	doc_add(f->doc, "%s", f->name);
	for (int i = 0; labels != NULL && i < LABELS_MAX && labels->items[i].name != NULL; i++) {
		if (labels->items[i].value == NULL)
			continue;
		doc_add(f->doc, "%s%s=\"", before, labels->items[i].name);
		put_value(f->doc, labels->items[i].value);
		doc_add(f->doc, "\"");
		before = ",";
	}
	if (before[0] == ',')
		doc_add(f->doc, "}");
}

void family_number(struct family *f, const struct labels *labels, uint64_t value)
{
	put_name(f, labels);
	doc_add(f->doc, " %" PRIu64 "\n", value);
}

void family_real(struct family *f, const struct labels *labels, double value)
{
	put_name(f, labels);
	doc_add(f->doc, " %.3f\n", value);
}

void family_seconds(struct family *f, const struct labels *labels, int64_t ms)
{
	if (ms >= 0)
		family_real(f, labels, (double)ms / 1000);
}
