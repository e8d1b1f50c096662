/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics: a page in the text format of Prometheus. What is not known has no line. krmirror-monitoring(7) tells what
 * each means. */
#pragma once

#include "base/doc.h"
#include "krmirrord/page.h"

/* page NULL: only what the process knows of itself. Times are of the moment of asking. */
void metrics_write(struct doc *doc, const struct page *page, int64_t wall_ms);

/* ---- for the renderers: metrics_text.c ---- */

/* One metric with its lines; the header is written with the first. */
struct family {
	struct doc *doc;
	const char *name, *type, *help;
	bool begun_;
};

struct label {
	const char *name, *value;    /* value NULL: the label is left out */
};

enum { LABELS_MAX = 6 };
struct labels {
	struct label items[LABELS_MAX];  /* up to the first without a name */
};
#define LABELS(...) (&(const struct labels){ { __VA_ARGS__ } })

void family_number(struct family *family, const struct labels *labels, uint64_t value);
void family_real(struct family *family, const struct labels *labels, double value);
/* ms -1: no line. */
void family_seconds(struct family *family, const struct labels *labels, int64_t ms);

/* ---- metrics_lanes.c ---- */
/* What is known of partitions; of topics, where they are folded. */
void metrics_lanes(struct doc *doc, const struct page *page, int64_t wall_ms);
/* ---- metrics_links.c ---- */
/* What this worker did for links, and what their sync tasks know. */
void metrics_links(struct doc *doc, const struct page *page, int64_t wall_ms);
/* ---- metrics_reports.c ---- */
void metrics_reports(struct doc *doc, const struct page *page);
/* ---- metrics_process.c ---- */
void metrics_process(struct doc *doc);
