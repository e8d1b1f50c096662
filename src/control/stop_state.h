/* SPDX-License-Identifier: Apache-2.0 */
/* The records that a promotion or failover writes, step by step; the only place that changes what it stands at. Each is one
 * compare and append, for many mirrors at once, that checks on the newest view that the step may still be taken. Only for
 * control/. */
#pragma once

#include "control/promote_read.h"

enum stop_step {
	STEP_WISH,        /* the wish itself */
	STEP_PENDING,     /* PENDING_STOPPED: somebody acts */
	STEP_CLOSING,     /* with the ends, for a promotion: nobody may write any more */
	STEP_SEALED,      /* with the ends, for a failover: from now on a marker may stand in the log */
	STEP_DOOR,        /* how the door was closed; with the ends behind it, where a seeding was cut short */
	STEP_STOPPED,
	STEP_WITHDRAW     /* back to mirroring; a promotion, not once it is sealed */
};

struct stop_record {
	enum stop_step step;
	const char *link, *topic;
	enum mirror_wish_kind kind;      /* WISH_PROMOTE, WISH_FAILOVER: for which the step is taken */
	const int64_t *ends;             /* [n_partitions], or NULL */
	json_t *latest_settings;         /* STEP_CLOSING, where the source told them: mirror_state */
	const char *text;                /* STEP_DOOR: how; STEP_WITHDRAW: why */
	int32_t n_partitions;            /* of ends; STEP_STOPPED: of the topic */
	/* out */
	bool gone;                       /* another wish stands, or it is STOPPED: nothing was written */
	bool changed;                    /* something was */
	enum outcome outcome;            /* of this one: OUTCOME_REFUSED, OUTCOME_FAILED */
	struct err err;
};

/* One append for all. What it returns keeps all of them; what one alone is refused for stands with it. */
enum outcome stop_record(struct session *session, struct stop_record *const *records, int n, struct err *err) MUST_USE;
/* One alone. */
enum outcome stop_record_one(struct session *session, struct stop_record *record, struct err *err) MUST_USE;
