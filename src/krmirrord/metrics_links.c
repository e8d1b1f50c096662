/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/metrics.h"

#include "base/mem.h"

#include <stddef.h>
#include <string.h>

/* A partition whose source has been quiet for so long, in answers and not in records. */
enum { QUIET_MS = 10000 };

/* ---- what was done ---- */

struct tally_row {
	const char *name, *help;
	size_t at;               /* in struct tally */
};

#define TALLY(name, field, help) { "krmirror_" name "_total", help, offsetof(struct tally, field) }
static const struct tally_row tallies[] = {
	TALLY("group_offsets_committed", offsets_committed,
	      "Offsets of consumer groups that were committed at the destination."),
	TALLY("group_offset_clamped", offsets_clamped,
	      "How many of them were as far as the mirror was, and not as the source's."),
	TALLY("config_updates", config_updates, "Settings of mirror topics that were altered to follow the source's."),
	TALLY("acls_added", acls_added, "ACLs that were made as at the source."),
	TALLY("acls_deleted", acls_deleted, "ACLs of the sync that were removed."),
	TALLY("mirrors_created", mirrors_created, "Mirrors that were created by the link's filters."),
	TALLY("transition_errors", transition_errors,
	      "Attempts at promotions and failovers that failed, and promotions that were withdrawn."),
};

static void put_tally(struct doc *doc, const struct page *page, const struct tally_row *row)
{
	struct family f = { .doc = doc, .name = row->name, .type = "counter", .help = row->help };

	for (int i = 0; i < page->n_links; i++)
		family_number(&f, LABELS({ "link", page->links[i].name }),
			      *(const uint64_t *)(const void *)((const char *)&page->links[i].tally + row->at));
}

static void transitions(struct doc *doc, const struct page *page)
{
	struct family f = { .doc = doc, .name = "krmirror_transitions_total", .type = "counter",
			    .help = "Mirrors that this worker promoted or failed over." };

	for (int i = 0; i < page->n_links; i++) {
		const struct page_link *l = &page->links[i];

		family_number(&f, LABELS({ "link", l->name }, { "how", "promoted" }), l->tally.promoted);
		family_number(&f, LABELS({ "link", l->name }, { "how", "failed_over" }), l->tally.failed_over);
	}
}

static void skipped(struct doc *doc, const struct page *page)
{
	struct family f = { .doc = doc, .name = "krmirror_group_offset_skipped_total", .type = "counter",
			    .help = "How often a consumer group began to be skipped, whole or in part, by reason." };

	for (int i = 0; i < page->n_links; i++)
		for (int r = GROUP_REASON_NONE + 1; r < GROUP_REASONS; r++)
			if (page->links[i].tally.groups_skipped[r] > 0)
				family_number(&f, LABELS({ "link", page->links[i].name },
							 { "reason", group_reason_word((enum group_reason)r) }),
					      page->links[i].tally.groups_skipped[r]);
}

/* ---- what sync tasks know ---- */

static void groups(struct doc *doc, const struct page *page)
{
	struct family f = { .doc = doc, .name = "krmirror_groups", .type = "gauge",
			    .help = "Consumer groups that the link's filters take, by state; the group's leader tells." };

	for (int i = 0; page->leader && i < page->n_links; i++)
		for (int s = 0; s < GROUP_STATES; s++)
			if (page->links[i].told.groups[s] >= 0)
				family_number(&f, LABELS({ "link", page->links[i].name },
							 { "state", group_state_word((enum group_state)s) }),
					      (uint64_t)page->links[i].told.groups[s]);
}

static int64_t age(const struct page_link *link, enum task_kind kind, int64_t wall_ms)
{
	int64_t then = link->told.good_wall_ms[kind];

	return then > 0 ? MAX(wall_ms - then, 0) : -1;
}

static void ages(struct doc *doc, const struct page *page, int64_t wall_ms)
{
	struct family sync = { .doc = doc, .name = "krmirror_group_sync_age_seconds", .type = "gauge",
			       .help = "Since offsets of consumer groups were last kept in step without an error." };
	struct family f = { .doc = doc, .name = "krmirror_task_age_seconds", .type = "gauge",
			    .help = "Since the sync task last ran without an error; absent before the first." };

	for (int i = 0; page->leader && i < page->n_links; i++)
		family_seconds(&sync, LABELS({ "link", page->links[i].name }),
			       age(&page->links[i], TASK_CONSUMER_OFFSET_SYNC, wall_ms));
	for (int i = 0; page->leader && i < page->n_links; i++)
		for (int k = 0; k < TASK_KINDS; k++)
			family_seconds(&f, LABELS({ "link", page->links[i].name }, { "task", task_name((enum task_kind)k) }),
				       age(&page->links[i], (enum task_kind)k, wall_ms));
}

/* ---- what holds partitions up ---- */

static bool waits_for_source(const struct page_link *link, const struct page_partition *part, int64_t wall_ms)
{
	const struct lane_status *s = part->lane;
	bool open = s != NULL && part->state != LANE_FAILED && part->state != LANE_PAUSED && part->state != LANE_STOPPED;
	bool copies = part->state == LANE_ALIGNED || part->state == LANE_COPYING;

	if (!open || s->rate_held)
		return false;
	if (link->contact_wall_ms <= 0 || wall_ms - link->contact_wall_ms >= link->stale_ms)
		return true;
	/* what has records to append may be out of the fetch because of the destination */
	return copies && s->oldest_timestamp < 0 && s->answered_wall_ms > 0 && wall_ms - s->answered_wall_ms >= QUIET_MS;
}

static void held_up(struct doc *doc, const struct page *page, int64_t wall_ms)
{
	struct family behind = { .doc = doc, .name = "krmirror_dest_under_replicated_partitions", .type = "gauge",
				 .help = "Partitions of this worker of which a replica at the destination is not in sync." };
	struct family blocked = { .doc = doc, .name = "krmirror_blocked_on_source_partitions", .type = "gauge",
				  .help = "Partitions of this worker that nothing holds up but a source that does not answer." };
	uint64_t *n = xcalloc((size_t)page->n_links + 1, 2 * sizeof(*n));

	for (int m = 0; m < page->n_mirrors; m++) {
		const struct page_mirror *mirror = &page->mirrors[m];
		const struct page_link *link = page_link_of(page, mirror->link);

		for (int32_t p = 0; link != NULL && p < mirror->n_partitions; p++) {
			const struct lane_status *s = mirror->partitions[p].lane;

			n[2 * (link - page->links)] += s != NULL && s->under_replicated;
			n[2 * (link - page->links) + 1] += waits_for_source(link, &mirror->partitions[p], wall_ms);
		}
	}
	for (int i = 0; i < page->n_links; i++)
		family_number(&behind, LABELS({ "link", page->links[i].name }), n[2 * i]);
	for (int i = 0; i < page->n_links; i++)
		family_number(&blocked, LABELS({ "link", page->links[i].name }), n[2 * i + 1]);
	xfree(n);
}

void metrics_links(struct doc *doc, const struct page *page, int64_t wall_ms)
{
	for (size_t i = 0; i < ARRAY_LEN(tallies); i++)
		put_tally(doc, page, &tallies[i]);
	transitions(doc, page);
	skipped(doc, page);
	groups(doc, page);
	ages(doc, page, wall_ms);
	held_up(doc, page, wall_ms);
}
