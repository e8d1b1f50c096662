/* SPDX-License-Identifier: Apache-2.0 */
/* AclSync: ACLs of the source that the link's filters match stand at the destination too, but for what would let somebody
 * write to a mirror.
 *
 * Happy path: one request to each side for all ACLs; what each mirror's promotion is to make is recorded with the mirror;
 * what is about to be made is recorded; it is made; what vanished at the source is removed; that is recorded.
 *
 * Failure modes:
 *  - killed anywhere: what may stand by the task's doing is recorded, and the next run compares again;
 *  - a side without an authorizer: told, and nothing is touched;
 *  - one ACL is refused: told, the others are made. */
#include "krmirrord/sync.h"

#include "base/log.h"
#include "base/mem.h"
#include "client/admin.h"
#include "control/acl_plan.h"
#include "control/keys.h"

enum { AT_ONCE = 200, WISHES_AT_ONCE = 100 };

struct acl_run {
	struct task_run *run;
	json_t *source, *here, *made;
	struct acl_topic *topics;
	const struct mirror_row **rows;   /* of topics; NULL: another link's */
	int n_topics;
	struct acl_plan plan;
};

/* ---- what is there ---- */

/* NULL: it cannot be had; told. */
static json_t *ask(struct task_run *run, struct cluster *cluster, const char *side)
{
	struct admin_acls acls;
	struct err err = { 0 };
	struct arena arena;
	json_t *list = NULL;

	arena_init(&arena, 0);
	if (admin_all_acls(cluster, run->deadline_ns, &arena, &acls, &err) != RC_OK)
		task_failed(run, &err);
	else if (!acls.authorizer)
		task_errors_add(run->errors, TASK_SECURITY_DISABLED_ERROR, "the %s cluster has no authorizer, and so no ACLs",
				side);
	else
		list = acls_typed(&acls);
	arena_fini(&arena);
	return list;
}

static bool guarded(const struct mirror_row *row)
{
	struct guard guard;
	struct err unused;
	bool is = guard_decode(&guard, row->wish.guard, &unused) == RC_OK && guard.state == GUARD_ENFORCED;

	guard_fini(&guard);
	return is;
}

static json_t *typed(const json_t *list)
{
	json_t *copy = json_deep_copy(list);
	json_t *acl;
	size_t i;

	json_array_foreach(copy, i, acl)
		json_object_set_new(acl, "type", json_string("TOPIC"));
	return copy;
}

/* What a promotion made is the task's, too. */
static void take_row(struct acl_run *a, const struct mirror_row *row)
{
	bool other = strcmp(row->link, a->run->link->name) != 0, stopped = row->mirror_state.status == MIRROR_STOPPED;

	if (!row->present || !row->readable || (other && stopped))
		return;
	a->rows[a->n_topics] = other ? NULL : row;
	a->topics[a->n_topics++] = (struct acl_topic){
		.name = row->topic, .stopped = stopped, .other = other, .guarded = guarded(row),
	};
	if (stopped && row->wish.acls != NULL) {
		json_t *own = typed(json_object_get(row->wish.acls, "intended"));

		json_array_extend(a->made, own);
		json_decref(own);
	}
}

static void look(struct acl_run *a)
{
	const struct model *model = &a->run->worker->model;
	struct sync_record sync;
	struct err err;

	a->topics = xcalloc((size_t)model->n_mirrors + 1, sizeof(*a->topics));
	a->rows = xcalloc((size_t)model->n_mirrors + 1, sizeof(*a->rows));
	if (control_log_sync(a->run->worker->session.log, a->run->link->name, &sync, &err) == RC_OK)
		a->made = json_copy(json_object_get(sync.acls, "made"));
	sync_record_fini(&sync);
	if (a->made == NULL)
		a->made = json_array();
	for (int i = 0; i < model->n_mirrors; i++)
		take_row(a, model->mirrors[i]);
}

/* ---- recording ---- */

