/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.fetch.rate.limit is the link's, whoever copies: each data loop of each worker has the part of it that its lanes
 * are of all lanes of the link. Nobody asks anybody for it: all know all mirrors, and so the whole. */
#include "krmirrord/worker.h"

#include "base/mem.h"

struct lanes_of {
	int64_t all, here;   /* that are copied: of the link, and on one data loop of this worker */
};

static struct lanes_of count(const struct worker *worker, const struct link_row *link, int loop)
{
	struct lanes_of n = { 0 };

	for (int i = 0; i < worker->model.n_mirrors; i++) {
		const struct mirror_row *row = worker->model.mirrors[i];

		if (row->link_row != link || row->want != WANT_COPY)
			continue;
		n.all += row->n_lanes;
		for (int32_t p = 0; p < row->n_lanes; p++)
			n.here += row->lanes[p].held == HELD_OPEN &&
				  share_loop(worker->n_mirrors, row->link, row->topic, p) == loop;
	}
	return n;
}

/* At least a byte: 0 is no limit. */
static int64_t part(int64_t limit, const struct lanes_of *n)
{
	int64_t each = limit / MAX(n->all, INT64_C(1));

	return MAX(each * n->here + limit % MAX(n->all, INT64_C(1)) * n->here / MAX(n->all, INT64_C(1)), INT64_C(1));
}

static void apply(struct worker *worker, struct link_row *link)
{
	bool first = link->rates == NULL;

	if (first)
		link->rates = xcalloc((size_t)worker->n_mirrors, sizeof(*link->rates));
	for (int i = 0; i < worker->n_mirrors; i++) {
		struct lanes_of n = count(worker, link, i);
		int64_t rate = part(link->conf.rate_limit, &n);

		if (!first && link->rates[i] == rate)
			continue;
		link->rates[i] = rate;
		mirror_link_rate(worker->mirrors[i], link->name, rate);
	}
}

void rates_apply(struct worker *worker)
{
	for (int i = 0; i < worker->model.n_links; i++) {
		struct link_row *link = worker->model.links[i];

		if (link->opened && link->usable && link->conf.rate_limit > 0)
			apply(worker, link);
	}
}
