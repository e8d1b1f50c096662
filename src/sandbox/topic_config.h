/* SPDX-License-Identifier: Apache-2.0 */
/* The topic settings that the broker knows: their defaults, what values they take, and the values of one topic. */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Those that the sandbox acts on; all others are kept and told, nothing more. */
enum topic_setting {
	SETTING_CLEANUP_POLICY, SETTING_COMPRESSION_TYPE, SETTING_MAX_MESSAGE_BYTES, SETTING_TIMESTAMP_AFTER_MAX_MS,
	SETTING_TIMESTAMP_BEFORE_MAX_MS, SETTING_TIMESTAMP_TYPE, SETTING_MIN_INSYNC_REPLICAS, SETTING_SEGMENT_BYTES,
	SETTING_SEGMENT_MS, SETTING_DELETE_RETENTION_MS, SETTING_MIN_CLEANABLE_DIRTY_RATIO,
	SETTING_MIN_COMPACTION_LAG_MS, SETTING_OTHER, N_SETTINGS = 33
};

/* ConfigDef.Type as DescribeConfigs tells it. */
enum setting_type {
	SETTING_BOOLEAN = 1, SETTING_STRING = 2, SETTING_INT = 3, SETTING_LONG = 5, SETTING_DOUBLE = 6, SETTING_LIST = 7
};

struct setting_desc {
	const char *name;
	enum setting_type type;
	const char *initial;
	int64_t min;               /* of numbers */
	const char *words;         /* of strings and lists: the allowed ones, separated by blanks; NULL: any */
};

struct topic_config {
	char *values[N_SETTINGS];  /* NULL: the default */
	int64_t numbers[N_SETTINGS];
};

/* AlterConfigOp of IncrementalAlterConfigs. */
enum setting_op { SETTING_SET, SETTING_DELETE, SETTING_APPEND, SETTING_SUBTRACT };

void topic_config_init(struct topic_config *conf);
void topic_config_fini(struct topic_config *conf);
void topic_config_copy(struct topic_config *to, const struct topic_config *from);

const struct setting_desc *setting_at(int i);
/* -1: there is no such setting. */
int setting_find(struct str name);
/* The value that holds. */
const char *topic_config_get(const struct topic_config *conf, int i);

/* Changes one setting. False, with a sentence in why, when the name or value is not allowed; nothing is changed. */
bool topic_config_alter(struct topic_config *conf, struct str name, enum setting_op op, struct str value,
			char why[160]);

bool topic_config_compacts(const struct topic_config *conf);
bool topic_config_deletes(const struct topic_config *conf);
bool topic_config_log_append_time(const struct topic_config *conf);
