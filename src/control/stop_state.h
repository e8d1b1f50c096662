/* SPDX-License-Identifier: Apache-2.0 */
/* The records that a promotion writes, step by step. Each is one compare and append that checks, on the newest view,
 * that the step may still be taken. Only for control/. */
#pragma once

#include "control/promote_read.h"

enum stop_step {
	STEP_WISH,        /* the wish itself */
	STEP_PENDING,     /* PENDING_STOPPED: somebody acts */
	STEP_CLOSING,     /* with the ends: nobody may write any more */
	STEP_SEALED,      /* from now on a marker may stand in the log */
	STEP_DOOR,        /* how the door was closed */
	STEP_STOPPED,
	STEP_WITHDRAW     /* back to mirroring; not once it is sealed */
};

struct stop_record {
	enum stop_step step;
	const char *link, *topic;
	const struct reading *reading;   /* STEP_CLOSING, */
	json_t *latest_settings;         /* and, where the source told them: mirror_state */
	const char *text;                /* STEP_DOOR: how; STEP_WITHDRAW: why */
	int32_t n_partitions;            /* STEP_STOPPED */
	bool gone;                       /* out: the wish is not there (any more): nothing was written */
};

enum outcome stop_record(struct session *session, struct stop_record *record, bool *changed,
			    struct err *err) MUST_USE;
