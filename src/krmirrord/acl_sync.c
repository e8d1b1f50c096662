/* SPDX-License-Identifier: Apache-2.0 */
/* AclSync: ACLs of the source that the link's filters match stand at the destination too, but for what would let somebody
 * write to a mirror.
 *
 * Happy path: one request to each side for all ACLs; where both say what they said in a pass that left nothing to do, and
 * the log does too, that is all. Else: what each mirror's promotion is to make is recorded with the mirror; what is about
 * to be made is recorded; it is made; what vanished at the source is removed; that is recorded.
 *
 * Failure modes:
 *  - killed anywhere: what may stand by the task's doing is recorded, and the next run compares again;
 *  - a side without an authorizer: told, and nothing is touched;
 *  - one ACL is refused: told, the others are made. */
#include "krmirrord/sync.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/admin_acl.h"
#include "control/acl_names.h"
#include "control/acl_plan.h"
#include "control/acls.h"
#include "control/guard_plan.h"
#include "control/keys.h"
#include "control/topic_rules.h"

enum { AT_ONCE = 200, WISHES_AT_ONCE = 100 };

/* Between passes. */
struct acl_sync {
	uint64_t settled;            /* what a pass saw that left nothing to do, as a hash; 0: none did */
};

void acl_sync_forget(void *data)
{
	xfree(data);
}

struct acl_run {
	struct task_run *run;
	uint64_t seen;               /* hash of all that the plan goes by */
	bool changed;                /* something was recorded, made or removed, or could not be */
	json_t *source, *here, *made;
	struct acl_topic *topics;
	const struct mirror_row **rows;   /* of topics; NULL: another link's */
	int n_topics;
	struct acl_plan plan;
};

/* ---- what is there ---- */

