/* SPDX-License-Identifier: Apache-2.0 */
/* What `group list` shows: measured from both clusters, with the plan that a worker follows. */
#pragma once

#include "control/group_sync.h"

struct group_report {
	struct group_info *groups;        /* skipped and behind first, then by name */
	int n;
	bool configured;                  /* consumer.offset.sync.enable */
};

/* Everything lives in the arena. Commits nothing. */
enum outcome report_groups(struct session *session, const char *link, struct arena *arena, struct group_report *report,
			   struct err *err) MUST_USE;
