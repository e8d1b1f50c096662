/* SPDX-License-Identifier: Apache-2.0 */
/* Compare and append over a seam, so that a test can be the log. Used by log.c. */
#pragma once

#include "control/log_view.h"

struct batch_put {
	char *key;
	json_t *value;   /* NULL: removal */
	const struct secret_key *key_of_link;   /* a link's record is signed with it; NULL: not */
};

struct control_batch {
	struct batch_put *items;
	int n;
};

enum log_sent {
	LOG_SENT_OK,        /* answered: *base is where it stands, or where the one stands that took the sequence */
	LOG_SENT_REFUSED,   /* certainly not stored */
	LOG_SENT_UNKNOWN    /* may be stored, now or later */
};

struct log_io {
	/* The last sequence of the fixed producer id in the log; -1: the id is not known. */
	enum outcome (*sequence)(struct log_io *io, int32_t *last, struct err *err);
	/* Reads the view up to the log end as it is now, *end. Asked after `sequence`, never before. */
	enum outcome (*read_to_end)(struct log_io *io, int64_t *end, struct err *err);
	/* Sends the records at a sequence. *fatal: no other try is worth it (a right is missing), err filled. */
	enum log_sent (*append)(struct log_io *io, const struct control_batch *batch, int32_t sequence, int64_t *base,
				bool *fatal, struct err *err);
	/* Makes the topic; only called while it does not exist. */
	enum outcome (*make)(struct log_io *io, struct err *err);
	bool (*exists)(struct log_io *io);
	/* Between two tries; false when the deadline leaves no room for another. */
	bool (*pause)(struct log_io *io);
	struct log_view *view;
};

void control_batch_fini(struct control_batch *batch);
enum outcome log_update(struct log_io *io, struct control_log *log, control_decide_fn *decide, void *arg,
			bool *appended, struct err *err);
/* The sequence after `last`, or the one that the log end gives for an unknown id. */
int32_t log_next_sequence(int32_t last, int64_t end);
