/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a link that is recorded: shown, changed, and sealed with another key. Sequential, as all verbs. */
#pragma once

#include "control/session.h"

/* A setting as it holds. */
struct link_setting {
	const char *name;
	const char *value;           /* NULL: none, or hidden */
	bool set, read_only, sensitive, hidden;
};

/* Every setting that this version knows, in the order of names. Secrets are hidden, references are shown. Needs no key;
 * what is wrong with the record is noted. */
enum outcome link_config_list(struct session *session, const char *name, struct arena *arena, struct link_setting **rows,
			      int *n, struct err *err) MUST_USE;

struct link_config_change {
	const char *name;
	const struct props *set;
	const char *unset;           /* names with commas, back to the default; NULL: none */
	bool no_validate, dry_run;
};

/* Checks, logs in to the source with the new settings, records. A record that is not authentic is replaced whole by
 * settings with bootstrap.servers, else refused. Where this host lacks what they refer to it does not log in, and a
 * worker is to judge (link_leave_to_worker, link_verdict): *unchecked. *changed: false when all was so already. */
enum outcome link_config_update(struct session *session, const struct link_config_change *change, bool *changed,
				bool *unchecked, struct err *err) MUST_USE;

/* Pure: what `change` makes of the settings now, after what cannot be changed was refused. RC_USAGE, RC_REFUSED. */
int link_config_apply(const struct props *now, const struct link_config_change *change, struct props *next,
		      struct err *err) MUST_USE;

/* All links in one decision: sealed and signed with the new key. Those that have it already stay. One that cannot be read
 * with the key of this host (none: links that are not signed) refuses all. Changes nothing else. */
enum outcome link_rekey(struct session *session, const struct secret_key *key, int *changed, int *already,
			struct err *err) MUST_USE;
