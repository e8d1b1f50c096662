/* SPDX-License-Identifier: Apache-2.0 */
/* What commands wrote into their reports: drills and comparisons. */
#include "krmirrord/metrics.h"

#include <stddef.h>

static void drill_seconds(struct doc *doc, const struct page *page, const char *name, const char *help, size_t at)
{
	struct family f = { .doc = doc, .name = name, .type = "gauge", .help = help };

	for (int i = 0; i < page->drills.n; i++) {
		const char *told = (const char *)&page->drills.items[i];

		family_seconds(&f, LABELS({ "plan", page->drills.items[i].plan }), *(const int64_t *)(const void *)(told + at));
	}
}

static void drills(struct doc *doc, const struct page *page)
{
	struct family ok = { .doc = doc, .name = "krmirror_drill_last_ok", .type = "gauge",
			     .help = "1 when the last drill of the plan went well." };
	struct family records = { .doc = doc, .name = "krmirror_drill_last_rpo_records", .type = "gauge",
				  .help = "Records that the last drill of the plan lost." };

	drill_seconds(doc, page, "krmirror_drill_last_run_timestamp_seconds", "When the last drill of the plan was started.",
		      offsetof(struct drill_told, run_ms));
	drill_seconds(doc, page, "krmirror_drill_last_success_timestamp_seconds",
		      "When the last drill of the plan that went well was started.", offsetof(struct drill_told, success_ms));
	drill_seconds(doc, page, "krmirror_drill_last_rto_seconds", "How long its failover took.",
		      offsetof(struct drill_told, rto_ms));
	drill_seconds(doc, page, "krmirror_drill_last_rpo_seconds", "What it lost, in time.",
		      offsetof(struct drill_told, rpo_ms));
	for (int i = 0; i < page->drills.n; i++)
		family_number(&ok, LABELS({ "plan", page->drills.items[i].plan }), page->drills.items[i].ok);
	for (int i = 0; i < page->drills.n; i++)
		if (page->drills.items[i].rpo_records >= 0)
			family_number(&records, LABELS({ "plan", page->drills.items[i].plan }),
				      (uint64_t)page->drills.items[i].rpo_records);
}

static void verifies(struct doc *doc, const struct page *page)
{
	struct family run = { .doc = doc, .name = "krmirror_verify_last_run_timestamp_seconds", .type = "gauge",
			      .help = "When the last comparison of both sides was started." };
	struct family ok = { .doc = doc, .name = "krmirror_verify_last_ok", .type = "gauge",
			     .help = "1 when all that it was to compare was compared and equal." };
	struct family mismatches = { .doc = doc, .name = "krmirror_verify_last_mismatches", .type = "gauge",
				     .help = "Offsets at which both sides differed." };
	const struct verifies *v = &page->verifies;

	for (int i = 0; i < v->n; i++)
		family_seconds(&run, LABELS({ "link", v->items[i].link }, { "topic", v->items[i].topic }), v->items[i].run_ms);
	for (int i = 0; i < v->n; i++)
		family_number(&ok, LABELS({ "link", v->items[i].link }, { "topic", v->items[i].topic }), v->items[i].ok);
	for (int i = 0; i < v->n; i++)
		if (v->items[i].mismatches >= 0)
			family_number(&mismatches, LABELS({ "link", v->items[i].link }, { "topic", v->items[i].topic }),
				      (uint64_t)v->items[i].mismatches);
}

void metrics_reports(struct doc *doc, const struct page *page)
{
	drills(doc, page);
	verifies(doc, page);
}
