/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("sandbox");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, produce_tests());
	suite_add_tcase(suite, marker_tests());
	suite_add_tcase(suite, transaction_tests());
	suite_add_tcase(suite, cleaner_tests());
	suite_add_tcase(suite, fetch_tests());
	suite_add_tcase(suite, session_tests());
	suite_add_tcase(suite, offset_tests());
	suite_add_tcase(suite, group_tests());
	suite_add_tcase(suite, member_tests());
	suite_add_tcase(suite, admin_tests());
	suite_add_tcase(suite, hostile_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
