/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/status.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/json_values.h"

#include <string.h>

enum { STUCK_MS = 5000 };

/* ---- pieces ---- */

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static const char *topic_error(const struct page_mirror *m)
{
	for (int32_t p = 0; p < m->n_partitions; p++)
		if (m->partitions[p].reason != REASON_NONE)
			return lane_reason_name(m->partitions[p].reason);
	return NULL;
}

/* What the last answers of both sides said, whatever came of the source since. */
static void set_offsets(json_t *object, const struct lane_status *s)
{
	static const struct lane_status none = {
		.last_source_fetch_offset = -1, .source_log_start_offset = -1, .source_high_watermark = -1,
		.source_last_stable_offset = -1, .local_log_start_offset = -1, .local_log_end_offset = -1,
	};

	if (s == NULL)
		s = &none;
	set(object, "last_source_fetch_offset", json_known(s->last_source_fetch_offset));
	set(object, "source_log_start_offset", json_known(s->source_log_start_offset));
	set(object, "source_high_watermark", json_known(s->source_high_watermark));
	set(object, "source_last_stable_offset", json_known(s->source_last_stable_offset));
	set(object, "local_log_start_offset", json_known(s->local_log_start_offset));
	set(object, "local_log_end_offset", json_known(s->local_log_end_offset));
}

/* One that has ended since is not told. */
static json_t *transaction_json(const struct page_partition *part, int64_t wall_ms)
{
	const struct lane_transaction *t = &part->transaction;

	if (part->lane == NULL || t->producer_id < 0 || part->lane->source_last_stable_offset != t->stable)
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "producer_id", (json_int_t)t->producer_id, "first_offset",
			 (json_int_t)t->first_offset, "age_ms", (json_int_t)MAX(wall_ms - t->last_ms, 0));
}

static json_t *partition_json(const struct page *page, const struct page_mirror *m, int32_t p, int64_t wall_ms)
{
	const struct page_partition *part = &m->partitions[p];
	const struct lane_status *s = part->lane;
	json_t *object = json_object();
	struct page_lag lag;

	page_lag(page, m, p, wall_ms, &lag);
	set(object, "link_name", json_text(m->link));
	set(object, "mirror_topic_name", json_text(m->topic));
	set(object, "source_topic_name", json_text(m->source_topic));
	set(object, "mirror_status", json_text(mirror_status_name(m->status)));
	set(object, "mirror_topic_error", json_text(topic_error(m)));
	set(object, "status_time_ms", json_known(m->status_time_ms));
	set(object, "partition", json_integer(p));
	set(object, "state", json_text(lane_state_name(part->state)));
	set(object, "reason", json_text(lane_reason_name(part->reason)));
	set(object, "error", json_text(part->error));
	set(object, "partition_mirror_lag", json_known(lag.stable_records));
	set(object, "lag_ms", json_known(lag.lag_ms));
	set(object, "rpo_ms", json_known(lag.rpo_ms));
	set(object, "open_transaction", transaction_json(part, wall_ms));
	set_offsets(object, s);
	set(object, "time_since_last_fetch_ms", json_known(lag.fetch_ms));
	set(object, "time_since_last_append_ms", json_known(lag.append_ms));
	set(object, "filled_offsets", s != NULL ? json_integer((json_int_t)s->counts.filled) : json_null());
	set(object, "tombstone_offsets", s != NULL ? json_integer((json_int_t)s->counts.tombstones) : json_null());
	set(object, "coalesced_batches", s != NULL ? json_integer((json_int_t)s->counts.coalesced) : json_null());
	return object;
}

