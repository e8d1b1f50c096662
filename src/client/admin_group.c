/* SPDX-License-Identifier: Apache-2.0 */
/* Who is in a group, and what the caller may do on the cluster. */
#include "client/admin_priv.h"
#include "wire/msg/delete_groups.h"
#include "wire/msg/describe_acls.h"
#include "wire/msg/describe_cluster.h"
#include "wire/msg/describe_groups.h"
#include "wire/msg/find_coordinator.h"

#include "base/clock.h"

#include <string.h>

static const char *text(struct arena *arena, struct str s)
{
	return s.len < 0 ? NULL : arena_strndup(arena, s.len > 0 ? s.data : "", (size_t)s.len);
}

/* --- the coordinator ----------------------------------------------------------------------------------------- */

static int16_t coordinator_read(struct call *call, const char *group, int32_t *node, struct str *message)
{
	const struct find_coordinator_response *res = call_res(call, find_coordinator);

	if (call->version < 4) {
		*node = res->node_id;
		*message = res->error_message;
		return res->error_code;
	}
	for (int32_t i = 0; i < res->coordinators.n; i++)
		if (str_is(res->coordinators.items[i].key, group)) {
			*node = res->coordinators.items[i].node_id;
			*message = res->coordinators.items[i].error_message;
			return res->coordinators.items[i].error_code;
		}
	return KERR_COORDINATOR_NOT_AVAILABLE;
}

static int coordinator_find(struct admin_op *op, const char *group, int32_t *node, struct err *err)
{
	struct call call = { 0 };
	struct find_coordinator_request *req;
	struct str message = STR_NULL;
	int rc;

	call_init(&call, &find_coordinator_api, NULL, NULL);
	req = call_req(&call, find_coordinator);
	req->key = str_of(group);
	req->coordinator_keys.items = arena_new(&call.arena, struct str, 1);
	req->coordinator_keys.items[0] = str_of(group);
	req->coordinator_keys.n = 1;
	rc = admin_call(op, NODE_ANY, &call, err);
	if (rc == RC_OK)
		rc = admin_code(op, coordinator_read(&call, group, node, &message), message, err);
	else
		admin_failed(op, err);
	call_fini(&call);
	return rc;
}

/* What is asked of the coordinator, once; arg is the caller's. */
typedef int coordinator_once(struct admin_op *op, int32_t node, void *arg, struct err *err);

/* Asks the coordinator of the group (op->object), whoever that is by then, until it answers. */
static int coordinator_ask(struct admin_op *op, coordinator_once *once, void *arg, struct err *err)
{
	int32_t node = NODE_ANY;
	int rc;

	do {
		rc = cluster_n_nodes(op->cluster) == 0 ? admin_refresh(op, err) : RC_OK;
		if (rc != RC_OK)
			return rc;
		rc = coordinator_find(op, op->object, &node, err);
		if (rc == RC_OK)
			rc = once(op, node, arg, err);
	} while ((admin_rc_retries(rc) || (rc == RC_KAFKA && admin_code_retries(err->kafka))) && admin_pause(op));
	return rc;
}

/* --- describe ------------------------------------------------------------------------------------------------ */

struct description {
	struct arena *arena;
	struct admin_group *out;
};

static void group_copy(const struct described_group *in, struct arena *arena, struct admin_group *out)
{
	out->state = text(arena, in->group_state);
	out->protocol_type = text(arena, in->protocol_type);
	out->authorized = in->authorized_operations;
	out->n_members = MAX(in->members.n, 0);
	out->members = arena_new(arena, struct admin_member, out->n_members);
	for (int i = 0; i < out->n_members; i++) {
		const struct described_member *m = &in->members.items[i];

		out->members[i] = (struct admin_member){
			.member_id = text(arena, m->member_id), .instance_id = text(arena, m->group_instance_id),
			.client_host = text(arena, m->client_host),
		};
	}
}

