/* SPDX-License-Identifier: Apache-2.0 */
#include "test_krmirrord.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("krmirrord");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, plan_tests());
	suite_add_tcase(suite, model_tests());
	suite_add_tcase(suite, ledger_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
