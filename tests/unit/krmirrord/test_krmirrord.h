/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <check.h>

TCase *plan_tests(void);
TCase *model_tests(void);
TCase *ledger_tests(void);
