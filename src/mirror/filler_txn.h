/* SPDX-License-Identifier: Apache-2.0 */
/* Fills of one lane by empty transactions, where the right for markers is missing. */
#pragma once

#include "mirror/mirror_priv.h"

/* There is something to fill. */
void filler_txn_ready(struct mirror_lane *ml);
/* Nothing new is asked; what is in flight is waited for (filler_txn_busy). */
void filler_txn_stop(struct mirror_lane *ml);
bool filler_txn_busy(const struct mirror_lane *ml);
/* Whoever filled before is fenced, and his markers stand in the log. */
bool filler_txn_initialised(const struct mirror_lane *ml);
/* Only when it is not busy. */
void filler_txn_free(struct mirror_lane *ml);
