/* SPDX-License-Identifier: Apache-2.0 */
/* What all admin calls share.
 *
 * Failure modes:
 *  - no server answers metadata: the operation fails at once with that reason;
 *  - one broker does not answer: metadata again, and another try, until the deadline;
 *  - a code that passes by itself (no leader yet, not the controller, throttled): the same;
 *  - any other code: the operation fails with it. */
#include "client/admin_priv.h"

#include "base/clock.h"

#include <string.h>

enum { PAUSE_FIRST_MS = 50, PAUSE_MAX_MS = 1000 };

static const char *side(const struct admin_op *op)
{
	return cluster_options(op->cluster)->side;
}

static bool code_is_auth(int16_t code)
{
	return code == KERR_TOPIC_AUTHORIZATION_FAILED || code == KERR_GROUP_AUTHORIZATION_FAILED ||
	       code == KERR_CLUSTER_AUTHORIZATION_FAILED;
}

int admin_code(const struct admin_op *op, int16_t code, struct str message, struct err *err)
{
	const struct kerr *k = kerr_find(code);
	int rc = code == KERR_NONE ? RC_OK : code_is_auth(code) ? RC_AUTH :
		 code == KERR_UNKNOWN_TOPIC_OR_PARTITION || code == KERR_UNKNOWN_TOPIC_ID ? RC_NOT_FOUND :
		 code == KERR_TOPIC_ALREADY_EXISTS ? RC_EXISTS : RC_KAFKA;

	if (rc == RC_OK)
		return RC_OK;
	/* To a missing right brokers add its name once more, or a dump of the whole request. */
	if (message.len > 0 && rc != RC_AUTH)
		err_set(err, rc, "%s: cannot %s %s: %s: %.*s", side(op), op->verb, op->object, k->name,
			STR_ARG(message));
	else
		err_set(err, rc, "%s: cannot %s %s: %s", side(op), op->verb, op->object, k->name);
	err->kafka = code;
	if (rc == RC_AUTH && op->right != NULL)
		err_hint(err, "grant %s to krmirror's principal on the %s cluster", op->right, side(op));
	return rc;
}

int admin_failed(const struct admin_op *op, struct err *err)
{
	return err_wrap(err, "cannot %s %s", op->verb, op->object);
}

int64_t admin_request_deadline(const struct cluster *cluster, int64_t deadline_ns)
{
	return MIN(deadline_ns, clock_mono_ns() + cluster_options(cluster)->request_timeout_ms * NS_PER_MS);
}

int admin_call(const struct admin_op *op, int32_t node_id, struct call *call, struct err *err)
{
	call->deadline_ns = admin_request_deadline(op->cluster, op->deadline_ns);
	return call_wait(op->cluster, node_id, call, err);
}

bool admin_pause(struct admin_op *op)
{
	int64_t pause = MIN((int64_t)PAUSE_FIRST_MS << MIN(op->tries, 10), (int64_t)PAUSE_MAX_MS) * NS_PER_MS;
	int64_t now = clock_mono_ns();

	op->tries++;
	if (now + pause >= op->deadline_ns)
		return false;
	loop_wait_until(cluster_loop(op->cluster), now + pause);
	return true;
}

bool admin_rc_retries(int rc)
{
	return rc == RC_CLOSED || rc == RC_CONNECT || rc == RC_TIMEOUT || rc == RC_RESOLVE;
}

bool admin_code_retries(int16_t code)
{
	switch (code) {
	case KERR_UNKNOWN_TOPIC_OR_PARTITION:
	case KERR_LEADER_NOT_AVAILABLE:
	case KERR_NOT_LEADER_OR_FOLLOWER:
	case KERR_REQUEST_TIMED_OUT:
	case KERR_REPLICA_NOT_AVAILABLE:
	case KERR_NETWORK_EXCEPTION:
	case KERR_COORDINATOR_LOAD_IN_PROGRESS:
	case KERR_COORDINATOR_NOT_AVAILABLE:
	case KERR_NOT_COORDINATOR:
	case KERR_NOT_CONTROLLER:
	case KERR_KAFKA_STORAGE_ERROR:
	case KERR_LISTENER_NOT_FOUND:
	case KERR_FENCED_LEADER_EPOCH:
	case KERR_UNKNOWN_LEADER_EPOCH:
	case KERR_OFFSET_NOT_AVAILABLE:
	case KERR_THROTTLING_QUOTA_EXCEEDED:
		return true;
	default:
		return false;
	}
}

int admin_refresh(struct admin_op *op, struct err *err)
{
	const struct cluster_opts *o = cluster_options(op->cluster);
	int servers = o->n_bootstrap + cluster_n_nodes(op->cluster);
	int rc;

	do
		rc = cluster_wait_metadata(op->cluster, NULL, op->deadline_ns, err);
	while (admin_rc_retries(rc) && --servers > 0 && clock_mono_ns() < op->deadline_ns);
	return rc;
}

