/* SPDX-License-Identifier: Apache-2.0 */
#include "control/guard_io.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/acls.h"

enum { AGAIN_MS = 50, NODES_MAX = 1000 };

/* Those that match the topic, of all that were asked for. */
static json_t *matching(const struct guard_io *io, const struct admin_acls *acls, struct arena *arena)
{
	struct admin_acls own = { .items = arena_new(arena, struct admin_acl, acls->n) };

	for (int i = 0; i < acls->n; i++)
		if (io->topic == NULL || acl_pattern_reaches(acls->items[i].pattern, acls->items[i].resource, io->topic))
			own.items[own.n++] = acls->items[i];
	return acls_json(&own);
}

static void take_acls(struct guard_io *io, const struct admin_acls *acls, struct arena *arena)
{
	io->authorizer = acls->authorizer;
	json_decref(io->acls);
	io->acls = matching(io, acls, arena);
	io->settled = io->settled && acls_have_all(io->acls, io->present) && !acls_have_any(io->acls, io->absent);
}

static int ask_acls(struct guard_io *const *ios, int n, int32_t node, struct err *err)
{
	struct admin_acls acls;
	struct arena arena;
	int rc;

	arena_init(&arena, 0);
	rc = admin_topic_acls_at(ios[0]->cluster, node, n == 1 ? ios[0]->topic : NULL, ios[0]->deadline_ns, &arena, &acls, err);
	for (int i = 0; i < n && rc == RC_OK; i++)
		take_acls(ios[i], &acls, &arena);
	arena_fini(&arena);
	return rc;
}

static void take_operations(struct guard_io *io, const struct admin_operations *operations)
{
	if (!operations->found)
		io->late = true;
	else
		io->operations = operations->allowed == INT32_MIN || io->operations == INT32_MIN ? INT32_MIN :
				 io->operations & operations->allowed;
}

static int ask_operations(struct guard_io *const *ios, int n, int32_t node, struct err *err)
{
	struct admin_operations *asked = xcalloc((size_t)n, sizeof(*asked));
	int rc;

	for (int i = 0; i < n; i++)
		asked[i].topic = ios[i]->topic;
	rc = admin_topics_operations(ios[0]->cluster, node, asked, n, ios[0]->deadline_ns, err);
	for (int i = 0; i < n && rc == RC_OK; i++)
		take_operations(ios[i], &asked[i]);
	xfree(asked);
	return rc;
}

static void look_begins(struct guard_io *io)
{
	io->settled = io->authorizer = true;
	io->operations = INT32_MAX;
	io->late = false;
}

static void nothing_told(struct guard_io *io)
{
	json_decref(io->acls);
	io->acls = NULL;
}

enum outcome guard_io_look_all(struct guard_io *const *ios, int n_ios, struct err *err)
{
	struct cluster *cluster = ios[0]->cluster;
	int n = MIN(cluster_n_nodes(cluster), NODES_MAX), rc = RC_OK, answered = 0;
	int32_t *ids = xcalloc((size_t)n + 1, sizeof(*ids));

	for (int i = 0; i < n; i++)
		ids[i] = cluster_node_at(cluster, i)->id;   /* the list may change while they are asked */
	ids[n] = NODE_ANY;
	for (int i = 0; i < n_ios; i++)
		look_begins(ios[i]);
	for (int i = 0; i < MAX(n, 1) && rc != RC_AUTH && ios[0]->authorizer; i++) {
		rc = ask_acls(ios, n_ios, ids[i], err);
		if (rc == RC_OK && ios[0]->authorizer && ios[0]->topic != NULL)
			rc = ask_operations(ios, n_ios, ids[i], err);
		answered += rc == RC_OK;
	}
	xfree(ids);
	for (int i = 0; i < n_ios && rc == RC_AUTH; i++)
		nothing_told(ios[i]);
	return rc == RC_AUTH || answered > 0 ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

enum outcome guard_io_look(struct guard_io *io, struct err *err)
{
	return guard_io_look_all(&io, 1, err);
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
