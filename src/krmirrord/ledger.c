/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/ledger.h"

#include "base/mem.h"

#include <string.h>

void ledger_fini(struct ledger *ledger)
{
	for (int i = 0; i < ledger->n_links; i++)
		xfree(ledger->links[i].name);
	for (int i = 0; i < ledger->n_loops; i++)
		mirror_counts_fini(&ledger->loops[i]);
	xfree(ledger->links);
	xfree(ledger->loops);
	*ledger = (struct ledger){ 0 };
}

struct tally *ledger_link(struct ledger *ledger, const char *link)
{
	struct ledger_link *made;

	for (int i = 0; i < ledger->n_links; i++)
		if (strcmp(ledger->links[i].name, link) == 0)
			return &ledger->links[i].tally;
	ledger->links = xrealloc(ledger->links, (size_t)ledger->n_links + 1, sizeof(*ledger->links));
	made = &ledger->links[ledger->n_links++];
	*made = (struct ledger_link){ .name = xstrdup(link) };
	return &made->tally;
}

void ledger_loops(struct ledger *ledger, int n)
{
	struct mirror_counts *loops;

	if (n == ledger->n_loops)
		return;
	loops = xcalloc((size_t)n, sizeof(*loops));
	for (int i = 0; i < n; i++)
		mirror_counts_init(&loops[i]);
	mirror_counts_move(ledger->loops, ledger->n_loops, loops, n);
	for (int i = 0; i < ledger->n_loops; i++)
		mirror_counts_fini(&ledger->loops[i]);
	xfree(ledger->loops);
	ledger->loops = loops;
	ledger->n_loops = n;
}
