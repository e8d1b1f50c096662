/* SPDX-License-Identifier: Apache-2.0 */
/* An older record of a link that was written again is passed over, but it stands last, and compaction would keep it in
 * place of the good one. So the good one is written again behind it, with where the other stood. */
#include "control/links.h"

#include "control/seal.h"

struct mending {
	const char *name;
	const struct secret_key *key;
};

static enum outcome mend_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct mending *mending = arg;
	struct props props = { 0 };
	struct link_wish wish;
	enum seal_fault fault;
	int rc = control_log_link(log, mending->name, &wish, err);

	if (rc == RC_OK)
		rc = link_unseal(&wish, mending->key, &props, &fault, err);
	if (rc == RC_OK && wish.at >= 0 && wish.copy_offset > wish.offset) {
		wish.replayed = wish.copy_offset;
		wish.replayed_ms = wish.copy_ms;
		control_batch_link_anew(log, batch, &wish, mending->key);
	}
	props_fini(&props);
	link_wish_fini(&wish);
	return rc == RC_OK ? OUTCOME_DONE : OUTCOME_FAILED;
}

enum outcome link_mend(struct session *session, const char *name, struct err *err)
{
	struct mending mending = { name, session->conf->secret_key };

	return control_log_update(session->log, mend_decide, &mending, session->deadline_ns, NULL, err);
}
