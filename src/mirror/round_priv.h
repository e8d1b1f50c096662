/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of rounds share: round.c asks, round_ends.c and round_batches.c say what the answers mean. */
#pragma once

#include "mirror/opening.h"

/* The calls of ENDS and SOURCE, in the order in which they are sent and answered. */
enum { END_BEFORE, HW_BEFORE, PRODUCERS, END_AFTER, HW_AFTER, LOCAL_START, N_ENDS };
enum { SOURCE_END, SOURCE_START, N_SOURCE };

/* By the names of the side that is asked. */
struct str round_topic(const struct round *r, const struct mirror_lane *ml);
/* A partition's error: it passes (asked again, with fresh metadata), or it is a missing right. */
void round_partition_error(struct round *r, struct mirror_lane *ml, int16_t code, const char *right);

/* The answer for lane i of the round; moves it on, or has it asked again. */
void round_take_ends(struct round *r, int i);
void round_take_source(struct round *r, int i);
void round_take_epoch(struct round *r, int i);
void round_take_tail(struct round *r, int i);
void round_take_local(struct round *r, int i);
void round_take_compare(struct round *r, int i);
