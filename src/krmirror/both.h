/* SPDX-License-Identifier: Apache-2.0 */
/* What verify and topic diff begin with: a mirror topic, its source, and what each partition has on both sides. */
#pragma once

#include "client/admin.h"
#include "krmirror/cli.h"
#include "proof/proof.h"

struct both {
	bool any_topic;                   /* set by the caller: with --link, also a topic that is no mirror (yet) */
	struct output *output;            /* where progress is shown */
	char *link, *topic, *source_topic;
	bool stopped;                     /* the mirror is STOPPED: the destination goes its own way */
	struct cluster *source;
	json_t *begins;                   /* partition -> where the mirror was to begin; NULL: where the source does */
	int32_t n_source, n_destination;  /* partitions */
	struct admin_configs settings[COMPARE_SIDES];
	struct proof proof;               /* partitions that both sides have, with start and end; no range yet */
	struct arena arena;
};

/* A side as proof counts them. */
static inline enum side side_of(int side)
{
	return side == COMPARE_SOURCE ? SIDE_SOURCE : SIDE_DESTINATION;
}

/* On failure *outcome tells and both_close is still the caller's. */
enum outcome both_open(struct cli *cli, const char *topic, struct both *both, struct err *err) MUST_USE;
void both_close(struct both *both);
/* Runs it, with progress. RC_TIMEOUT as proof_run. */
int both_compare(struct both *both, struct err *err) MUST_USE;
/* The worst outcome of partitions that could not be read. */
enum outcome both_errors(const struct both *both);
