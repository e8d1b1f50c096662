/* SPDX-License-Identifier: Apache-2.0 */
/* The sync tasks as the log has them: names, when they are configured, errors. */
#include "control/task.h"
#include "test_control.h"

START_TEST(errors_are_kept_once_and_bounded)
{
	struct task_errors errors = { 0 };
	json_t *json, *list;

	task_errors_add(&errors, TASK_INTERNAL_ERROR, "one");
	task_errors_add(&errors, TASK_INTERNAL_ERROR, "one");
	ck_assert_int_eq(errors.n, 1);
	for (int i = 0; i < TASK_ERRORS_MAX + 4; i++)
		task_errors_add(&errors, TASK_INTERNAL_ERROR, "number %d", i);
	ck_assert_int_eq(errors.n, TASK_ERRORS_MAX);
	ck_assert_int_eq(errors.more, 5);
	json = task_json(TASK_IN_ERROR, &errors);
	list = json_object_get(json, "errors");
	ck_assert_str_eq(json_string_value(json_object_get(json, "state")), "IN_ERROR");
	ck_assert_int_eq(json_array_size(list), TASK_ERRORS_MAX + 1);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, TASK_ERRORS_MAX), "error_code")),
			 "SUPPRESSED_ERRORS");
	json_decref(json);
	json = task_json(TASK_LINK_PAUSED, &errors);
	ck_assert_int_eq(json_array_size(json_object_get(json, "errors")), 0);
	json_decref(json);
	task_errors_fini(&errors);
}
END_TEST

START_TEST(a_missing_right_is_no_failed_login)
{
	struct task_errors errors = { 0 };
	struct err err = { 0 };

	err_set(&err, RC_AUTH, "no");
	err.kafka = 30;
	err_hint(&err, "grant it");
	task_errors_add_err(&errors, &err);
	ck_assert_int_eq(errors.items[0].code, TASK_AUTHORIZATION_ERROR);
	ck_assert_str_eq(errors.items[0].message, "no; grant it");
	err_set(&err, RC_AUTH, "wrong password");
	err.kafka = 0;
	task_errors_add_err(&errors, &err);
	ck_assert_int_eq(errors.items[1].code, TASK_AUTHENTICATION_ERROR);
	err_set(&err, RC_TIMEOUT, "silence");
	task_errors_add_err(&errors, &err);
	ck_assert_int_eq(errors.items[2].code, TASK_TIMEOUT_ERROR);
	task_errors_fini(&errors);
}
END_TEST

START_TEST(a_task_is_configured_by_the_links_settings)
{
	struct link_conf conf = { .offset_sync = true, .offset_sync_ms = 1000, .auto_create_ms = 30000 };

	ck_assert(task_configured(TASK_CONSUMER_OFFSET_SYNC, &conf));
	ck_assert(task_configured(TASK_TOPIC_CONFIGS_SYNC, &conf));
	ck_assert(!task_configured(TASK_ACL_SYNC, &conf));
	ck_assert(!task_configured(TASK_AUTO_CREATE_MIRROR, &conf));
	ck_assert_int_eq(task_period_ms(TASK_CONSUMER_OFFSET_SYNC, &conf), 1000);
	ck_assert_int_eq(task_period_ms(TASK_AUTO_CREATE_MIRROR, &conf), 30000);
	ck_assert_str_eq(task_name(TASK_AUTO_CREATE_MIRROR), "AutoCreateMirror");
}
END_TEST

TCase *task_tests(void)
{
	TCase *tc = tcase_create("task");

	tcase_add_test(tc, errors_are_kept_once_and_bounded);
	tcase_add_test(tc, a_missing_right_is_no_failed_login);
	tcase_add_test(tc, a_task_is_configured_by_the_links_settings);
	return tc;
}