struct recording {
	struct acl_run *a;
	json_t *made;
	int from, to;                /* topics whose intended ACLs are due */
};

static bool intended_due(const struct acl_run *a, int i)
{
	json_t *intended;
	bool empty;

	if (a->rows[i] == NULL || a->topics[i].stopped || a->rows[i]->wish.wish != WISH_MIRROR)
		return false;
	intended = json_object_get(a->rows[i]->wish.acls, "intended");
	empty = json_array_size(a->plan.intended[i]) == 0;
	return intended == NULL ? !empty : !json_equal(intended, a->plan.intended[i]);
}

static enum outcome decide_intended(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct recording *r = arg;

	for (int i = r->from; i < r->to; i++) {
		struct mirror_wish wish = { 0 };

		if (!intended_due(r->a, i))
			continue;
		if (control_log_mirror(log, r->a->rows[i]->link, r->a->rows[i]->topic, &wish, err) == RC_OK &&
		    wish.wish == WISH_MIRROR) {
			json_decref(wish.acls);
			wish.acls = json_pack("{s:O}", "intended", r->a->plan.intended[i]);
			control_batch_mirror(batch, &wish);
		}
		mirror_wish_fini(&wish);
	}
	return OUTCOME_DONE;
}

static enum outcome record_intended(struct acl_run *a, struct err *err)
{
	struct control_log *log = a->run->worker->session.log;
	enum outcome outcome = OUTCOME_DONE;
	int n = 0, from = 0;

	for (int i = 0; i < a->n_topics && outcome == OUTCOME_DONE; i++) {
		n += intended_due(a, i);
		if (n == WISHES_AT_ONCE || (n > 0 && i == a->n_topics - 1)) {
			struct recording r = { .a = a, .from = from, .to = i + 1 };

			outcome = control_log_update(log, decide_intended, &r, a->run->deadline_ns, NULL, err);
			from = i + 1;
			n = 0;
		}
	}
	return outcome;
}

static enum outcome decide_made(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct recording *r = arg;
	struct sync_record sync;
	const char *link = r->a->run->link->name;
	enum outcome outcome = control_log_sync(log, link, &sync, err) == RC_OK ? OUTCOME_DONE : OUTCOME_FAILED;

	if (outcome == OUTCOME_DONE && !json_equal(json_object_get(sync.acls, "made"), r->made) &&
	    (json_array_size(r->made) > 0 || sync.acls != NULL)) {
		json_decref(sync.acls);
		sync.acls = json_pack("{s:O}", "made", r->made);
		control_batch_sync(batch, &sync);
	}
	sync_record_fini(&sync);
	return outcome;
}

static enum outcome record_made(struct acl_run *a, json_t *made, struct err *err)
{
	struct recording r = { .a = a, .made = made };

	return control_log_update(a->run->worker->session.log, decide_made, &r, a->run->deadline_ns, NULL, err);
}

/* ---- changing ---- */

typedef int change_fn(struct cluster *cluster, const struct admin_acl *acls, int n, int64_t deadline_ns, struct err *err);

static void tell(const struct task_run *run, const struct admin_acl *acl, const char *what)
{
	log_info("acl", what, "link=%s type=%s resource=" LOG_Q " pattern=%s principal=" LOG_Q " host=" LOG_Q
		 " operation=%s permission=%s", run->link->name, acl->type, acl->resource, acl->pattern, acl->principal,
		 acl->host, acl->operation, acl->permission);
}

/* One by one, what all at once were refused. */
static bool change_each(struct task_run *run, change_fn *change, const struct admin_acl *acls, int n, const char *what)
{
	struct err err;

	for (int i = 0; i < n; i++) {
		int rc = change(run->worker->session.destination, &acls[i], 1, run->deadline_ns, &err);

		if (rc == RC_OK) {
			tell(run, &acls[i], what);
		} else if (rc == RC_KAFKA) {
			task_errors_add(run->errors, TASK_INVALID_REQUEST_ERROR, "%s %s %s of %s on %s %s: %s",
					acls[i].permission, acls[i].operation, acls[i].pattern, acls[i].principal, acls[i].type,
					acls[i].resource, err.text);
		} else {
			task_failed(run, &err);
			return false;
		}
	}
	return true;
}

