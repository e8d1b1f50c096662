/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/metrics.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

/* ---- the worker ---- */

static void gauge(struct doc *doc, const char *name, const char *help, int64_t value)
{
	struct family f = { .doc = doc, .name = name, .type = "gauge", .help = help };

	if (value >= 0)
		family_number(&f, NULL, (uint64_t)value);
}

static void worker(struct doc *doc, const struct page *page)
{
	struct family info = { .doc = doc, .name = "krmirror_worker_info", .type = "gauge",
			       .help = "Always 1: who this worker is." };
	struct family start = { .doc = doc, .name = "krmirror_worker_start_time_seconds", .type = "gauge",
				.help = "When the worker started, in seconds since 1970." };

	family_number(&info, LABELS({ "worker_id", page->worker_id }, { "version", PACKAGE_VERSION },
				    { "engine", page->engine }, { "destination_cluster", page->destination },
				    { "control_topic", page->control_topic }), 1);
	family_seconds(&start, NULL, page->started_ms);
	gauge(doc, "krmirror_worker_ready", "1 when the control log is read and the worker has its part.",
	      page->not_ready[0] == '\0');
	gauge(doc, "krmirror_worker_leader", "1 on the worker that leads the group.", page->leader);
	gauge(doc, "krmirror_workers", "Members of the workers' group, by the newest assignment; absent before the first.",
	      page->n_members > 0 ? page->n_members : -1);
	gauge(doc, "krmirror_control_log_foreign_records", "Records of the control log that are not krmirror's.", page->foreign);
}

static void loops(struct doc *doc, const struct page *page)
{
	struct family used = { .doc = doc, .name = "krmirror_buffer_used_bytes", .type = "gauge",
			       .help = "Data in flight on a data loop." };
	struct family limit = { .doc = doc, .name = "krmirror_buffer_limit_bytes", .type = "gauge",
				.help = "What buffer.memory gives the data loop for it." };
	struct family cpu = { .doc = doc, .name = "krmirror_loop_cpu_seconds_total", .type = "counter",
			      .help = "Processor time of a data loop's thread." };
	char number[16];

	for (int i = 0; i < page->n_loops; i++) {
		snprintf(number, sizeof(number), "%d", i);
		family_number(&used, LABELS({ "loop", number }), page->loops[i]->buffer_used);
	}
	for (int i = 0; i < page->n_loops; i++) {
		snprintf(number, sizeof(number), "%d", i);
		family_number(&limit, LABELS({ "loop", number }), page->loops[i]->buffer_budget);
	}
	for (int i = 0; i < page->n_loops; i++) {
		snprintf(number, sizeof(number), "%d", i);
		family_real(&cpu, LABELS({ "loop", number }), (double)page->loops[i]->cpu_ns / 1e9);
	}
}

/* ---- links ---- */

static void link_states(struct doc *doc, const struct page *page)
{
	struct family f = { .doc = doc, .name = "krmirror_link_state", .type = "gauge",
			    .help = "1 for the state that the link is in, as this worker sees it." };

	for (int i = 0; i < page->n_links; i++)
		for (int s = LINK_ACTIVE; s <= LINK_FAILED && !page->links[i].inbound; s++)   /* those dial nothing */
			family_number(&f, LABELS({ "link", page->links[i].name },
						 { "state", link_state_name((enum link_state_kind)s) }),
				      (int)page->links[i].state == s);
}

static int64_t destination_contact(const struct page *page)
{
	int64_t contact = 0;

	for (int i = 0; i < page->n_loops; i++)
		contact = MAX(contact, page->loops[i]->destination_contact_wall_ms);
	return contact;
}

static void contacts(struct doc *doc, const struct page *page, int64_t wall_ms)
{
	struct family f = { .doc = doc, .name = "krmirror_link_last_contact_seconds", .type = "gauge",
			    .help = "Since the last answer of the side to anything; absent before the first." };
	int64_t destination = MAX(destination_contact(page), page->destination_contact_wall_ms);

	for (int i = 0; i < page->n_links; i++) {
		const struct page_link *l = &page->links[i];

		if (l->contact_wall_ms > 0)
			family_seconds(&f, LABELS({ "link", l->name }, { "side", "source" }),
				       MAX(wall_ms - l->contact_wall_ms, 0));
		if (destination > 0)
			family_seconds(&f, LABELS({ "link", l->name }, { "side", "destination" }),
				       MAX(wall_ms - destination, 0));
	}
}

static void mirror_states(struct doc *doc, const struct page *page)
{
	struct family f = { .doc = doc, .name = "krmirror_mirror_topics", .type = "gauge",
			    .help = "Mirror topics of the link by status; every worker tells all." };

	for (int i = 0; i < page->n_links; i++)
		for (int s = MIRROR_ACTIVE; s <= MIRROR_STOPPED; s++) {
			uint64_t n = 0;

			for (int m = 0; m < page->n_mirrors; m++)
				n += (int)page->mirrors[m].status == s &&
				     strcmp(page->mirrors[m].link, page->links[i].name) == 0;
			family_number(&f, LABELS({ "link", page->links[i].name },
						 { "state", mirror_status_name((enum mirror_status)s) }), n);
		}
}

static void partition_states(struct doc *doc, const struct page *page)
{
	struct family f = { .doc = doc, .name = "krmirror_mirror_partitions", .type = "gauge",
			    .help = "Partitions of this worker by state." };

	for (int i = 0; i < page->n_links; i++) {
		uint64_t n[LANE_FAILED + 1] = { 0 };

		for (int m = 0; m < page->n_mirrors; m++) {
			const struct page_mirror *mirror = &page->mirrors[m];

			for (int32_t p = 0; strcmp(mirror->link, page->links[i].name) == 0 && p < mirror->n_partitions; p++)
				n[mirror->partitions[p].state] += mirror->partitions[p].mine;
		}
		for (int s = 0; s <= LANE_FAILED; s++)
			family_number(&f, LABELS({ "link", page->links[i].name },
						 { "state", lane_state_name((enum lane_state)s) }), n[s]);
	}
}