int admin_controller_call(struct admin_controller_op *c, struct call *call, struct err *err)
{
	int16_t code = 0;
	int rc = RC_OK;

	*call = (struct call){ 0 };
	if (cluster_controller(c->op.cluster) < 0)
		rc = admin_refresh(&c->op, err);
	while (rc == RC_OK) {
		struct str message = STR_NULL;

		call_reset(call);
		call_init(call, c->api, NULL, NULL);
		c->build(call, c->arg);
		rc = admin_call(&c->op, cluster_controller(c->op.cluster), call, err);
		if (rc == RC_OK) {
			code = c->code(call, &message);
			if (!admin_code_retries(code) || code == KERR_UNKNOWN_TOPIC_OR_PARTITION)
				return admin_code(&c->op, code, message, err);
			admin_code(&c->op, code, message, err);
		} else if (!admin_rc_retries(rc)) {
			return admin_failed(&c->op, err);
		}
		if (!admin_pause(&c->op))
			return rc == RC_OK ? err->rc : admin_failed(&c->op, err);
		rc = admin_refresh(&c->op, err);
	}
	return rc;
}

/* One try; *final: no other is worth it. */
static int leader_try(struct admin_leader_op *leader, struct call *call, int32_t node, bool *final, struct err *err)
{
	struct str message = STR_NULL;
	int16_t code;
	int rc;

	call_reset(call);
	call_init(call, leader->api, NULL, NULL);
	leader->build(call, leader);
	rc = admin_call(&leader->op, node, call, err);
	if (rc != RC_OK) {
		*final = !admin_rc_retries(rc);
		return *final ? admin_failed(&leader->op, err) : rc;
	}
	code = leader->code(call, &message);
	*final = !admin_code_retries(code);
	return admin_code(&leader->op, code, message, err);
}

int admin_leader_call(struct admin_leader_op *leader, struct call *call, struct err *err)
{
	struct cluster *cluster = leader->op.cluster;
	int32_t node;
	int rc;

	*call = (struct call){ 0 };
	cluster_track(cluster, leader->topic);
	for (;;) {
		bool final;

		rc = cluster_wait_leader(cluster, leader->topic, leader->partition, leader->op.deadline_ns, &node,
					 &leader->epoch, err);
		if (rc != RC_OK) {
			admin_failed(&leader->op, err);
			break;
		}
		rc = leader_try(leader, call, node, &final, err);
		if (rc == RC_OK || final)
			break;
		if (!admin_pause(&leader->op)) {
			if (admin_rc_retries(rc))
				admin_failed(&leader->op, err);
			break;
		}
		rc = admin_refresh(&leader->op, err);
		if (rc != RC_OK)
			break;
	}
	cluster_untrack(cluster, leader->topic);
	return rc;
}

/* --- describing topics --------------------------------------------------------------------------------------- */

static void topic_copy(struct arena *arena, const struct topic_meta *meta, struct admin_topic *out)
{
	*out = (struct admin_topic){
		.name = arena_strdup(arena, meta->name),
		.error = meta->error,
		.id = meta->id,
		.internal = meta->internal,
		.authorized = meta->authorized,
		.n_partitions = meta->error == 0 ? meta->n_partitions : 0,
	};
	out->partitions = arena_new(arena, struct admin_partition, out->n_partitions);
	for (int32_t i = 0; i < out->n_partitions; i++)
		out->partitions[i] = (struct admin_partition){
			.partition = i, .error = meta->partitions[i].error, .leader = meta->partitions[i].leader,
			.leader_epoch = meta->partitions[i].leader_epoch,
		};
}

static bool all_known(struct cluster *cluster, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (!cluster_topic(cluster, names[i])->known)
			return false;
	return true;
}

int admin_topics(struct cluster *cluster, const char *const *names, int n, int64_t deadline_ns, struct arena *arena,
		 struct admin_topic **topics, struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "describe",
			       .object = n == 1 ? names[0] : "topics" };
	int rc;

	*topics = arena_new(arena, struct admin_topic, n);
	for (int i = 0; i < n; i++)
		cluster_track(cluster, names[i]);
	do
		rc = admin_refresh(&op, err);
	while (rc == RC_OK && !all_known(cluster, names, n));
	for (int i = 0; i < n; i++) {
		if (rc == RC_OK)
			topic_copy(arena, cluster_topic(cluster, names[i]), &(*topics)[i]);
	}
	for (int i = 0; i < n; i++)
		cluster_untrack(cluster, names[i]);
	return rc;
}

int admin_topic(struct cluster *cluster, const char *name, int64_t deadline_ns, struct arena *arena,
		struct admin_topic *topic, struct err *err)
{
	char right[RIGHT_MAX];
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "describe topic", .object = name,
			       .right = right };
	struct admin_topic *one;
	int rc;

	snprintf(right, sizeof(right), "DESCRIBE on Topic %s", name);
	do {
		rc = admin_topics(cluster, &name, 1, deadline_ns, arena, &one, err);
		if (rc != RC_OK)
			return rc;
		*topic = *one;
		if (topic->error == KERR_UNKNOWN_TOPIC_OR_PARTITION)
			return err_set(err, RC_NOT_FOUND, "%s: topic %s does not exist",
				       cluster_options(cluster)->side, name);
	} while (admin_code_retries(topic->error) && admin_pause(&op));
	return admin_code(&op, topic->error, STR_NULL, err);
}
