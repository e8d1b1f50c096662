/* SPDX-License-Identifier: Apache-2.0 */
/* How mirrors and their partitions are shown. */
#pragma once

#include "control/report.h"
#include "control/stop.h"
#include "krmirror/output.h"

/* The object of `mirror list`. */
json_t *mirror_json(const struct mirror_info *mirror);
/* The object of `mirror describe` for one partition. */
json_t *mirror_partition_json(const struct mirror_info *mirror, const struct partition_info *p);

/* What promote, failover, pause and resume tell about one topic: describe's objects, each with error_code and error_message, are
 * appended to array. A mirror of which nothing is known (mirror->partitions NULL) gives one object of nulls. */
struct verb_result {
	const struct mirror_info *mirror;
	const char *error_code;       /* outcome_word; NULL: it went well */
	const char *error_message;    /* NULL: none */
	const char *door;             /* NULL: not known; only where has_door */
	bool has_door;
	const struct stop_missing *missing;  /* [mirror->num_partition], or NULL; only where has_missing */
	bool has_missing;
};
void mirror_result_json(json_t *array, const struct verb_result *result);

/* Worst first: DIVERGED and its like, failed, failed partitions, unreachable, then the greatest lag, then names. */
void mirror_sort(struct mirror_info *mirrors, int n);
/* What `list` exits with: 8 where a partition is DIVERGED, UNEXPECTED_TRUNCATION or has an unacknowledged DATA_LOSS,
 * else 1 where one is FAILED. */
enum outcome mirror_outcome(const struct mirror_info *mirrors, int n);

void mirror_print_table(FILE *out, const struct mirror_info *mirrors, int n);
void mirror_print_description(FILE *out, const struct mirror_info *mirror);