static json_t *link_json(const struct page *page, const struct page_link *l, int64_t wall_ms)
{
	json_t *object = json_object();
	int64_t max_lag = -1, failed = 0, mirrors = 0;
	struct page_lag lag;

	for (int i = 0; i < page->n_mirrors; i++) {
		const struct page_mirror *m = &page->mirrors[i];

		if (strcmp(m->link, l->name) != 0)
			continue;
		mirrors++;
		failed += m->n_failed;
		for (int32_t p = 0; p < m->n_partitions; p++) {
			page_lag(page, m, p, wall_ms, &lag);
			max_lag = MAX(max_lag, lag.stable_records);
		}
	}
	set(object, "link_name", json_text(l->name));
	set(object, "state", json_text(link_state_name(l->state)));
	set(object, "error", json_text(l->error));
	set(object, "error_message", json_text(l->error_message));
	set(object, "mirrors", json_integer(mirrors));
	set(object, "failed_partitions", json_integer(failed));
	set(object, "max_lag", json_known(max_lag));
	set(object, "last_contact_ms", json_known(l->contact_wall_ms > 0 ? MAX(wall_ms - l->contact_wall_ms, 0) : -1));
	set(object, "next", failed > 0 || l->state == LINK_FAILED || l->state == LINK_UNAVAILABLE ?
			    json_sprintf("krmirror link describe %s", l->name) : json_null());
	return object;
}

static json_t *self_json(const struct page *page)
{
	json_t *object = json_object();

	set(object, "worker_id", json_text(page->worker_id));
	set(object, "version", json_text(PACKAGE_VERSION));
	set(object, "address", json_text(page->address));
	set(object, "host", json_text(page->host));
	set(object, "engine", json_text(page->engine));
	set(object, "engine_why", json_text(page->engine_why));
	set(object, "started_ms", json_integer(page->started_ms));
	set(object, "leader", json_boolean(page->leader));
	set(object, "ready", json_boolean(page->not_ready[0] == '\0'));
	set(object, "not_ready", json_text(page->not_ready[0] != '\0' ? page->not_ready : NULL));
	return object;
}

static json_t *workers_json(const struct page *page)
{
	json_t *array = json_array();

	for (int i = 0; i < page->n_workers; i++) {
		json_t *object = json_object();

		set(object, "worker_id", json_text(page->workers[i].id));
		set(object, "version", json_text(page->workers[i].version));
		set(object, "address", json_text(page->workers[i].address));
		set(object, "live", json_boolean(page->workers[i].live));
		json_array_append_new(array, object);
	}
	return array;
}

static int take_bytes(const char *data, size_t len, void *owner)
{
	doc_add_bytes(owner, data, len);
	return 0;
}

void status_write(struct doc *doc, const struct page *page, int64_t wall_ms)
{
	json_t *document = json_object(), *links = json_array(), *partitions = json_array();

	set(document, "destination_cluster", json_text(page->destination));
	set(document, "control_topic", json_text(page->control_topic));
	set(document, "worker", self_json(page));
	set(document, "workers", workers_json(page));
	for (int i = 0; i < page->n_links; i++)
		json_array_append_new(links, link_json(page, &page->links[i], wall_ms));
	for (int i = 0; i < page->n_mirrors; i++)
		for (int32_t p = 0; p < page->mirrors[i].n_partitions; p++)
			if (page->mirrors[i].partitions[p].mine)
				json_array_append_new(partitions, partition_json(page, &page->mirrors[i], p, wall_ms));
	set(document, "links", links);
	set(document, "partitions", partitions);
	json_dump_callback(document, take_bytes, doc, JSON_COMPACT);
	doc_add(doc, "\n");
	json_decref(document);
}

/* ---- health ---- */

bool status_healthy(struct doc *doc, const struct page *page, int64_t now_ns)
{
	int64_t age_ms = page != NULL ? (now_ns - page->published_ns) / NS_PER_MS : 0;
	bool good = true;

	if (age_ms > STUCK_MS) {   /* then nothing is known of the others */
		doc_add(doc, "the control thread has not turned for %lld ms\n", (long long)age_ms);
		return false;
	}
	for (int i = 0; page != NULL && i < page->n_loops; i++) {
		age_ms = (now_ns - page->loops[i]->published_ns) / NS_PER_MS;
		/* it has just been made: its first snapshot is under way */
		if (page->loops[i]->published_ns == 0 || age_ms <= STUCK_MS)
			continue;
		doc_add(doc, "data loop %d has not turned for %lld ms\n", i, (long long)age_ms);
		good = false;
	}
	if (good)
		doc_add(doc, "ok\n");
	return good;
}

bool status_ready(struct doc *doc, const struct page *page)
{
	bool ready = page != NULL && page->not_ready[0] == '\0';

	doc_add(doc, "%s\n", ready ? "ok" : page != NULL ? page->not_ready : "it has just been started");
	return ready;
}
