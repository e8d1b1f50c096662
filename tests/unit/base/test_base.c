/* SPDX-License-Identifier: Apache-2.0 */
#include "test_base.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("base");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, buf_tests());
	suite_add_tcase(suite, log_tests());
	suite_add_tcase(suite, str_tests());
	suite_add_tcase(suite, units_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
