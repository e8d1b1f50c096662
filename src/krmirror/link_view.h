/* SPDX-License-Identifier: Apache-2.0 */
/* How links are shown. */
#pragma once

#include "control/report.h"
#include "krmirror/output.h"

/* The object of `link create`. */
json_t *link_created_json(const struct link_info *link);
/* The object of `link list`; with topics: those too. */
json_t *link_json(const struct link_info *link, bool topics);
/* The object of `link describe`. */
json_t *link_described_json(const struct link_info *link);

/* 0: worst. For sorting and nothing else. */
int link_state_rank(const char *state);
void link_print_table(FILE *out, const struct link_info *links, int n, bool topics);
void link_print_description(FILE *out, const struct link_info *link);
