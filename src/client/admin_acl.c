/* SPDX-License-Identifier: Apache-2.0 */
#include "client/admin_acl.h"

#include "base/mem.h"
#include "client/admin_priv.h"
#include "wire/msg/create_acls.h"
#include "wire/msg/delete_acls.h"
#include "wire/msg/describe_acls.h"
#include "wire/msg/metadata.h"

#include <string.h>

enum { TYPE_TOPIC = 2, PATTERN_MATCH = 2, ANY = 1 };

static const char *const operations[] = {
	"UNKNOWN", "ANY", "ALL", "READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION",
	"DESCRIBE_CONFIGS", "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "CREATE_TOKENS", "DESCRIBE_TOKENS", "TWO_PHASE_COMMIT"
};
static const char *const permissions[] = { "UNKNOWN", "ANY", "DENY", "ALLOW" };
static const char *const patterns[] = { "UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED" };

static const char *const types[] = {
	"UNKNOWN", "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER"
};

static const char *word(const char *const *words, size_t n, int8_t at)
{
	return at >= 0 && (size_t)at < n ? words[at] : words[0];
}

static const char *keep(struct arena *arena, struct str s)
{
	return arena_strndup(arena, s.len > 0 ? s.data : "", (size_t)MAX(s.len, 0));
}

static void copy(const struct describe_acls_response *res, struct arena *arena, struct admin_acls *acls)
{
	int n = 0;

	for (int32_t i = 0; i < res->resources.n; i++)
		n += res->resources.items[i].acls.n;
	acls->items = arena_new(arena, struct admin_acl, n);
	for (int32_t i = 0; i < res->resources.n; i++) {
		const struct acl_resource *r = &res->resources.items[i];

		for (int32_t k = 0; k < r->acls.n; k++) {
			const struct acl_description *a = &r->acls.items[k];

			acls->items[acls->n++] = (struct admin_acl){
				.type = word(types, ARRAY_LEN(types), r->resource_type),
				.resource = keep(arena, r->resource_name),
				.pattern = word(patterns, ARRAY_LEN(patterns), r->pattern_type),
				.principal = keep(arena, a->principal), .host = keep(arena, a->host),
				.operation = word(operations, ARRAY_LEN(operations), a->operation),
				.permission = word(permissions, ARRAY_LEN(permissions), a->permission_type),
			};
		}
	}
}

/* name NULL: of all resources of that type. */
static int describe(struct admin_op *op, int32_t node, int8_t type, const char *name, struct arena *arena,
		    struct admin_acls *acls, struct err *err)
{
	struct describe_acls_request *req;
	struct call call = { 0 };
	int rc;

	*acls = (struct admin_acls){ 0 };
	call_init(&call, &describe_acls_api, NULL, NULL);
	req = call_req(&call, describe_acls);
	req->resource_type_filter = type;
	req->resource_name_filter = str_of(name);
	req->pattern_type_filter = name != NULL ? PATTERN_MATCH : ANY;
	req->principal_filter = req->host_filter = STR_NULL;
	req->operation = ANY;
	req->permission_type = ANY;
	rc = admin_call(op, node, &call, err);
	if (rc == RC_OK) {
		const struct describe_acls_response *res = call_res(&call, describe_acls);

		acls->authorizer = res->error_code != KERR_SECURITY_DISABLED;
		rc = acls->authorizer ? admin_code(op, res->error_code, res->error_message, err) : RC_OK;
		if (rc == RC_OK && acls->authorizer)
			copy(res, arena, acls);
	} else {
		admin_failed(op, err);
	}
	call_fini(&call);
	return rc;
}

int admin_topic_acls_at(struct cluster *cluster, int32_t node, const char *topic, int64_t deadline_ns,
			struct arena *arena, struct admin_acls *acls, struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "read the ACLs of",
			       .object = topic != NULL ? topic : "all topics",
			       .right = "DESCRIBE on Cluster" };

	return describe(&op, node, TYPE_TOPIC, topic, arena, acls, err);
}

int admin_all_acls(struct cluster *cluster, int64_t deadline_ns, struct arena *arena, struct admin_acls *acls,
		   struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "read", .object = "ACLs",
			       .right = "DESCRIBE on Cluster" };

	return describe(&op, NODE_ANY, ANY, NULL, arena, acls, err);
}

int admin_topic_acls(struct cluster *cluster, const char *topic, int64_t deadline_ns, struct arena *arena,
		     struct admin_acls *acls, struct err *err)
{
	return admin_topic_acls_at(cluster, NODE_ANY, topic, deadline_ns, arena, acls, err);
}

/* --- changing ------------------------------------------------------------------------------------------------ */

struct change {
	const struct admin_acl *acls;
	int n;
};

static int8_t number(const char *const *words, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], text) == 0)
			return (int8_t)i;
	return 0;
}

static int8_t type_of(const struct admin_acl *acl)
{
	return acl->type != NULL ? number(types, ARRAY_LEN(types), acl->type) : TYPE_TOPIC;
}

