/* SPDX-License-Identifier: Apache-2.0 */
/* Older records of links that somebody has written into the control log again: told, and with the link's key the good
 * record is written again behind them by the group's leader. Not more often than somebody has to be told. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/links.h"

enum { DEADLINE_MS = 10000, SPACING_MS = 10000 };

static void tell(struct link_row *row, const struct control_record *record)
{
	if (row->copy_told == record->copy_offset)
		return;
	row->copy_told = record->copy_offset;
	log_error("link", "somebody has written an older record of it again; it is not used",
		  "link=%s reason=REPLAYED_RECORD offset=%lld record=%lld hint=" LOG_Q, row->name,
		  (long long)record->copy_offset, (long long)record->offset, "find out who may write to the control log");
}

static void mend(struct worker *worker, struct link_row *row)
{
	struct err err;

	row->mend_ns = worker_deadline(SPACING_MS);
	worker->session.deadline_ns = worker_deadline(DEADLINE_MS);
	if (link_mend(&worker->session, row->name, &err) != OUTCOME_DONE)
		log_warn("link", "its record could not be written again behind an older one; trying again",
			 "link=%s error=" ERR_PAIRS, row->name, ERR_ARGS(err));
}

void copies_work(struct worker *worker)
{
	const struct control_record *record = NULL;

	while ((record = control_log_next(worker->session.log, RECORD_LINK, record)) != NULL) {
		struct link_row *row = record->copy_offset < 0 ? NULL : model_link(&worker->model, record->name);

		if (row == NULL)
			continue;
		tell(row, record);
		if (!row->usable || row->stale || worker->conf->secret_key == NULL || clock_mono_ns() < row->mend_ns ||
		    !member_leads(worker))
			continue;
		mend(worker, row);
		return;   /* the view has changed */
	}
}
