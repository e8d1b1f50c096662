/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "client/group_share.h"
#include "mirror/mirror.h"

void mirror_counts_init(struct mirror_counts *counts)
{
	*counts = (struct mirror_counts){ 0 };
	totals_init(&counts->totals);
}

void mirror_counts_fini(struct mirror_counts *counts)
{
	totals_fini(&counts->totals);
}

static void move_topic(const struct topic_totals *topic, struct mirror_counts *to, int n_to)
{
	for (int32_t p = 0; p < topic->n; p++)
		lane_counts_add(totals_lane(&to[share_loop(n_to, topic->link, topic->topic, p)].totals, topic->link,
					    topic->topic, p), &topic->gone[p]);
}

void mirror_counts_move(struct mirror_counts *from, int n, struct mirror_counts *to, int n_to)
{
	struct list *pos;

	for (int i = 0; i < n; i++) {
		list_each(pos, &from[i].totals.topics)
			move_topic(list_entry(pos, struct topic_totals, node_), to, n_to);
		list_each(pos, &from[i].totals.links) {
			const struct link_totals *link = list_entry(pos, struct link_totals, node_);

			client_counts_add(&totals_link(&to[0].totals, link->name)->client, &link->client);
		}
		client_counts_add(&to[0].destination, &from[i].destination);
		if (i < n_to)
			to[i].cpu_ns += from[i].cpu_ns;
		mirror_counts_fini(&from[i]);
		mirror_counts_init(&from[i]);
	}
}
