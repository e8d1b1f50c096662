/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, delays and lost connections that are asked for: API:ERROR[:COUNT][:DELAY]. Several rules of one API are
 * used up one after the other. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum fault_effect {
	FAULT_DELAY,        /* only the delay */
	FAULT_ERROR,
	FAULT_DROP,         /* the connection ends before the request is looked at */
	FAULT_DROP_AFTER    /* ... after it was done, without the answer */
};

struct fault {
	int16_t api_key;
	enum fault_effect kind;
	int16_t code;
	int32_t left;       /* requests; -1: all */
	int32_t delay_ms;
};

struct faults {
	struct fault *items;
	int n;
};

int fault_parse(const char *spec, struct fault *fault, struct err *err) MUST_USE;
void faults_add(struct faults *faults, const struct fault *fault);
void faults_fini(struct faults *faults);
/* The rule for the next request of an API, counted down; false: none. */
bool faults_take(struct faults *faults, int16_t api_key, struct fault *fault);
/* True when the write that gets this error stands in the log nevertheless (7 and 20). */
bool fault_after_write(int16_t code);
