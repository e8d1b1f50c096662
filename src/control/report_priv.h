/* SPDX-License-Identifier: Apache-2.0 */
/* What the report files share. */
#pragma once

#include "base/arena.h"

const char *report_keep(struct arena *arena, const char *s);
