/* SPDX-License-Identifier: Apache-2.0 */
/* A creation and its steps, for one mirror (mirror_create.c) and for many (mirror_create_many.c). Only for those two. */
#pragma once

#include "control/mirror_adopt.h"
#include "control/mirror_heads.h"
#include "control/mirrors.h"
#include "control/settings.h"

struct creation {
	struct session *session;
	const struct mirror_create_opts *opts;
	struct arena *arena;
	struct cluster *source;
	char *source_topic;
	struct admin_topic source_meta;
	struct settings_out settings;
	struct mirror_heads heads;
	json_t *start_offsets;        /* where the mirror begins; NULL: where the source does */
	struct mirror_wish wish;      /* what is recorded, ours or that of whoever was first */
	bool exists;                  /* a live mirror of the same kind is recorded */
	struct uuid destination_id;
	struct adoption adoption;     /* of --adopt */
};

/* The source topic's name, and what the link says of where a mirror begins. */
enum outcome creation_names(struct creation *c, struct err *err) MUST_USE;
/* Looks for the mirror in the view: c->exists with c->wish filled, or not there, or refused. */
enum outcome creation_recorded(struct creation *c, const struct control_log *log, struct err *err) MUST_USE;
/* Which settings the destination's topics have: the control topic tells. */
enum outcome creation_known_settings(struct session *session, struct arena *arena, struct admin_configs *known,
				     struct err *err) MUST_USE;
enum outcome creation_settings(struct creation *c, const struct admin_configs *source, const struct admin_configs *known,
			       struct err *err) MUST_USE;
/* The error of a topic that is in the way. */
enum outcome creation_topic_there(const char *topic, struct err *err);
/* As it is to be made, in c's arena; of the recorded intention, where there is one. */
struct admin_new_topic creation_topic(struct creation *c);
/* A topic that came after the intention: ours if nothing was written to it. */
enum outcome creation_take_over(struct creation *c, struct err *err) MUST_USE;
/* The id of a topic that was made by a broker that does not tell it (before 2.8): asked for until metadata, which lags
 * behind creation, has it. */
enum outcome creation_learn_id(struct creation *c, struct err *err) MUST_USE;

/* Decisions on the log; arg is the creation. What they put into the batch they put last: one that fails puts nothing. */
enum outcome creation_intend(struct control_log *log, struct control_batch *batch, void *arg, struct err *err) MUST_USE;
enum outcome creation_unintend(struct control_log *log, struct control_batch *batch, void *arg, struct err *err) MUST_USE;
enum outcome creation_created(struct control_log *log, struct control_batch *batch, void *arg, struct err *err) MUST_USE;

void creation_fini(struct creation *c);
