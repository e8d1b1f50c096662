/* SPDX-License-Identifier: Apache-2.0 */
/* What a mirror topic's settings should be now, beside what they are: the decision of TopicConfigsSync. Pure.
 *
 * Three classes. Those that a topic must have as they are while it is mirrored (setting_is_forced) are put back, and
 * max.message.bytes and cleanup.policy follow the source; what the source sets is recorded, for promotion. The others
 * that topic.config.sync.include names are applied as the source topic sets them, or go back to the broker's default
 * where it sets none. All the rest is left alone, and so is what was given with --config. */
#pragma once

#include "control/settings.h"

struct config_seen {
	const struct mirror_wish *wish;
	const struct admin_configs *source, *here;   /* of config_keys, at least */
	const char *include;         /* topic.config.sync.include; NULL: the default */
	bool policy_opened;          /* as in mirror_state: cleanup.policy is not ours now */
};

struct config_plan {
	json_t *settings;            /* of the wish, to be recorded first; NULL: as recorded */
	json_t *create_settings;     /* likewise */
	json_t *alter;               /* name -> value, or null: to the broker's default; empty: nothing */
	json_t *put_back;            /* set: those of alter that somebody changed here by hand */
};

/* The caller ends it with config_plan_fini. False: there is nothing to do. */
bool config_plan(const struct config_seen *seen, struct config_plan *plan);
void config_plan_fini(struct config_plan *plan);

enum { CONFIG_KEYS_MAX = 32 };
/* The settings that the decision looks at, with this topic.config.sync.include (NULL: the default): how many. */
int config_keys(const char *include, const char *list[CONFIG_KEYS_MAX]);
/* Whether a setting follows the source. include NULL: the default list. */
bool config_follows(const char *include, const char *name);
/* A list of the user: names that are known and may follow, with those that always do. RC_USAGE. */
int config_include_check(const char *include, struct err *err) MUST_USE;
/* What a promotion sets of those that follow the source: name -> value, or null, as the source has them now. The caller
 * drops the reference. */
json_t *config_latest(const struct mirror_wish *wish, const struct admin_configs *source, const char *include);
