/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <check.h>

TCase *group_share_tests(void);
TCase *oauth_tests(void);
