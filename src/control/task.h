/* SPDX-License-Identifier: Apache-2.0 */
/* The sync tasks of a link as the control log and people see them: names, states, errors, and the form of all that in
 * state/LINK. Pure; who runs them is krmirrord/tasks.h. */
#pragma once

#include "control/link_conf.h"

#include <jansson.h>

enum task_kind { TASK_CONSUMER_OFFSET_SYNC, TASK_TOPIC_CONFIGS_SYNC, TASK_ACL_SYNC, TASK_AUTO_CREATE_MIRROR,
		 TASK_SOURCE_PROGRESS };
enum { TASK_KINDS = TASK_SOURCE_PROGRESS + 1 };

enum task_state {
	TASK_ACTIVE, TASK_IN_ERROR, TASK_NOT_CONFIGURED, TASK_LINK_PAUSED, TASK_LINK_UNAVAILABLE, TASK_LINK_FAILED
};

/* Cluster Linking's words. */
enum task_code {
	TASK_INTERNAL_ERROR, TASK_TIMEOUT_ERROR, TASK_AUTHENTICATION_ERROR, TASK_AUTHORIZATION_ERROR,
	TASK_MISCONFIGURATION_ERROR, TASK_CONSUMER_GROUP_IN_USE_ERROR, TASK_SECURITY_DISABLED_ERROR,
	TASK_TOPIC_EXISTS_ERROR, TASK_POLICY_VIOLATION_ERROR, TASK_ACL_LIMIT_EXCEEDED,
	TASK_UNKNOWN_TOPIC_OR_PARTITION_ERROR, TASK_INVALID_TOPIC, TASK_INVALID_REQUEST_ERROR, TASK_SUPPRESSED_ERRORS
};

enum { TASK_CODES = TASK_SUPPRESSED_ERRORS + 1 };

const char *task_name(enum task_kind kind);          /* "ConsumerOffsetSync" */
const char *task_state_name(enum task_state state);
const char *task_code_name(enum task_code code);

/* Whether the link's settings ask for it, and how often it then runs. */
bool task_configured(enum task_kind kind, const struct link_conf *conf);
int32_t task_period_ms(enum task_kind kind, const struct link_conf *conf);

struct task_error {
	enum task_code code;
	char *message;
};

/* What went wrong in a run: the first of them, without repetition, and how many were not kept. Messages should stay the
 * same while the fault does (no numbers that move): every change is a record. */
enum { TASK_ERRORS_MAX = 10 };
struct task_errors {
	struct task_error items[TASK_ERRORS_MAX];
	int n, more;
};

void task_errors_add(struct task_errors *errors, enum task_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The code follows from err's; text and hint are the message. */
void task_errors_add_err(struct task_errors *errors, const struct err *err);
void task_errors_fini(struct task_errors *errors);

/* {"state": ..., "errors": [{"error_code": ..., "error_message": ...}]}: the value of one task in state/LINK. */
json_t *task_json(enum task_state state, const struct task_errors *errors);
