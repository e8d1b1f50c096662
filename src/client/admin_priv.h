/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin files share: what is being done, for messages, and when to try again. */
#pragma once

#include "client/admin.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

/* Room for admin_op's right. */
enum { RIGHT_MAX = 320 };

/* One operation: "destination: cannot VERB OBJECT: CODE". */
struct admin_op {
	struct cluster *cluster;
	int64_t deadline_ns;
	const char *verb;      /* "create topic" */
	const char *object;    /* "orders" */
	const char *right;     /* what to grant, "CREATE on Cluster or on Topic orders"; NULL: none can be missing */
	int tries;
};

/* The error of a code: RC_AUTH, RC_NOT_FOUND, RC_EXISTS or RC_KAFKA; RC_OK for 0. message: the broker's own, may be
 * null. */
int admin_code(const struct admin_op *op, int16_t code, struct str message, struct err *err);
/* Says what failed in front of a transport error. */
int admin_failed(const struct admin_op *op, struct err *err);

/* When a request that is sent now is given up: the cluster's request.timeout.ms, and never behind deadline_ns. */
int64_t admin_request_deadline(const struct cluster *cluster, int64_t deadline_ns);
/* Sends to a node and waits, at most until the operation's deadline. */
int admin_call(const struct admin_op *op, int32_t node_id, struct call *call, struct err *err) MUST_USE;
/* A pause before the next try, growing; false when the deadline leaves no room for one. */
bool admin_pause(struct admin_op *op);
/* Metadata anew, from whichever server answers; fails only when none does. */
int admin_refresh(struct admin_op *op, struct err *err) MUST_USE;
/* The answer (or the lack of one) that is worth another try after a refresh. */
bool admin_rc_retries(int rc);
bool admin_code_retries(int16_t code);

/* Sends a call to the controller until it is answered by it: build fills the request of a fresh call each time, code
 * reads the answer's error code. The call stays open for the caller to read and to call_fini, also after a failure. */
struct admin_controller_op {
	struct admin_op op;
	const struct api_desc *api;
	void (*build)(struct call *call, const void *arg);
	int16_t (*code)(struct call *call, struct str *message);
	const void *arg;
};
int admin_controller_call(struct admin_controller_op *c, struct call *call, struct err *err) MUST_USE;

/* Sends a call to the leader of a partition until it answers; build and code as above. epoch is the leader's, for
 * build. */
struct admin_leader_op {
	struct admin_op op;
	const char *topic;
	int32_t partition;
	int32_t epoch;
	const struct api_desc *api;
	void (*build)(struct call *call, const struct admin_leader_op *leader);
	int16_t (*code)(struct call *call, struct str *message);
	const void *arg;
};
int admin_leader_call(struct admin_leader_op *leader, struct call *call, struct err *err) MUST_USE;

/* A producer of DescribeProducers' answer. */
struct active_producer;
struct admin_producer admin_producer_of(const struct active_producer *a);
