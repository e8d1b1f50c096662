/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "client/admin_acl.h"
#include "krmirror/both.h"

enum { FAKE_PARTITIONS = 2 };

struct fake_both {
	/* what is found */
	enum outcome open, errors;
	int32_t n_source, n_destination;
	bool stopped, timed_out;
	struct proof_partition partitions[FAKE_PARTITIONS];
	struct admin_configs settings[COMPARE_SIDES];
	struct admin_acls acls[COMPARE_SIDES];
	struct record_view record;      /* given for each that only the source has */
	/* what was asked */
	int64_t from[FAKE_PARTITIONS], to[FAKE_PARTITIONS], sample;
	int acls_asked;
};

extern struct fake_both fake_both;
