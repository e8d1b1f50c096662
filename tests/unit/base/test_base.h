/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <check.h>

TCase *buf_tests(void);
TCase *log_tests(void);
TCase *str_tests(void);
TCase *units_tests(void);
