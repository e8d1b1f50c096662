/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/topic_config.h"

#include "base/mem.h"

#include <errno.h>

#define LONG_MAX_TEXT "9223372036854775807"

/* The first ones in the order of enum topic_setting. */
static const struct setting_desc settings[N_SETTINGS] = {
	{ "cleanup.policy", SETTING_LIST, "delete", 0, "compact delete" },
	/* The others make a broker pack batches anew, which krsandbox does not. */
	{ "compression.type", SETTING_STRING, "producer", 0, "producer" },
	{ "max.message.bytes", SETTING_INT, "1048588", 0, NULL },
	{ "message.timestamp.after.max.ms", SETTING_LONG, "3600000", 0, NULL },
	{ "message.timestamp.before.max.ms", SETTING_LONG, LONG_MAX_TEXT, 0, NULL },
	{ "message.timestamp.type", SETTING_STRING, "CreateTime", 0, "CreateTime LogAppendTime" },
	{ "min.insync.replicas", SETTING_INT, "1", 1, NULL },
	{ "segment.bytes", SETTING_INT, "1073741824", 1048576, NULL },
	{ "segment.ms", SETTING_LONG, "604800000", 1, NULL },
	{ "delete.retention.ms", SETTING_LONG, "86400000", 0, NULL },
	{ "min.cleanable.dirty.ratio", SETTING_DOUBLE, "0.5", 0, NULL },
	{ "min.compaction.lag.ms", SETTING_LONG, "0", 0, NULL },
	{ "compression.gzip.level", SETTING_INT, "-1", -1, NULL },
	{ "compression.lz4.level", SETTING_INT, "9", 1, NULL },
	{ "compression.zstd.level", SETTING_INT, "3", -131072, NULL },
	{ "file.delete.delay.ms", SETTING_LONG, "60000", 0, NULL },
	{ "flush.messages", SETTING_LONG, LONG_MAX_TEXT, 1, NULL },
	{ "flush.ms", SETTING_LONG, LONG_MAX_TEXT, 0, NULL },
	{ "follower.replication.throttled.replicas", SETTING_LIST, "", 0, NULL },
	{ "index.interval.bytes", SETTING_INT, "4096", 0, NULL },
	{ "leader.replication.throttled.replicas", SETTING_LIST, "", 0, NULL },
	{ "local.retention.bytes", SETTING_LONG, "-2", -2, NULL },
	{ "local.retention.ms", SETTING_LONG, "-2", -2, NULL },
	{ "max.compaction.lag.ms", SETTING_LONG, LONG_MAX_TEXT, 1, NULL },
	{ "preallocate", SETTING_BOOLEAN, "false", 0, "true false" },
	{ "remote.log.copy.disable", SETTING_BOOLEAN, "false", 0, "true false" },
	{ "remote.log.delete.on.disable", SETTING_BOOLEAN, "false", 0, "true false" },
	{ "remote.storage.enable", SETTING_BOOLEAN, "false", 0, "false" },
	{ "retention.bytes", SETTING_LONG, "-1", INT64_MIN, NULL },
	{ "retention.ms", SETTING_LONG, "604800000", -1, NULL },
	{ "segment.index.bytes", SETTING_INT, "10485760", 4, NULL },
	{ "segment.jitter.ms", SETTING_LONG, "0", 0, NULL },
	{ "unclean.leader.election.enable", SETTING_BOOLEAN, "false", 0, "true false" },
};

static int64_t number_of(const char *text)
{
	return strtoll(text, NULL, 10);
}

void topic_config_init(struct topic_config *conf)
{
	*conf = (struct topic_config){ 0 };
	for (int i = 0; i < N_SETTINGS; i++)
		conf->numbers[i] = number_of(settings[i].initial);
}

void topic_config_fini(struct topic_config *conf)
{
	for (int i = 0; i < N_SETTINGS; i++)
		xfree(conf->values[i]);
}

void topic_config_copy(struct topic_config *to, const struct topic_config *from)
{
	*to = *from;
	for (int i = 0; i < N_SETTINGS; i++)
		if (from->values[i] != NULL)
			to->values[i] = xstrdup(from->values[i]);
}

const struct setting_desc *setting_at(int i)
{
	return &settings[i];
}

int setting_find(struct str name)
{
	for (int i = 0; i < N_SETTINGS; i++)
		if (str_is(name, settings[i].name))
			return i;
	return -1;
}

