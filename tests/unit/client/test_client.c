/* SPDX-License-Identifier: Apache-2.0 */
#include "test_client.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("client");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, address_map_tests());
	suite_add_tcase(suite, group_share_tests());
	suite_add_tcase(suite, oauth_tests());
	suite_add_tcase(suite, scram_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
