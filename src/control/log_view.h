/* SPDX-License-Identifier: Apache-2.0 */
/* The view of a control log: bytes of fetched batches in, key -> latest record out. Pure. Used by log.c, and by tests. */
#pragma once

#include "control/log.h"

/* An append under way: what is looked for when the log is read back. */
struct log_append {
	char (*ids)[APPEND_ID_LEN + 1];  /* of all tries of one update; the last one is the newest */
	int n_ids;
	int64_t base;                    /* where the broker said that the newest stands; -1: it did not */
	const char *first_key;           /* of the newest, when its first record is a removal; else NULL */
	bool landed;                     /* one of them stands in the log, where it was meant to */
	int landed_id;                   /* which */
};

struct log_view {
	struct control_record **items;   /* by key */
	int n;
	int64_t position;                /* next offset to read; -1: not known yet */
	int64_t foreign;
	struct log_append *append;       /* or NULL */
};

void log_view_reset(struct log_view *view);   /* empty, position -1; the append stays */
void log_view_fini(struct log_view *view);
/* Takes what a fetch at view->position brought; records below the position are passed over. */
void log_view_take(struct log_view *view, const uint8_t *data, int32_t len);
const struct control_record *log_view_get(const struct log_view *view, const char *key);
const struct control_record *log_view_next(const struct log_view *view, enum record_kind kind,
					   const struct control_record *after);
