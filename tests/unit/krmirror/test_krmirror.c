/* SPDX-License-Identifier: Apache-2.0 */
#include "test_krmirror.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("krmirror");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, args_tests());
	suite_add_tcase(suite, commands_tests());
	suite_add_tcase(suite, drill_tests());
	suite_add_tcase(suite, output_tests());
	suite_add_tcase(suite, proof_tests());
	suite_add_tcase(suite, view_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
