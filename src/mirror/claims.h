/* SPDX-License-Identifier: Apache-2.0 */
/* Claims (fence.h) of lanes that were closed before the claim was proven: it may still land. A lane that is opened again
 * with the same claim number must know of it, or it would take the same numbers twice. One for each filler id. */
#pragma once

#include "mirror/fence.h"

/* All zero: none. */
struct claims {
	struct fence_marker *items;
	int n;
};

void claims_fini(struct claims *claims);
/* Keeps the claim, in place of an older one of its id. */
void claims_leave(struct claims *claims, const struct fence_marker *claim);
/* All zero when none was left with this id. */
struct fence_marker claims_of(const struct claims *claims, int64_t id);