/* DATA_LOSS stands though the partition goes on. */
static void failures(struct doc *doc, const struct page *page)
{
	struct family f = { .doc = doc, .name = "krmirror_failed_partitions", .type = "gauge",
			    .help = "Partitions of this worker that have a reason, by topic; absent when none has." };

	for (int m = 0; m < page->n_mirrors; m++) {
		const struct page_mirror *mirror = &page->mirrors[m];
		uint64_t n[REASON_LAST] = { 0 };

		for (int32_t p = 0; p < mirror->n_partitions; p++)
			n[mirror->partitions[p].reason] += mirror->partitions[p].mine;
		for (int r = REASON_NONE + 1; r < REASON_LAST; r++)
			if (n[r] > 0)
				family_number(&f, LABELS({ "link", mirror->link }, { "topic", mirror->topic },
							 { "reason", lane_reason_name((enum lane_reason)r) }), n[r]);
	}
}

static void rate_limited(struct doc *doc, const struct page *page)
{
	struct family f = { .doc = doc, .name = "krmirror_rate_limited_partitions", .type = "gauge",
			    .help = "Partitions of this worker that mirror.fetch.rate.limit holds back." };

	for (int i = 0; i < page->n_links; i++) {
		uint64_t n = 0;

		for (int l = 0; l < page->n_loops; l++)
			for (int k = 0; k < page->loops[l]->n_lanes; k++)
				n += page->loops[l]->lanes[k].rate_held &&
				     strcmp(page->loops[l]->lanes[k].link, page->links[i].name) == 0;
		family_number(&f, LABELS({ "link", page->links[i].name }), n);
	}
}

/* ---- tasks ---- */

static void tasks(struct doc *doc, const struct page *page)
{
	struct family states = { .doc = doc, .name = "krmirror_task_state", .type = "gauge",
				 .help = "1 for the state that the sync task is in; the group's leader tells." };
	struct family errors = { .doc = doc, .name = "krmirror_task_errors_total", .type = "counter",
				 .help = "Errors of runs of sync tasks on this worker, by code." };

	for (int i = 0; page->leader && i < page->n_links; i++)
		for (int k = 0; k < TASK_KINDS; k++)
			for (int s = TASK_ACTIVE; s <= TASK_LINK_FAILED; s++)
				family_number(&states, LABELS({ "link", page->links[i].name },
							      { "task", task_name((enum task_kind)k) },
							      { "state", task_state_name((enum task_state)s) }),
					      (int)page->links[i].tasks[k] == s);
	for (int c = 0; c < TASK_CODES; c++)
		family_number(&errors, LABELS({ "code", task_code_name((enum task_code)c) }), page->task_errors[c]);
}

/* ---- clients ---- */

static void put_errors(struct family *f, const char *side, const char *link, const struct client_counts *counts)
{
	for (int i = 0; i < counts->n_errors; i++)
		family_number(f, LABELS({ "side", side }, { "link", link }, { "api", counts->errors[i].api },
					{ "code", counts->errors[i].code }), counts->errors[i].n);
}

/* All data loops together. */
static void sum_link(const struct page *page, const char *name, struct client_counts *sum)
{
	for (int l = 0; l < page->n_loops; l++)
		for (int k = 0; k < page->loops[l]->n_link_counts; k++)
			if (strcmp(page->loops[l]->link_counts[k].name, name) == 0)
				client_counts_add(sum, &page->loops[l]->link_counts[k].client);
}

static void clients(struct doc *doc, const struct page *page)
{
	struct family errors = { .doc = doc, .name = "krmirror_client_errors_total", .type = "counter",
				 .help = "Calls and partitions of calls that failed, by API and code." };
	struct family throttle = { .doc = doc, .name = "krmirror_throttle_seconds_total", .type = "counter",
				   .help = "How long brokers asked for quiet, by their quotas." };
	struct client_counts destination = page->control;

	for (int l = 0; l < page->n_loops; l++)
		client_counts_add(&destination, &page->loops[l]->destination);
	put_errors(&errors, "destination", NULL, &destination);
	for (int i = 0; i < page->n_links; i++) {
		struct client_counts source = { 0 };

		sum_link(page, page->links[i].name, &source);
		put_errors(&errors, "source", page->links[i].name, &source);
	}
	family_seconds(&throttle, LABELS({ "side", "destination" }), (int64_t)destination.throttle_ms);
	for (int i = 0; i < page->n_links; i++) {
		struct client_counts source = { 0 };

		sum_link(page, page->links[i].name, &source);
		family_seconds(&throttle, LABELS({ "side", "source" }, { "link", page->links[i].name }),
			       (int64_t)source.throttle_ms);
	}
}

void metrics_write(struct doc *doc, const struct page *page, int64_t wall_ms)
{
	metrics_process(doc);
	if (page == NULL)
		return;
	worker(doc, page);
	loops(doc, page);
	link_states(doc, page);
	contacts(doc, page, wall_ms);
	mirror_states(doc, page);
	partition_states(doc, page);
	failures(doc, page);
	rate_limited(doc, page);
	metrics_lanes(doc, page, wall_ms);
	tasks(doc, page);
	metrics_links(doc, page, wall_ms);
	metrics_reports(doc, page);
	clients(doc, page);
}
