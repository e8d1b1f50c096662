/* SPDX-License-Identifier: Apache-2.0 */
#include "control/guard_io.h"

#include "base/clock.h"
#include "base/mem.h"

enum { AGAIN_MS = 50, NODES_MAX = 1000 };

static int ask_acls(struct guard_io *io, int32_t node, struct err *err)
{
	struct admin_acls acls;
	struct arena arena;
	int rc;

	arena_init(&arena, 0);
	rc = admin_topic_acls_at(io->cluster, node, io->topic, io->deadline_ns, &arena, &acls, err);
	if (rc == RC_OK) {
		io->authorizer = acls.authorizer;
		json_decref(io->acls);
		io->acls = acls_json(&acls);
		io->settled = io->settled && acls_have_all(io->acls, io->present) && !acls_have_any(io->acls, io->absent);
	}
	arena_fini(&arena);
	return rc;
}

static int ask_operations(struct guard_io *io, int32_t node, struct err *err)
{
	int32_t operations;
	int rc = admin_topic_operations(io->cluster, node, io->topic, io->deadline_ns, &operations, err);

	if (rc == RC_NOT_FOUND) {
		io->late = true;
		return RC_OK;
	}
	if (rc == RC_OK)
		io->operations = operations == INT32_MIN || io->operations == INT32_MIN ? INT32_MIN :
				 io->operations & operations;
	return rc;
}

enum outcome guard_io_look(struct guard_io *io, struct err *err)
{
	int n = MIN(cluster_n_nodes(io->cluster), NODES_MAX), rc = RC_OK, answered = 0;
	int32_t *ids = xcalloc((size_t)n + 1, sizeof(*ids));

	for (int i = 0; i < n; i++)
		ids[i] = cluster_node_at(io->cluster, i)->id;   /* the list may change while they are asked */
	ids[n] = NODE_ANY;
	io->settled = io->authorizer = true;
	io->operations = INT32_MAX;
	io->late = false;
	for (int i = 0; i < MAX(n, 1) && rc != RC_AUTH && io->authorizer; i++) {
		rc = ask_acls(io, ids[i], err);
		if (rc == RC_OK && io->authorizer && io->topic != NULL)
			rc = ask_operations(io, ids[i], err);
		answered += rc == RC_OK;
	}
	xfree(ids);
	if (rc == RC_AUTH) {
		json_decref(io->acls);
		io->acls = NULL;
		return OUTCOME_DONE;
	}
	return answered > 0 ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

int guard_io_make(const struct guard_io *io, struct err *err)
{
	struct admin_acl *list;
	int n, rc;

	list = acls_of(io->present, &n);
	rc = admin_create_acls(io->cluster, list, n, io->deadline_ns, err);
	xfree(list);
	list = acls_of(io->absent, &n);
	if (rc == RC_OK)
		rc = admin_delete_acls(io->cluster, list, n, io->deadline_ns, err);
	xfree(list);
	return rc;
}

enum outcome guard_io_pause(const struct guard_io *io, const char *what, struct err *err)
{
	if (clock_mono_ns() >= io->deadline_ns) {
		err_set(err, RC_TIMEOUT, "%s: %s", io->topic != NULL ? io->topic : "topics", what);
		return OUTCOME_TIMED_OUT;
	}
	loop_wait_until(cluster_loop(io->cluster), clock_mono_ns() + AGAIN_MS * NS_PER_MS);
	return OUTCOME_DONE;
}

void guard_io_fini(struct guard_io *io)
{
	json_decref(io->present);
	json_decref(io->absent);
	json_decref(io->acls);
	io->present = io->absent = io->acls = NULL;
}
