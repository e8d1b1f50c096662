/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/totals.h"

#include "base/mem.h"

#include <string.h>

void totals_init(struct totals *totals)
{
	list_init(&totals->links);
	list_init(&totals->topics);
}

void totals_fini(struct totals *totals)
{
	for (struct list *n = list_pop(&totals->links); n != NULL; n = list_pop(&totals->links)) {
		struct link_totals *link = list_entry(n, struct link_totals, node_);

		xfree(link->name);
		xfree(link);
	}
	for (struct list *n = list_pop(&totals->topics); n != NULL; n = list_pop(&totals->topics)) {
		struct topic_totals *topic = list_entry(n, struct topic_totals, node_);

		xfree(topic->link);
		xfree(topic->topic);
		xfree(topic->gone);
		xfree(topic);
	}
}

struct link_totals *totals_link(struct totals *totals, const char *name)
{
	struct link_totals *link;
	struct list *pos;

	list_each(pos, &totals->links) {
		link = list_entry(pos, struct link_totals, node_);
		if (strcmp(link->name, name) == 0)
			return link;
	}
	link = xcalloc(1, sizeof(*link));
	link->name = xstrdup(name);
	list_push_back(&totals->links, &link->node_);
	return link;
}

static struct topic_totals *topic_of(struct totals *totals, const char *link, const char *name)
{
	struct topic_totals *topic;
	struct list *pos;

	list_each(pos, &totals->topics) {
		topic = list_entry(pos, struct topic_totals, node_);
		if (strcmp(topic->topic, name) == 0 && strcmp(topic->link, link) == 0)
			return topic;
	}
	topic = xcalloc(1, sizeof(*topic));
	topic->link = xstrdup(link);
	topic->topic = xstrdup(name);
	list_push_back(&totals->topics, &topic->node_);
	return topic;
}

struct lane_counts *totals_lane(struct totals *totals, const char *link, const char *name, int32_t partition)
{
	struct topic_totals *topic = topic_of(totals, link, name);

	if (partition >= topic->n) {
		topic->gone = xrealloc(topic->gone, (size_t)partition + 1, sizeof(*topic->gone));
		memset(&topic->gone[topic->n], 0, (size_t)(partition + 1 - topic->n) * sizeof(*topic->gone));
		topic->n = partition + 1;
	}
	return &topic->gone[partition];
}

struct lane_counts totals_take(struct totals *totals, const char *link, const char *topic, int32_t partition)
{
	struct lane_counts *left = totals_lane(totals, link, topic, partition), taken = *left;

	*left = (struct lane_counts){ 0 };
	return taken;
}

void lane_counts_add(struct lane_counts *c, const struct lane_counts *more)
{
	c->fetched_bytes += more->fetched_bytes;
	c->fetched_records += more->fetched_records;
	c->fetched_batches += more->fetched_batches;
	c->written_bytes += more->written_bytes;
	c->written_records += more->written_records;
	c->written_batches += more->written_batches;
	c->filled += more->filled;
	c->tombstones += more->tombstones;
	c->coalesced += more->coalesced;
}
