/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of links, as Cluster Linking has them: topicFilters, groupFilters, aclFilters. Pure. */
#pragma once

#include "base/err.h"
#include "control/notes.h"

#include <jansson.h>
#include <stdbool.h>

/* Whether json is what the setting of that name takes. RC_USAGE names the entry and the field: one that is not known, is
 * missing, or has another value than it may. What is accepted and does nothing is noted. */
int filters_check(const char *setting, const json_t *json, struct notes *notes, struct err *err) MUST_USE;
/* Whether filters of topics or groups take a name: at least one INCLUDE, and no EXCLUDE, matches. array: "topicFilters",
 * "groupFilters". False for NULL. */
bool filters_take(const json_t *filters, const char *array, const char *name);
/* A line with which everything is meant, for a hint. NULL: no such setting. */
const char *filters_example(const char *setting);
