/* SPDX-License-Identifier: Apache-2.0 */
/* Canaries: the topics and groups of a drill (krmirror-drills(7)). Their names begin with krmirror-drill-, and no filter
 * of any link takes them, whatever it says: not auto-create, not the offsets of groups, not ACLs. Pure. */
#pragma once

#include <stdbool.h>

#define CANARY_PREFIX "krmirror-drill-"

/* Whether a topic or group is a canary. */
bool canary_is(const char *name);