static bool change_all(struct task_run *run, change_fn *change, const json_t *list, const char *what)
{
	int n;
	struct admin_acl *acls = acls_of(list, &n);
	struct err err;
	bool good = true;

	for (int at = 0; at < n && good; at += AT_ONCE) {
		int k = MIN(n - at, (int)AT_ONCE);
		int rc = change(run->worker->session.destination, acls + at, k, run->deadline_ns, &err);

		if (rc == RC_KAFKA)
			good = change_each(run, change, acls + at, k, what);
		for (int i = 0; rc == RC_OK && i < k; i++)
			tell(run, &acls[at + i], what);
		if (rc != RC_OK && rc != RC_KAFKA) {
			task_failed(run, &err);
			good = false;
		}
	}
	xfree(acls);
	return good;
}

/* ---- all ---- */

static void carry_out(struct acl_run *a)
{
	struct task_run *run = a->run;
	struct err err = { 0 };
	json_t *before = json_copy(a->plan.made);
	enum outcome outcome;

	json_array_extend(before, a->plan.remove);
	outcome = record_intended(a, &err);
	if (outcome == OUTCOME_DONE)
		outcome = record_made(a, before, &err);
	if (outcome == OUTCOME_DONE && change_all(run, admin_create_acls, a->plan.create, "made as at the source") &&
	    change_all(run, admin_delete_acls, a->plan.remove,
		       "removed: it is gone at the source, or lets write to a mirror"))
		outcome = record_made(a, a->plan.made, &err);
	if (outcome != OUTCOME_DONE)
		task_failed(run, &err);
	json_decref(before);
}

static void tell_shutting(const struct acl_run *a)
{
	const json_t *acl;
	size_t i;

	json_array_foreach(a->plan.shutting, i, acl)
		task_errors_add(a->run->errors, TASK_AUTHORIZATION_ERROR, "not made, because krmirror, no super user, would be "
				"shut out: %s %s of %s on %s %s (%s); grant krmirror's principal its rights by ACLs of its own",
				json_string_value(json_object_get(acl, "permission")),
				json_string_value(json_object_get(acl, "operation")),
				json_string_value(json_object_get(acl, "principal")),
				json_string_value(json_object_get(acl, "type")),
				json_string_value(json_object_get(acl, "resource")),
				json_string_value(json_object_get(acl, "pattern")));
}

static void decide(struct acl_run *a, const json_t *filters)
{
	const struct conf *conf = a->run->worker->conf;
	struct acl_seen seen = {
		.source = a->source, .here = a->here, .filters = filters,
		.selves = { conf->destination.principal, a->run->link->conf.source.principal },
		.control_topic = conf->control_topic, .group = conf->group_id,
	};

	look(a);
	seen.made = a->made;
	seen.topics = a->topics;
	seen.n_topics = a->n_topics;
	acl_plan(&seen, &a->plan);
	tell_shutting(a);
	carry_out(a);
	acl_plan_fini(&a->plan);
	json_decref(a->made);
	xfree(a->topics);
	xfree(a->rows);
}

void acl_sync_run(struct task_run *run)
{
	struct acl_run a = { .run = run };
	const char *text = keys_text(&link_key_table, &run->link->conf.props, "acl.filters");
	struct err err = { 0 };
	bool quoted;
	json_t *filters = keys_json(text != NULL ? text : "", &quoted, &err);

	if (filters == NULL) {
		task_failed(run, &err);
		return;
	}
	a.source = ask(run, run->source, "source");
	a.here = a.source != NULL ? ask(run, run->worker->session.destination, "destination") : NULL;
	if (a.here != NULL)
		decide(&a, json_object_get(filters, "aclFilters"));
	json_decref(a.source);
	json_decref(a.here);
	json_decref(filters);
}
