/* SPDX-License-Identifier: Apache-2.0 */
/* The file of --report: one line of JSON for each result, of which a worker makes metrics (krmirrord/report_tail.h). */
#pragma once

#include "base/err.h"

#include <jansson.h>

/* In one write to a file that is opened for appending: lines of commands that run at the same time do not mix. The file
 * is made where there is none. */
int report_append(const char *path, const json_t *json, struct err *err) MUST_USE;
