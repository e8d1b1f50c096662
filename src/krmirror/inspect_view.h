/* SPDX-License-Identifier: Apache-2.0 */
/* How `link check` shows what it found. */
#pragma once

#include "control/inspect.h"

#include <jansson.h>
#include <stdio.h>

/* The document; acls and flows only where they were asked for. */
json_t *inspection_json(const struct inspection *inspection, bool acls, bool flows);
/* A table, the worst first, and what to do. Rights that are held are one row for each thing. */
void inspection_print(FILE *out, const struct inspection *inspection);
/* Commands for a shell, with remarks as comments. */
void inspection_print_acls(FILE *out, const struct inspection *inspection);
/* One line for each flow. */
void inspection_print_flows(FILE *out, const struct inspection *inspection);
