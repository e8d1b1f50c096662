/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <check.h>

TCase *lane_tests(void);
TCase *align_tests(void);
TCase *ids_tests(void);
TCase *lane_table_tests(void);
TCase *fence_tests(void);
TCase *flatten_tests(void);
TCase *prefix_tests(void);
TCase *coalesce_tests(void);
TCase *rate_tests(void);
