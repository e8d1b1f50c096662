/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of opening lanes: opening.c decides when and what is asked, round.c asks it. */
#pragma once

#include "mirror/mirror_priv.h"

/* Questions of one kind to one broker, for several lanes. Frees itself. A lane in it is not freed before it ends. */
struct round {
	struct mirror *mirror;
	struct cluster *cluster;
	int32_t node_id;
	enum opening_step step;
	bool alone;
	struct mirror_lane **lanes;
	int32_t *epochs;
	int n_lanes;
	struct call calls[6];
	int n_calls, n_done;
	struct list node;
};

struct round *round_create(struct list *rounds, const struct mirror_lane *ml, struct cluster *cluster, int32_t node);
void round_add(struct round *r, struct mirror_lane *ml, int32_t epoch);
void round_start(struct round *r);

/* What a round tells of each lane; called from its end. */
/* Ask everything again after a pause. */
void opening_retry(struct mirror_lane *ml, const char *why);
void opening_next(struct mirror_lane *ml, enum opening_step step);
/* The same step again, without neighbours. */
void opening_alone(struct mirror_lane *ml);
void opening_done(struct mirror_lane *ml);
/* Drops the digests of the destination's batches. */
void opening_forget_local(struct mirror_lane *ml);
struct cluster *opening_cluster(const struct mirror_lane *ml);