static uint64_t fold(uint64_t hash, const void *data, size_t len)
{
	return (hash ^ hash_bytes(data, len)) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static uint64_t fold_text(uint64_t hash, const char *text)
{
	return fold(hash, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

/* Brokers list them in no order. */
static uint64_t acls_hash(const struct admin_acls *acls)
{
	uint64_t sum = 0;

	for (int i = 0; i < acls->n; i++) {
		const struct admin_acl *acl = &acls->items[i];
		uint64_t hash = fold_text(fold_text(fold_text(1, acl->type), acl->resource), acl->pattern);

		hash = fold_text(fold_text(hash, acl->principal), acl->host);
		sum += fold_text(fold_text(hash, acl->operation), acl->permission);
	}
	return sum;
}

/* What the log says of mirrors, and of what the task made. */
static uint64_t log_hash(const struct task_run *run)
{
	const struct control_log *log = run->worker->session.log;
	char *key = record_key_sync(run->link->name);
	const struct control_record *sync = control_log_get(log, key);
	uint64_t hash = fold(1, &run->link->offset, sizeof(run->link->offset));
	int64_t at = sync != NULL ? sync->offset : -1;

	xfree(key);
	hash = fold(hash, &at, sizeof(at));
	for (int i = 0; i < run->worker->model.n_mirrors; i++) {
		const struct mirror_row *row = run->worker->model.mirrors[i];
		int64_t of[] = { row->present, row->readable, row->wish_offset, row->mirror_state.status == MIRROR_STOPPED };

		hash = fold(hash, of, sizeof(of));
	}
	return hash;
}

/* False: they cannot be had; told. */
static bool ask(struct task_run *run, struct cluster *cluster, const char *side, struct arena *arena, struct admin_acls *acls)
{
	struct err err = { 0 };

	if (admin_all_acls(cluster, run->deadline_ns, arena, acls, &err) != RC_OK)
		task_failed(run, &err);
	else if (!acls->authorizer)
		task_errors_add(run->errors, TASK_SECURITY_DISABLED_ERROR, "the %s cluster has no authorizer, and so no ACLs",
				side);
	else
		return true;
	return false;
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

			a->changed = true;
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

/* By what is known of the log. */
static bool made_due(const struct acl_run *a, const json_t *made)
{
	struct sync_record sync;
	struct err unused;
	bool due = control_log_sync(a->run->worker->session.log, a->run->link->name, &sync, &unused) != RC_OK ||
		   (!json_equal(json_object_get(sync.acls, "made"), made) && (json_array_size(made) > 0 || sync.acls != NULL));

	sync_record_fini(&sync);
	return due;
}

static enum outcome record_made(struct acl_run *a, json_t *made, struct err *err)
{
	struct recording r = { .a = a, .made = made };

	if (!made_due(a, made))
		return OUTCOME_DONE;
	a->changed = true;
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

static void count(const struct task_run *run, change_fn *change)
{
	struct tally *tally = ledger_link(run->worker->ledger, run->link->name);

	tally->acls_added += change == admin_create_acls;
	tally->acls_deleted += change == admin_delete_acls;
}

/* One by one, what all at once were refused. */
static bool change_each(struct task_run *run, change_fn *change, const struct admin_acl *acls, int n, const char *what)
{
	struct err err;

	for (int i = 0; i < n; i++) {
		int rc = change(run->worker->session.destination, &acls[i], 1, run->deadline_ns, &err);

		if (rc == RC_OK) {
			count(run, change);
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
		for (int i = 0; rc == RC_OK && i < k; i++) {
			count(run, change);
			tell(run, &acls[at + i], what);
		}
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
	a->changed |= json_array_size(a->plan.create) > 0 || json_array_size(a->plan.remove) > 0;
	if (outcome != OUTCOME_DONE)
		task_failed(run, &err);
	json_decref(before);
}

static void tell_not_made(const struct acl_run *a, const json_t *acls, enum task_code code, const char *why, const char *hint)
{
	const json_t *acl;
	size_t i;

	json_array_foreach(acls, i, acl)
		task_errors_add(a->run->errors, code, "not made, because %s: %s %s of %s on %s %s (%s); %s", why,
				acl_text(acl, "permission"), acl_text(acl, "operation"), acl_text(acl, "principal"),
				acl_text(acl, "type"), acl_text(acl, "resource"), acl_text(acl, "pattern"), hint);
}

static struct acl_mirror *mirrors_of(const struct acl_run *a, int *n)
{
	struct acl_mirror *mirrors = xcalloc((size_t)a->n_topics + 1, sizeof(*mirrors));

	for (int i = 0; i < a->n_topics; i++)
		if (a->rows[i] != NULL && a->rows[i]->wish.source_topic != NULL)
			mirrors[(*n)++] = (struct acl_mirror){ a->rows[i]->wish.source_topic, a->topics[i].name };
	return mirrors;
}

/* In place of the source's ACLs those that are to stand for them here, where things have other names; no filter counts
 * any more then. */
static void rename_all(struct acl_run *a, struct acl_seen *seen)
{
	const struct link_conf *conf = &a->run->link->conf;
	struct topic_rules rules;
	struct err err = { 0 };
	struct acl_names names = { .group_prefix = conf->group_prefix ? conf->prefix : "" };
	struct acl_mirror *mirrors = mirrors_of(a, &names.n);
	char *prefix = NULL;

	names.mirrors = mirrors;
	if (topic_rules_read(&rules, &conf->props, a->run->worker->conf->control_topic, &err) == RC_OK) {
		names.prefix = prefix = xasprintf("%s%s", rules.prefix, rules.before);
		names.suffix = rules.after;
	}
	if (prefix == NULL) {
		task_failed(a->run, &err);
	} else if (acl_names_differ(&names)) {
		json_t *refused = json_array(), *others = acls_of_others(seen);

		json_decref(a->source);
		seen->source = a->source = acl_names_translate(&names, others, refused);
		seen->filters = NULL;
		tell_not_made(a, refused, TASK_INVALID_REQUEST_ERROR, "mirrors of the topics that it reaches have names that no "
			      "prefix matches", "give it by the names of topics");
		json_decref(refused);
		json_decref(others);
	}
	topic_rules_fini(&rules);
	xfree(prefix);
	xfree(mirrors);
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
	rename_all(a, &seen);
	acl_plan(&seen, &a->plan);
	tell_not_made(a, a->plan.shutting, TASK_AUTHORIZATION_ERROR, "krmirror, no super user, would be shut out",
		      "grant krmirror's principal its rights by ACLs of its own");
	carry_out(a);
	acl_plan_fini(&a->plan);
	json_decref(a->made);
	xfree(a->topics);
	xfree(a->rows);
}

static bool settled(const struct acl_run *a)
{
	const struct acl_sync *kept = *a->run->data;

	return kept != NULL && kept->settled != 0 && kept->settled == a->seen;
}

static void note(const struct acl_run *a)
{
	struct acl_sync *kept = *a->run->data;

	if (kept == NULL)
		*a->run->data = kept = xcalloc(1, sizeof(*kept));
	kept->settled = a->changed || a->run->errors->n > 0 ? 0 : a->seen;
}

void acl_sync_run(struct task_run *run)
{
	struct acl_run a = { .run = run };
	const char *text = keys_text(&link_key_table, &run->link->conf.props, "acl.filters");
	struct admin_acls source, here;
	struct err err = { 0 };
	struct arena arena;
	bool quoted;
	json_t *filters = keys_json(text != NULL ? text : "", &quoted, &err);

	if (filters == NULL) {
		task_failed(run, &err);
		return;
	}
	arena_init(&arena, 0);
	if (ask(run, run->source, "source", &arena, &source) &&
	    ask(run, run->worker->session.destination, "destination", &arena, &here)) {
		uint64_t hashes[] = { acls_hash(&source), acls_hash(&here), log_hash(run) };

		a.seen = fold(1, hashes, sizeof(hashes)) | 1;
		if (!settled(&a)) {
			a.source = acls_typed(&source);
			a.here = acls_typed(&here);
			decide(&a, json_object_get(filters, "aclFilters"));
			note(&a);
		}
	}
	arena_fini(&arena);
	json_decref(a.source);
	json_decref(a.here);
	json_decref(filters);
}
