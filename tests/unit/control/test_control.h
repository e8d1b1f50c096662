/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <check.h>

TCase *props_tests(void);
TCase *keys_tests(void);
TCase *conf_tests(void);
TCase *record_tests(void);
TCase *log_view_tests(void);
TCase *log_update_tests(void);
TCase *settings_tests(void);
TCase *secrets_tests(void);
TCase *seal_tests(void);
TCase *link_config_tests(void);
TCase *promote_tests(void);
TCase *guard_tests(void);
TCase *rights_tests(void);
