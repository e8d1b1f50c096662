/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/metrics.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stddef.h>

/* The lag of one partition, or the largest of a topic's. */
struct gauge_row {
	const char *name, *help;
	size_t at;               /* in struct page_lag */
	bool seconds;
};

static const struct gauge_row gauges[] = {
	{ "krmirror_lag_records", "Offsets between the destination's end and the source's high watermark.",
	  offsetof(struct page_lag, records), false },
	{ "krmirror_lag_stable_records", "Offsets between the destination's end and the source's last stable offset.",
	  offsetof(struct page_lag, stable_records), false },
	{ "krmirror_lag_seconds", "How long ago the destination had all that was stable at the source; 0 when it has.",
	  offsetof(struct page_lag, lag_ms), true },
	{ "krmirror_rpo_seconds", "Age of the oldest record that the destination does not have, by its timestamp.",
	  offsetof(struct page_lag, rpo_ms), true },
	{ "krmirror_last_fetch_seconds", "Since the source last answered for the partition, with records or without.",
	  offsetof(struct page_lag, fetch_ms), true },
	{ "krmirror_last_append_seconds", "Since the destination last acknowledged a batch of the partition.",
	  offsetof(struct page_lag, append_ms), true },
};

struct counter_row {
	const char *name, *help;
	size_t at;               /* in struct lane_counts */
};

#define COUNTER(name, field, help) { "krmirror_" name "_total", help, offsetof(struct lane_counts, field) }
static const struct counter_row counters[] = {
	COUNTER("bytes_fetched", fetched_bytes, "Bytes of record batches that the source sent; twice where asked twice."),
	COUNTER("records_fetched", fetched_records, "Records in them."),
	COUNTER("batches_fetched", fetched_batches, "Record batches that the source sent."),
	COUNTER("bytes_written", written_bytes, "Bytes of record batches that the destination acknowledged."),
	COUNTER("records_written", written_records, "Records in them."),
	COUNTER("batches_written", written_batches, "Record batches that the destination acknowledged."),
	COUNTER("filled_offsets", filled, "Offsets without a record that were used up at the destination."),
	COUNTER("tombstone_offsets", tombstones, "How many of them with tombstones."),
	COUNTER("coalesced_batches", coalesced, "Small batches that were merged with others."),
};

static const int64_t *gauge_of(const struct page_lag *lag, const struct gauge_row *row)
{
	return (const int64_t *)(const void *)((const char *)lag + row->at);
}

static uint64_t counter_of(const struct lane_counts *counts, const struct counter_row *row)
{
	return *(const uint64_t *)(const void *)((const char *)counts + row->at);
}

static void put_gauge(struct family *f, const struct gauge_row *row, const struct labels *labels, int64_t value)
{
	if (value < 0)
		return;
	if (row->seconds)
		family_seconds(f, labels, value);
	else
		family_number(f, labels, (uint64_t)value);
}

struct place {
	const struct page *page;
	const struct page_mirror *mirror;
	int64_t wall_ms;
};

static int64_t gauge_at(const struct place *at, const struct gauge_row *row, int32_t partition)
{
	struct page_lag lag;

	page_lag(at->page, at->mirror, partition, at->wall_ms, &lag);
	return *gauge_of(&lag, row);
}

static void gauge_mirror(struct family *f, const struct gauge_row *row, const struct place *at)
{
	const struct page_mirror *m = at->mirror;
	int64_t largest = -1;
	char number[16];

	for (int32_t p = 0; p < m->n_partitions; p++) {
		int64_t value = m->partitions[p].lane != NULL ? gauge_at(at, row, p) : -1;

		largest = MAX(largest, value);
		snprintf(number, sizeof(number), "%d", p);
		if (at->page->by_partition)
			put_gauge(f, row, LABELS({ "link", m->link }, { "topic", m->topic }, { "partition", number }), value);
	}
	if (!at->page->by_partition)
		put_gauge(f, row, LABELS({ "link", m->link }, { "topic", m->topic }), largest);
}

static void counter_mirror(struct family *f, const struct counter_row *row, const struct place *at)
{
	const struct page_mirror *m = at->mirror;
	struct lane_counts sum;
	char number[16];

	if (!at->page->by_partition) {
		sum = page_topic_counts(at->page, m);
		family_number(f, LABELS({ "link", m->link }, { "topic", m->topic }), counter_of(&sum, row));
		return;
	}
	for (int32_t p = 0; p < m->n_partitions; p++) {
		snprintf(number, sizeof(number), "%d", p);
		if (m->partitions[p].lane != NULL)
			family_number(f, LABELS({ "link", m->link }, { "topic", m->topic }, { "partition", number }),
				      counter_of(&m->partitions[p].lane->counts, row));
	}
}

void metrics_lanes(struct doc *doc, const struct page *page, int64_t wall_ms)
{
	struct place at = { .page = page, .wall_ms = wall_ms };

	for (size_t i = 0; i < ARRAY_LEN(gauges); i++) {
		struct family f = { .doc = doc, .name = gauges[i].name, .type = "gauge", .help = gauges[i].help };

		for (int m = 0; m < page->n_mirrors; m++) {
			at.mirror = &page->mirrors[m];
			gauge_mirror(&f, &gauges[i], &at);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
		struct family f = { .doc = doc, .name = counters[i].name, .type = "counter", .help = counters[i].help };

		for (int m = 0; m < page->n_mirrors; m++) {
			at.mirror = &page->mirrors[m];
			counter_mirror(&f, &counters[i], &at);
		}
	}
}
