/* SPDX-License-Identifier: Apache-2.0 */
#include "client/admin_priv.h"

#include "base/mem.h"
#include "wire/msg/describe_acls.h"

static const char *const operations[] = {
	"UNKNOWN", "ANY", "ALL", "READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION",
	"DESCRIBE_CONFIGS", "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "CREATE_TOKENS", "DESCRIBE_TOKENS", "TWO_PHASE_COMMIT"
};
static const char *const permissions[] = { "UNKNOWN", "ANY", "DENY", "ALLOW" };
static const char *const patterns[] = { "UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED" };

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
				.resource = keep(arena, r->resource_name),
				.pattern = word(patterns, ARRAY_LEN(patterns), r->pattern_type),
				.principal = keep(arena, a->principal), .host = keep(arena, a->host),
				.operation = word(operations, ARRAY_LEN(operations), a->operation),
				.permission = word(permissions, ARRAY_LEN(permissions), a->permission_type),
			};
		}
	}
}

int admin_topic_acls(struct cluster *cluster, const char *topic, int64_t deadline_ns, struct arena *arena,
		     struct admin_acls *acls, struct err *err)
{
	enum { TYPE_TOPIC = 2, PATTERN_MATCH = 2, ANY = 1 };
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "read the ACLs of", .object = topic,
			       .right = "DESCRIBE on Cluster" };
	struct describe_acls_request *req;
	struct call call = { 0 };
	int rc;

	*acls = (struct admin_acls){ 0 };
	call_init(&call, &describe_acls_api, NULL, NULL);
	req = call_req(&call, describe_acls);
	req->resource_type_filter = TYPE_TOPIC;
	req->resource_name_filter = str_of(topic);
	req->pattern_type_filter = PATTERN_MATCH;
	req->principal_filter = req->host_filter = STR_NULL;
	req->operation = ANY;
	req->permission_type = ANY;
	rc = admin_call(&op, NODE_ANY, &call, err);
	if (rc == RC_OK) {
		const struct describe_acls_response *res = call_res(&call, describe_acls);

		acls->authorizer = res->error_code != KERR_SECURITY_DISABLED;
		rc = acls->authorizer ? admin_code(&op, res->error_code, res->error_message, err) : RC_OK;
		if (rc == RC_OK && acls->authorizer)
			copy(res, arena, acls);
	} else {
		admin_failed(&op, err);
	}
	call_fini(&call);
	return rc;
}
