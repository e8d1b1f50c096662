/* SPDX-License-Identifier: Apache-2.0 */
/* Links that were recorded without asking (link create --no-validate): the group's leader records which cluster the source
 * is, once it has answered. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/links.h"

enum { DEADLINE_MS = 10000, SPACING_MS = 10000 };

static bool is_due(const struct link_row *row)
{
	return row->present && row->usable && !row->stale && !row->plan.failed && row->source != NULL &&
	       row->wish.source_cluster_id == NULL && cluster_id(row->source)[0] != '\0' && clock_mono_ns() >= row->pin_ns;
}

static void pin(struct worker *worker, struct link_row *row)
{
	const char *id = cluster_id(row->source);
	bool recorded = false;
	struct err err;

	row->pin_ns = worker_deadline(SPACING_MS);
	worker->session.deadline_ns = worker_deadline(DEADLINE_MS);
	if (link_pin(&worker->session, &row->wish, id, &recorded, &err) != OUTCOME_DONE)
		log_warn("link", "its source could not be recorded; trying again", "link=%s source=%s error=" ERR_PAIRS,
			 row->name, id, ERR_ARGS(err));
	else if (recorded)
		log_info("link", "its source is recorded", "link=%s source=%s", row->name, id);
}

void pins_work(struct worker *worker)
{
	if (!member_leads(worker))
		return;
	for (int i = 0; i < worker->model.n_links; i++)
		if (is_due(worker->model.links[i])) {
			pin(worker, worker->model.links[i]);
			return;   /* the view has changed */
		}
}
