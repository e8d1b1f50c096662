/* SPDX-License-Identifier: Apache-2.0 */
#include "control/task.h"

#include "base/mem.h"

#include <string.h>

enum { PROGRESS_MS = 5000 };

const char *task_name(enum task_kind kind)
{
	static const char *const names[TASK_KINDS] = { "ConsumerOffsetSync", "TopicConfigsSync", "AclSync",
						       "AutoCreateMirror",
						       "SourceProgress" };

	return names[kind];
}

const char *task_state_name(enum task_state state)
{
	static const char *const names[] = { "ACTIVE", "IN_ERROR", "NOT_CONFIGURED", "LINK_PAUSED",
					     "LINK_UNAVAILABLE", "LINK_FAILED" };

	return names[state];
}

const char *task_code_name(enum task_code code)
{
	static const char *const names[] = {
		[TASK_INTERNAL_ERROR] = "INTERNAL_ERROR",
		[TASK_TIMEOUT_ERROR] = "TIMEOUT_ERROR",
		[TASK_AUTHENTICATION_ERROR] = "AUTHENTICATION_ERROR",
		[TASK_AUTHORIZATION_ERROR] = "AUTHORIZATION_ERROR",
		[TASK_MISCONFIGURATION_ERROR] = "MISCONFIGURATION_ERROR",
		[TASK_CONSUMER_GROUP_IN_USE_ERROR] = "CONSUMER_GROUP_IN_USE_ERROR",
		[TASK_SECURITY_DISABLED_ERROR] = "SECURITY_DISABLED_ERROR",
		[TASK_TOPIC_EXISTS_ERROR] = "TOPIC_EXISTS_ERROR",
		[TASK_POLICY_VIOLATION_ERROR] = "POLICY_VIOLATION_ERROR",
		[TASK_ACL_LIMIT_EXCEEDED] = "ACL_LIMIT_EXCEEDED",
		[TASK_UNKNOWN_TOPIC_OR_PARTITION_ERROR] = "UNKNOWN_TOPIC_OR_PARTITION_ERROR",
		[TASK_INVALID_TOPIC] = "INVALID_TOPIC",
		[TASK_INVALID_REQUEST_ERROR] = "INVALID_REQUEST_ERROR",
		[TASK_SUPPRESSED_ERRORS] = "SUPPRESSED_ERRORS",
	};

	return names[code];
}

bool task_configured(enum task_kind kind, const struct link_conf *conf)
{
	switch (kind) {
	case TASK_CONSUMER_OFFSET_SYNC:
		return conf->offset_sync;
	case TASK_TOPIC_CONFIGS_SYNC:
		return true;
	case TASK_ACL_SYNC:
		return conf->acl_sync;
	case TASK_AUTO_CREATE_MIRROR:
		return conf->auto_create;
	case TASK_SOURCE_PROGRESS:
		return conf->progress_group_id != NULL && conf->progress_group_id[0] != '\0';
	}
	return false;
}

int32_t task_period_ms(enum task_kind kind, const struct link_conf *conf)
{
	switch (kind) {
	case TASK_CONSUMER_OFFSET_SYNC:
		return conf->offset_sync_ms;
	case TASK_TOPIC_CONFIGS_SYNC:
		return conf->config_sync_ms;
	case TASK_ACL_SYNC:
		return conf->acl_sync_ms;
	case TASK_AUTO_CREATE_MIRROR:
		return conf->auto_create_ms;
	case TASK_SOURCE_PROGRESS:
		return MIN((int32_t)PROGRESS_MS, conf->offset_sync_ms);
	}
	return INT32_MAX;
}

/* ---- errors ---- */

void task_errors_add(struct task_errors *errors, enum task_code code, const char *fmt, ...)
{
	char text[sizeof(((struct err *)0)->text) + sizeof(((struct err *)0)->hint) + 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (int i = 0; i < errors->n; i++)
		if (errors->items[i].code == code && strcmp(errors->items[i].message, text) == 0)
			return;
	if (errors->n == TASK_ERRORS_MAX)
		errors->more++;
	else
		errors->items[errors->n++] = (struct task_error){ code, xstrdup(text) };
}

static enum task_code code_of(const struct err *err)
{
	switch (err->rc) {
	case RC_AUTH:
		/* Brokers name the right that is missing; a login that failed has no code of theirs. */
		return err->kafka != 0 ? TASK_AUTHORIZATION_ERROR : TASK_AUTHENTICATION_ERROR;
	case RC_USAGE:
		return TASK_MISCONFIGURATION_ERROR;
	case RC_NOT_FOUND:
		return TASK_UNKNOWN_TOPIC_OR_PARTITION_ERROR;
	case RC_EXISTS:
		return TASK_TOPIC_EXISTS_ERROR;
	case RC_TIMEOUT:
	case RC_CLOSED:
	case RC_CONNECT:
	case RC_RESOLVE:
		return TASK_TIMEOUT_ERROR;
	default:
		return TASK_INTERNAL_ERROR;
	}
}

void task_errors_add_err(struct task_errors *errors, const struct err *err)
{
	task_errors_add(errors, code_of(err), "%s%s%s", err->text, err->hint[0] != '\0' ? "; " : "", err->hint);
}

void task_errors_fini(struct task_errors *errors)
{
	for (int i = 0; i < errors->n; i++)
		xfree(errors->items[i].message);
	*errors = (struct task_errors){ 0 };
}

/* ---- in the log ---- */

static void append(json_t *list, enum task_code code, const char *message)
{
	json_t *object = json_object();

	json_object_set_new(object, "error_code", json_string(task_code_name(code)));
	json_object_set_new(object, "error_message", json_string(message));
	json_array_append_new(list, object);
}

json_t *task_json(enum task_state state, const struct task_errors *errors)
{
	json_t *object = json_object(), *list = json_array();
	char text[64];

	for (int i = 0; i < errors->n && state == TASK_IN_ERROR; i++)
		append(list, errors->items[i].code, errors->items[i].message);
	if (errors->more > 0 && state == TASK_IN_ERROR) {
		snprintf(text, sizeof(text), "%d more errors are not shown", errors->more);
		append(list, TASK_SUPPRESSED_ERRORS, text);
	}
	json_object_set_new(object, "state", json_string(task_state_name(state)));
	json_object_set_new(object, "errors", list);
	return object;
}