const char *topic_config_get(const struct topic_config *conf, int i)
{
	return conf->values[i] != NULL ? conf->values[i] : settings[i].initial;
}

/* Whether item stands in a list whose parts are separated by sep. */
static bool list_has(const char *list, const char *item, size_t len, char sep)
{
	while (*list != '\0') {
		size_t n = strcspn(list, (char[]){ sep, '\0' });

		if (n == len && memcmp(list, item, len) == 0)
			return true;
		list += n + (list[n] != '\0');
	}
	return false;
}

static bool number_ok(const struct setting_desc *desc, const char *text)
{
	char *end;

	errno = 0;
	if (desc->type == SETTING_DOUBLE) {
		double d = strtod(text, &end);

		return *text != '\0' && *end == '\0' && d >= (double)desc->min && d <= 1.0;
	}
	{
		long long n = strtoll(text, &end, 10);

		return *text != '\0' && *end == '\0' && errno == 0 && n >= desc->min &&
		       (desc->type == SETTING_LONG || n <= INT32_MAX);
	}
}

static bool words_ok(const struct setting_desc *desc, const char *text)
{
	if (desc->words == NULL)
		return true;
	if (desc->type != SETTING_LIST)
		return list_has(desc->words, text, strlen(text), ' ');
	while (*text != '\0') {
		size_t n = strcspn(text, ",");

		if (!list_has(desc->words, text, n, ' '))
			return false;
		text += n + (text[n] != '\0');
	}
	return true;
}

static bool value_ok(const struct setting_desc *desc, const char *text)
{
	switch (desc->type) {
	case SETTING_INT:
	case SETTING_LONG:
	case SETTING_DOUBLE:
		return number_ok(desc, text);
	case SETTING_BOOLEAN:
	case SETTING_STRING:
	case SETTING_LIST:
		return words_ok(desc, text);
	}
	return false;
}

/* The list with items appended, or without them. */
static char *list_change(const char *list, struct str items, bool append)
{
	char *out = xstrdup("");

	while (*list != '\0') {
		size_t n = strcspn(list, ",");
		char *with = xstrndup(items.data, (size_t)items.len);

		if (append || !list_has(with, list, n, ',')) {
			char *longer = xasprintf("%s%s%.*s", out, *out != '\0' ? "," : "", (int)n, list);

			xfree(out);
			out = longer;
		}
		xfree(with);
		list += n + (list[n] != '\0');
	}
	if (append && items.len > 0) {
		char *longer = xasprintf("%s%s%.*s", out, *out != '\0' ? "," : "", STR_ARG(items));

		xfree(out);
		out = longer;
	}
	return out;
}

bool topic_config_alter(struct topic_config *conf, struct str name, enum setting_op op, struct str value,
			char why[160])
{
	int i = setting_find(name);
	char *text = NULL;

	if (i < 0) {
		snprintf(why, 160, "Unknown topic config name: %.*s", MIN(name.len, 80), name.data);
		return false;
	}
	if (op != SETTING_DELETE && value.len < 0) {
		snprintf(why, 160, "Null value not supported for topic configs: %s", settings[i].name);
		return false;
	}
	if ((op == SETTING_APPEND || op == SETTING_SUBTRACT) && settings[i].type != SETTING_LIST) {
		snprintf(why, 160, "Config value append is not allowed for config key: %s", settings[i].name);
		return false;
	}
	if (op == SETTING_SET)
		text = xstrndup(value.data, (size_t)value.len);
	else if (op != SETTING_DELETE)
		text = list_change(topic_config_get(conf, i), value, op == SETTING_APPEND);
	if (text != NULL && !value_ok(&settings[i], text)) {
		snprintf(why, 160, "Invalid value %.60s for configuration %s", text, settings[i].name);
		xfree(text);
		return false;
	}
	xfree(conf->values[i]);
	conf->values[i] = text;
	conf->numbers[i] = number_of(topic_config_get(conf, i));
	return true;
}

static bool policy_has(const struct topic_config *conf, const char *word)
{
	return list_has(topic_config_get(conf, SETTING_CLEANUP_POLICY), word, strlen(word), ',');
}

bool topic_config_compacts(const struct topic_config *conf)
{
	return policy_has(conf, "compact");
}

bool topic_config_deletes(const struct topic_config *conf)
{
	return policy_has(conf, "delete");
}

bool topic_config_log_append_time(const struct topic_config *conf)
{
	return strcmp(topic_config_get(conf, SETTING_TIMESTAMP_TYPE), "LogAppendTime") == 0;
}
