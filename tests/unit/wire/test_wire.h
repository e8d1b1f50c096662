/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/codec.h"

#include <check.h>

TCase *crc_tests(void);
TCase *batch_tests(void);
TCase *codec_tests(void);
TCase *hostile_tests(void);
TCase *kmsgc_tests(void);
TCase *golden_tests(void);
TCase *kerr_tests(void);
TCase *rewrite_tests(void);
TCase *golden_batches_tests(void);
TCase *bad_batch_tests(void);

/* A small generator, so that a failure can be repeated from its seed. */
uint64_t rnd(uint64_t *seed);
/* 0 ... n - 1 */
uint32_t rnd_below(uint64_t *seed, uint32_t n);

/* Fills a message with random contents that the version can carry; what does not exist in it stays its default.
 * Strings, arrays and records lie in the arena. */
void random_msg(uint64_t *seed, const struct msg_desc *desc, int16_t version, struct arena *arena, void *msg);

/* The slices of an encoded frame as one piece in the arena. */
uint8_t *joined(const struct encoded *e, struct arena *arena);

/* Calls for every API, version of its table, and direction. */
typedef void each_fn(const struct api_desc *api, int16_t version, bool request, void *arg);
void each_message(each_fn *fn, void *arg);
