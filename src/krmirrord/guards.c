/* SPDX-License-Identifier: Apache-2.0 */
/* The read-only guards of all mirrors, looked after by the group's leader: those that were cut short are gone on with,
 * those whose ACLs were taken away are made again, and who was let in since is kept out. One request tells of all topics;
 * only what it leaves open is looked at closely. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/acls.h"
#include "control/guard.h"

enum { LOOK_MS = 15000, DEADLINE_MS = 10000 };

/* ACLs by their resource: those of one topic are looked for for each. */
static json_t *by_resource(const json_t *all)
{
	json_t *index = json_object();
	json_t *acl;
	size_t i;

	json_array_foreach(all, i, acl) {
		const char *resource = acl_text(acl, "resource");
		json_t *list = json_object_get(index, resource);

		if (list == NULL) {
			list = json_array();
			json_object_set_new(index, resource, list);
		}
		json_array_append(list, acl);
	}
	return index;
}

/* Whether the guard of a mirror needs nothing. own: the ACLs of its topic's name. */
static bool stands(const struct worker *worker, const struct mirror_row *row, const json_t *own, bool again)
{
	bool everyone = row->link_row != NULL && row->link_row->conf.readers_everyone;
	struct guard guard;
	struct err unused;
	bool good = guard_decode(&guard, row->wish.guard, &unused) == RC_OK;

	/* A list of others must be compared with who is allowed now. */
	if (good && guard.state == GUARD_ENFORCED)
		good = !guard.allow_list && acls_have_all(own, guard.added);
	else if (good && guard.state == GUARD_FORBIDDEN)
		good = !again;
	else if (good && guard.state == GUARD_UNENFORCED)
		good = !guard_has_news(&guard, worker->conf->destination.principal, everyone);
	else
		good = false;
	guard_fini(&guard);
	return good;
}

static void look_after(struct worker *worker, const struct mirror_row *row, bool again)
{
	struct guard_of of = { .link = row->link, .topic = row->topic, .again = again };
	struct err err = { 0 };
	enum outcome outcome;

	worker->session.deadline_ns = worker_deadline(DEADLINE_MS);
	outcome = guard_set(&worker->session, &of, &err);
	if (outcome != OUTCOME_DONE)
		log_warn("mirror", "the read-only guard could not be looked after; trying again",
			 "link=%s topic=%s error=" ERR_PAIRS, row->link, row->topic, ERR_ARGS(err));
	for (int i = 0; i < worker->session.notes.n; i++)
		log_warn("mirror", "note", "text=" LOG_Q, worker->session.notes.lines[i]);
	notes_fini(&worker->session.notes);
}

void guards_work(struct worker *worker)
{
	bool again = !worker->guards_tried;
	json_t *all, *index;

	if (clock_mono_ns() < worker->guards_ns || !member_leads(worker))
		return;
	worker->session.deadline_ns = worker_deadline(DEADLINE_MS);
	all = guard_all_acls(&worker->session);
	index = by_resource(all);
	worker->guards_tried = true;
	for (int i = 0; i < worker->model.n_mirrors && all != NULL; i++) {
		struct mirror_row *row = worker->model.mirrors[i];

		if (!row->present || !row->readable || !row->wish.created || row->wish.wish != WISH_MIRROR ||
		    stands(worker, row, json_object_get(index, row->topic), again))
			continue;
		look_after(worker, row, again);
		if (worker_asked_to_stop(worker) || worker->member.fenced || !worker->member.leader)
			break;
	}
	json_decref(index);
	json_decref(all);
	worker->guards_ns = worker_deadline(LOOK_MS);
}
