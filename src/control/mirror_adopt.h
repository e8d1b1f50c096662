/* SPDX-License-Identifier: Apache-2.0 */
/* What mirror create --adopt does besides: a topic that is there already is looked at, compared, and kept from being
 * written to. Only for control/. */
#pragma once

#include "client/admin.h"
#include "control/mirrors.h"
#include "control/record.h"

/* One adoption, from the looking to the record. */
struct adoption {
	/* set by the caller */
	struct session *session;
	struct cluster *source;
	const char *link, *topic, *source_topic;
	int32_t n_source;                 /* partitions */
	const struct adopt_opts *opts;
	struct arena *arena;
	/* results of adopt_prove */
	struct uuid destination_id;
	json_t *adopted_end, *producer_epochs;   /* of mirror_wish; the caller's references */
	json_t *own_settings;                    /* likewise; of `settings` */
	/* private */
	struct adopt_part *parts_;
	int64_t looked_ns_;
};

/* Looks at both topics and has them compared: nothing is changed. settings: what the topic will get. OUTCOME_DIVERGED
 * where something differs, OUTCOME_REFUSED where it cannot be told. */
enum outcome adopt_prove(struct adoption *a, const json_t *settings, struct err *err) MUST_USE;
/* After the guard was set: nobody has written since. Not before 2 s after adopt_prove has looked. */
enum outcome adopt_still(struct adoption *a, struct err *err) MUST_USE;
/* Gives the topic the settings of a mirror. */
enum outcome adopt_settings(struct adoption *a, const json_t *settings, struct err *err) MUST_USE;
/* Takes back what an adoption that was not finished has changed: its own settings, and who may write. */
enum outcome adopt_undo(struct session *session, const struct mirror_wish *wish, struct err *err) MUST_USE;
/* The memory of the results. */
void adopt_fini(struct adoption *a);
