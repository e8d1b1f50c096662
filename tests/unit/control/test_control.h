/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "control/link_conf.h"

#include <check.h>

/* Parses text as the link.config of a link, and reads it. */
int read_link(const char *text, struct link_conf *conf, struct notes *notes, struct err *err);

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
TCase *task_tests(void);
TCase *auto_tests(void);
TCase *group_plan_tests(void);
TCase *acl_plan_tests(void);
