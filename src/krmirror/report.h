/* SPDX-License-Identifier: Apache-2.0 */
/* The file of --report: one line of JSON for each result, of which a worker makes metrics (krmirrord/report_tail.h). */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

enum { REPORT_TIME_MAX = 40 };

/* The wall time as ISO 8601 in UTC, with milliseconds: "2026-01-31T12:00:05.250Z". Returns text. */
const char *report_now(char text[REPORT_TIME_MAX]);
/* In one write to a file that is opened for appending: lines of commands that run at the same time do not mix. The file
 * is made where there is none. */
int report_append(const char *path, const json_t *json, struct err *err) MUST_USE;
