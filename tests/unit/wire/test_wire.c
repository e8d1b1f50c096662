/* SPDX-License-Identifier: Apache-2.0 */
#include "test_wire.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("wire");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, crc_tests());
	suite_add_tcase(suite, batch_tests());
	suite_add_tcase(suite, codec_tests());
	suite_add_tcase(suite, hostile_tests());
	suite_add_tcase(suite, kerr_tests());
	suite_add_tcase(suite, rewrite_tests());
	suite_add_tcase(suite, golden_batches_tests());
	suite_add_tcase(suite, bad_batch_tests());
	suite_add_tcase(suite, kmsgc_tests());
	suite_add_tcase(suite, golden_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
