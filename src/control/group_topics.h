/* SPDX-License-Identifier: Apache-2.0 */
/* The topics of a link that groups are kept in step for, from the control log's view. Only for control/ and the worker. */
#pragma once

#include "control/group_sync.h"

/* Mirrors that are created and not STOPPED: all of the link (n 0), or those that are named. Returns how many; in the
 * arena. */
int group_topics_of_log(struct session *session, const char *link, const char *const *topics, int n,
			struct arena *arena, struct group_topic **found);
/* The entry's partition stopped for a reason that does not pass by itself: offsets there may mean other records. */
bool group_partition_failed(const struct partition_state *entry);
