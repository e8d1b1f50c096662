/* SPDX-License-Identifier: Apache-2.0 */
/* A link that was recorded without asking does not say which cluster its source is. The first one that a worker reaches
 * is from then on: a name that leads elsewhere later is SOURCE_CLUSTER_ID_CHANGED, as for any other link. */
#include "control/links.h"

#include "control/seal.h"

struct pinning {
	const struct link_wish *seen;
	const char *source_cluster;
	const struct secret_key *key;
};

static enum outcome pin_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct pinning *pinning = arg;
	struct props props = { 0 };
	struct link_wish wish;
	enum seal_fault fault;
	int rc = control_log_link(log, pinning->seen->name, &wish, err);

	if (rc == RC_OK)
		rc = link_unseal(&wish, pinning->key, &props, &fault, err);
	/* Other settings may lead elsewhere. Signed, and without the key: a record of ours would not be used by those who
	 * have it. */
	if (rc == RC_OK && wish.source_cluster_id == NULL && wish.offset == pinning->seen->offset &&
	    (wish.mac == NULL || pinning->key != NULL)) {
		record_set(&wish.source_cluster_id, pinning->source_cluster);
		control_batch_link_anew(log, batch, &wish, pinning->key);
	}
	props_fini(&props);
	link_wish_fini(&wish);
	return rc == RC_OK ? OUTCOME_DONE : OUTCOME_FAILED;
}

enum outcome link_pin(struct session *session, const struct link_wish *seen, const char *source_cluster, bool *recorded,
		      struct err *err)
{
	struct pinning pinning = { seen, source_cluster, session->conf->secret_key };

	return control_log_update(session->log, pin_decide, &pinning, session->deadline_ns, recorded, err);
}
