/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <check.h>

TCase *address_map_tests(void);
TCase *group_share_tests(void);
TCase *oauth_tests(void);
TCase *scram_tests(void);
