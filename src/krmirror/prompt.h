/* SPDX-License-Identifier: Apache-2.0 */
/* The one question that deletes ask. */
#pragma once

#include "krmirror/output.h"

/* RC_OK: go on: --yes was given, or the answer was y or yes. Without a terminal and without --yes: RC_REFUSED, and err
 * says how. Any other answer: RC_CANCELLED. */
int prompt_delete(struct output *o, bool yes, struct err *err, const char *what, const char *name) MUST_USE;
/* Tells why it was not confirmed; returns OUTCOME_REFUSED. */
enum outcome prompt_fail(struct output *o, const struct err *err);
