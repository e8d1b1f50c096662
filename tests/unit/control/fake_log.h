/* SPDX-License-Identifier: Apache-2.0 */
/* A log in memory behind the seam of compare and append: it keeps sequences as a broker does, and does to appends what
 * the script says. */
#pragma once

#include "base/arena.h"
#include "control/log_update.h"
#include "wire/batch.h"

enum { FAKE_BATCHES = 64 };

enum fake_does {
	FAKE_STORES,          /* as a broker: next sequence stored, the same range answered as if it were */
	FAKE_RIVAL,           /* another writer takes the sequence just before */
	FAKE_FOREIGN,         /* somebody writes just before, with no sequence of ours */
	FAKE_REFUSES,
	FAKE_STORES_SILENTLY, /* stored, no answer */
	FAKE_LOSES,           /* not stored, no answer */
	FAKE_DELAYS,          /* no answer; stored just before the next append */
	FAKE_FATAL            /* a right is missing */
};

struct fake_log {
	struct log_io io;
	struct log_view view;
	struct arena arena;
	struct bytes batches[FAKE_BATCHES];
	int64_t bases[FAKE_BATCHES];
	int n, end;
	int32_t last_sequence;
	int32_t range_from;   /* of the last batch */
	const enum fake_does *script;   /* one per append; afterwards FAKE_STORES */
	int n_script, n_appends, n_made;
	struct bytes delayed;
	int32_t delayed_sequence, delayed_n;
	bool missing;         /* the topic does not exist yet */
	int pauses_left;
};

void fake_log_init(struct fake_log *fake);
void fake_log_fini(struct fake_log *fake);
/* Another writer appends one record. value NULL: a removal. */
void fake_log_put(struct fake_log *fake, const char *key, const char *value);
/* How many records of a key stand in the log. */
int fake_log_count(const struct fake_log *fake, const char *key);
