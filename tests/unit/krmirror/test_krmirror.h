/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <check.h>

TCase *args_tests(void);
TCase *commands_tests(void);
TCase *drill_tests(void);
TCase *output_tests(void);
TCase *proof_tests(void);
TCase *view_tests(void);