static void create_build(struct call *call, const void *arg)
{
	const struct change *change = arg;
	struct create_acls_request *req = call_req(call, create_acls);

	req->creations.n = change->n;
	req->creations.items = arena_new(&call->arena, struct acl_creation, change->n);
	for (int i = 0; i < change->n; i++) {
		const struct admin_acl *a = &change->acls[i];

		req->creations.items[i] = (struct acl_creation){
			.resource_type = type_of(a), .resource_name = str_of(a->resource),
			.resource_pattern_type = number(patterns, ARRAY_LEN(patterns), a->pattern),
			.principal = str_of(a->principal), .host = str_of(a->host),
			.operation = number(operations, ARRAY_LEN(operations), a->operation),
			.permission_type = number(permissions, ARRAY_LEN(permissions), a->permission),
		};
	}
}

static int16_t create_code(struct call *call, struct str *message)
{
	const struct create_acls_response *res = call_res(call, create_acls);

	for (int32_t i = 0; i < res->results.n; i++)
		if (res->results.items[i].error_code != KERR_NONE) {
			*message = res->results.items[i].error_message;
			return res->results.items[i].error_code;
		}
	return KERR_NONE;
}

static void delete_build(struct call *call, const void *arg)
{
	const struct change *change = arg;
	struct delete_acls_request *req = call_req(call, delete_acls);

	req->filters.n = change->n;
	req->filters.items = arena_new(&call->arena, struct acl_deletion_filter, change->n);
	for (int i = 0; i < change->n; i++) {
		const struct admin_acl *a = &change->acls[i];

		req->filters.items[i] = (struct acl_deletion_filter){
			.resource_type_filter = type_of(a), .resource_name_filter = str_of(a->resource),
			.pattern_type_filter = number(patterns, ARRAY_LEN(patterns), a->pattern),
			.principal_filter = str_of(a->principal), .host_filter = str_of(a->host),
			.operation = number(operations, ARRAY_LEN(operations), a->operation),
			.permission_type = number(permissions, ARRAY_LEN(permissions), a->permission),
		};
	}
}

static int16_t delete_code(struct call *call, struct str *message)
{
	const struct delete_acls_response *res = call_res(call, delete_acls);

	for (int32_t i = 0; i < res->filter_results.n; i++)
		if (res->filter_results.items[i].error_code != KERR_NONE) {
			*message = res->filter_results.items[i].error_message;
			return res->filter_results.items[i].error_code;
		}
	return KERR_NONE;
}

static int change(struct admin_controller_op *c, const struct admin_acl *acls, int n, struct err *err)
{
	struct change what = { acls, n };
	struct call call;
	int rc;

	if (n == 0)
		return RC_OK;
	c->op.object = acls[0].resource;
	c->op.right = "ALTER on Cluster";
	c->arg = &what;
	rc = admin_controller_call(c, &call, err);
	call_fini(&call);
	return rc;
}

int admin_create_acls(struct cluster *cluster, const struct admin_acl *acls, int n, int64_t deadline_ns, struct err *err)
{
	struct admin_controller_op c = {
		.op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "add ACLs to" },
		.api = &create_acls_api, .build = create_build, .code = create_code,
	};

	return change(&c, acls, n, err);
}

int admin_delete_acls(struct cluster *cluster, const struct admin_acl *acls, int n, int64_t deadline_ns, struct err *err)
{
	struct admin_controller_op c = {
		.op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "remove ACLs of" },
		.api = &delete_acls_api, .build = delete_build, .code = delete_code,
	};

	return change(&c, acls, n, err);
}

/* --- own rights ---------------------------------------------------------------------------------------------- */

static void operations_take(const struct metadata_response *res, struct admin_operations *topics, int n)
{
	for (int32_t i = 0; i < res->topics.n; i++) {
		const struct topic_metadata *t = &res->topics.items[i];
		int at = i;

		/* answered in the order of the question, mostly */
		if (at >= n || !str_is(t->name, topics[at].topic))
			for (at = 0; at < n && !str_is(t->name, topics[at].topic); at++)
				;
		if (at == n || t->error_code == KERR_UNKNOWN_TOPIC_OR_PARTITION)
			continue;
		topics[at].found = true;
		topics[at].allowed = t->error_code == KERR_TOPIC_AUTHORIZATION_FAILED ? 0 : t->topic_authorized_operations;
	}
}

int admin_topics_operations(struct cluster *cluster, int32_t node, struct admin_operations *topics, int n,
			    int64_t deadline_ns, struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "describe",
			       .object = n == 1 ? topics[0].topic : "topics" };
	struct metadata_request *req;
	struct call call = { 0 };
	int rc;

	call_init(&call, &metadata_api, NULL, NULL);
	req = call_req(&call, metadata);
	req->allow_auto_topic_creation = false;
	req->include_topic_authorized_operations = true;
	req->topics.items = arena_new(&call.arena, struct metadata_topic, n);
	req->topics.n = n;
	for (int i = 0; i < n; i++) {
		topics[i].allowed = INT32_MIN;
		topics[i].found = false;
		req->topics.items[i].name = str_of(topics[i].topic);
	}
	rc = admin_call(&op, node, &call, err);
	if (rc == RC_OK)
		operations_take(call_res(&call, metadata), topics, n);
	else
		admin_failed(&op, err);
	call_fini(&call);
	return rc;
}
