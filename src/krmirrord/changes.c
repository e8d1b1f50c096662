/* SPDX-License-Identifier: Apache-2.0 */
/* One line of the log for each change of a link's state and of a mirror's status, as this worker sees them. Those of
 * partitions are told by the data loops. */
#include "krmirrord/worker.h"

#include "base/log.h"

static bool is_bad(enum link_state_kind state)
{
	return state == LINK_UNAVAILABLE || state == LINK_FAILED;
}

static void tell_link(struct link_row *row)
{
	enum link_state_kind state = plan_link_state(&row->plan);
	const char *error = state == LINK_FAILED ? row->error.text : row->source_error.text;

	if (row->state_told && row->told_state == state)
		return;
	if (row->state_told || is_bad(state))
		log_at(is_bad(state) ? LOG_WARN : LOG_INFO, "link", "state", "link=%s from=%s to=%s error=" LOG_Q, row->name,
		       row->state_told ? link_state_name(row->told_state) : "-", link_state_name(state),
		       is_bad(state) ? error : "");
	row->state_told = true;
	row->told_state = state;
}

static void tell_mirror(struct mirror_row *row)
{
	enum mirror_status status = mirror_row_status(row);

	if (row->status_told && row->told_status == status)
		return;
	if (row->status_told)
		log_at(status == MIRROR_FAILED || status == MIRROR_LINK_FAILED ? LOG_WARN : LOG_INFO, "mirror", "state",
		       "link=%s topic=%s from=%s to=%s failed_partitions=%d", row->link, row->topic,
		       mirror_status_name(row->told_status), mirror_status_name(status), (int)row->plan.n_failed);
	row->status_told = true;
	row->told_status = status;
}

void changes_tell(struct worker *worker)
{
	for (int i = 0; i < worker->model.n_links; i++)
		if (worker->model.links[i]->present)
			tell_link(worker->model.links[i]);
	for (int i = 0; i < worker->model.n_mirrors; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		if (row->present && row->readable && row->wish.created)
			tell_mirror(row);
	}
}
