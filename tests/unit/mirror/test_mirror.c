/* SPDX-License-Identifier: Apache-2.0 */
#include "test_mirror.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("mirror");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, lane_tests());
	suite_add_tcase(suite, align_tests());
	suite_add_tcase(suite, fence_tests());
	suite_add_tcase(suite, flatten_tests());
	suite_add_tcase(suite, prefix_tests());
	suite_add_tcase(suite, coalesce_tests());
	suite_add_tcase(suite, rate_tests());
	suite_add_tcase(suite, ids_tests());
	suite_add_tcase(suite, lane_table_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
