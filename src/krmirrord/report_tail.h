/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a file that commands append one line of JSON a run to (--report). */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef void report_line_fn(void *arg, const json_t *line);

/* Calls back for each line of the file's last 256 KiB that is a JSON object, oldest first: a small amount however long the
 * file has grown. What cannot be read is left out; a file that cannot be opened has no lines. */
void report_tail(const char *path, report_line_fn *each, void *arg);
/* -1: not there, or no number from 0. */
int64_t report_number(const json_t *line, const char *key);
/* The wall time of "started" in ms: a number, or ISO 8601 in UTC. -1: not there. */
int64_t report_started(const json_t *line);
