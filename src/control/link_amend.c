/* SPDX-License-Identifier: Apache-2.0 */
/* What workers write into the record of a link: the same settings, in a new record.
 *
 * Mended: an older record of a link that was written again is passed over, but it stands last, and compaction would keep it
 * in place of the good one. So the good one is written again behind it, with where the other stood.
 *
 * Pinned: a link that was recorded without asking does not say which cluster its source is. The first one that a worker
 * reaches is from then on: a name that leads elsewhere later is SOURCE_CLUSTER_ID_CHANGED, as for any other link. */
#include "control/links.h"

#include "control/seal.h"

struct amending {
	const char *name;
	const struct secret_key *key;
	bool (*change)(const struct amending *amending, struct link_wish *wish);   /* false: there is nothing to change */
	const struct link_wish *seen;    /* pin: whose settings led to source_cluster */
	const char *source_cluster;
};

/* Only a record that can be trusted is signed anew. */
static enum outcome amend_decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct amending *amending = arg;
	struct props props = { 0 };
	struct link_wish wish;
	enum seal_fault fault;
	int rc = control_log_link(log, amending->name, &wish, err);

	if (rc == RC_OK)
		rc = link_unseal(&wish, amending->key, &props, &fault, err);
	if (rc == RC_OK && amending->change(amending, &wish))
		control_batch_link_anew(log, batch, &wish, amending->key);
	props_fini(&props);
	link_wish_fini(&wish);
	return rc == RC_OK ? OUTCOME_DONE : OUTCOME_FAILED;
}

static bool mend(const struct amending *amending, struct link_wish *wish)
{
	(void)amending;
	if (wish->at < 0 || wish->copy_offset <= wish->offset)
		return false;
	wish->replayed = wish->copy_offset;
	wish->replayed_ms = wish->copy_ms;
	return true;
}

/* Other settings may lead elsewhere. Signed, and without the key: a record of ours would not be used by those who have
 * it. */
static bool pin(const struct amending *amending, struct link_wish *wish)
{
	if (wish->source_cluster_id != NULL || wish->offset != amending->seen->offset ||
	    (wish->mac != NULL && amending->key == NULL))
		return false;
	record_set(&wish->source_cluster_id, amending->source_cluster);
	return true;
}

enum outcome link_mend(struct session *session, const char *name, struct err *err)
{
	struct amending amending = { .name = name, .key = session->conf->secret_key, .change = mend };

	return control_log_update(session->log, amend_decide, &amending, session->deadline_ns, NULL, err);
}

enum outcome link_pin(struct session *session, const struct link_wish *seen, const char *source_cluster, bool *recorded,
		      struct err *err)
{
	struct amending amending = { .name = seen->name, .key = session->conf->secret_key, .change = pin, .seen = seen,
				     .source_cluster = source_cluster };

	return control_log_update(session->log, amend_decide, &amending, session->deadline_ns, recorded, err);
}
