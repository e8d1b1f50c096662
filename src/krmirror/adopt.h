/* SPDX-License-Identifier: Apache-2.0 */
/* The comparison of mirror create --adopt: src/proof with progress. */
#pragma once

#include "control/mirrors.h"
#include "krmirror/cli.h"

/* adopt_opts.prove; owner is the struct cli. Without --timeout it takes as long as it takes, and what follows has the
 * default time. */
enum outcome adopt_compare(void *owner, const struct adopt_question *question, struct err *err);