static int describe_once(struct admin_op *op, int32_t node, void *arg, struct err *err)
{
	const struct description *description = arg;
	struct call call = { 0 };
	struct describe_groups_request *req;
	const struct describe_groups_response *res;
	int16_t code = KERR_UNKNOWN_SERVER_ERROR;
	int rc;

	call_init(&call, &describe_groups_api, NULL, NULL);
	call.version_max = 5;   /* which tells rights on a group that does not exist, too */
	req = call_req(&call, describe_groups);
	req->include_authorized_operations = true;
	req->groups.items = arena_new(&call.arena, struct str, 1);
	req->groups.items[0] = str_of(op->object);
	req->groups.n = 1;
	rc = admin_call(op, node, &call, err);
	if (rc == RC_OK) {
		res = call_res(&call, describe_groups);
		if (res->groups.n == 1)
			code = res->groups.items[0].error_code;
		rc = admin_code(op, code, STR_NULL, err);
		if (rc == RC_OK)
			group_copy(&res->groups.items[0], description->arena, description->out);
	} else {
		admin_failed(op, err);
	}
	call_fini(&call);
	return rc;
}

int admin_describe_group(struct cluster *cluster, const char *group, int64_t deadline_ns, struct arena *arena,
			 struct admin_group *out, struct err *err)
{
	char right[RIGHT_MAX];
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "describe group",
			       .object = group, .right = right };
	struct description description = { arena, out };

	snprintf(right, sizeof(right), "DESCRIBE on Group %s", group);
	*out = (struct admin_group){ 0 };
	return coordinator_ask(&op, describe_once, &description, err);
}

/* --- delete -------------------------------------------------------------------------------------------------- */

static int delete_once(struct admin_op *op, int32_t node, void *arg, struct err *err)
{
	struct call call = { 0 };
	struct delete_groups_request *req;
	const struct delete_groups_response *res;
	int16_t code = KERR_UNKNOWN_SERVER_ERROR;
	int rc;

	(void)arg;
	call_init(&call, &delete_groups_api, NULL, NULL);
	req = call_req(&call, delete_groups);
	req->groups_names.items = arena_new(&call.arena, struct str, 1);
	req->groups_names.items[0] = str_of(op->object);
	req->groups_names.n = 1;
	rc = admin_call(op, node, &call, err);
	if (rc == RC_OK) {
		res = call_res(&call, delete_groups);
		if (res->results.n == 1)
			code = res->results.items[0].error_code;
		rc = code == KERR_GROUP_ID_NOT_FOUND ? RC_OK : admin_code(op, code, STR_NULL, err);
	} else {
		admin_failed(op, err);
	}
	call_fini(&call);
	return rc;
}

int admin_delete_group(struct cluster *cluster, const char *group, int64_t deadline_ns, struct err *err)
{
	char right[RIGHT_MAX];
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "delete group",
			       .object = group, .right = right };

	snprintf(right, sizeof(right), "DELETE on Group %s", group);
	return coordinator_ask(&op, delete_once, NULL, err);
}

/* --- rights -------------------------------------------------------------------------------------------------- */

int admin_cluster_operations(struct cluster *cluster, int64_t deadline_ns, int32_t *operations, struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "describe",
			       .object = "the cluster", .right = "DESCRIBE on Cluster" };
	struct call call = { 0 };
	const struct describe_cluster_response *res;
	int rc;

	call_init(&call, &describe_cluster_api, NULL, NULL);
	call_req(&call, describe_cluster)->include_cluster_authorized_operations = true;
	rc = admin_call(&op, NODE_ANY, &call, err);
	if (rc == RC_OK) {
		res = call_res(&call, describe_cluster);
		rc = admin_code(&op, res->error_code, res->error_message, err);
		*operations = res->cluster_authorized_operations;
	} else {
		admin_failed(&op, err);
	}
	call_fini(&call);
	return rc;
}

int admin_has_authorizer(struct cluster *cluster, int64_t deadline_ns, bool *has, struct err *err)
{
	enum { TYPE_CLUSTER = 4, PATTERN_LITERAL = 3, ANY = 1 };
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "ask for ACLs of",
			       .object = "the cluster" };
	struct describe_acls_request *req;
	struct call call = { 0 };
	int rc;

	call_init(&call, &describe_acls_api, NULL, NULL);
	req = call_req(&call, describe_acls);
	req->resource_type_filter = TYPE_CLUSTER;
	req->resource_name_filter = str_of("kafka-cluster");
	req->pattern_type_filter = PATTERN_LITERAL;
	req->principal_filter = req->host_filter = STR_NULL;
	req->operation = ANY;
	req->permission_type = ANY;
	rc = admin_call(&op, NODE_ANY, &call, err);
	if (rc == RC_OK)
		*has = call_res(&call, describe_acls)->error_code != KERR_SECURITY_DISABLED;
	else
		admin_failed(&op, err);
	call_fini(&call);
	return rc;
}
