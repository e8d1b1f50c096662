/* SPDX-License-Identifier: Apache-2.0 */
#include "test_control.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("control");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, props_tests());
	suite_add_tcase(suite, keys_tests());
	suite_add_tcase(suite, conf_tests());
	suite_add_tcase(suite, secrets_tests());
	suite_add_tcase(suite, seal_tests());
	suite_add_tcase(suite, link_config_tests());
	suite_add_tcase(suite, record_tests());
	suite_add_tcase(suite, log_view_tests());
	suite_add_tcase(suite, log_update_tests());
	suite_add_tcase(suite, settings_tests());
	suite_add_tcase(suite, promote_tests());
	suite_add_tcase(suite, guard_tests());
	suite_add_tcase(suite, rights_tests());
	suite_add_tcase(suite, task_tests());
	suite_add_tcase(suite, auto_tests());
	suite_add_tcase(suite, group_plan_tests());
	suite_add_tcase(suite, acl_plan_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
