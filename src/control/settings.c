/* SPDX-License-Identifier: Apache-2.0 */
/* Three kinds of settings:
 *  - forced while the topic is mirrored (offsets, timestamps and bytes must stay as they came, nothing may expire): set
 *    at creation, and the source's own value at promotion;
 *  - never copied: placement, policies of the cluster, what needs a feature there;
 *  - the rest: what the source topic sets itself is set at creation and stays. */
#include "control/settings.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE_TOPIC = 1 };

/* The smallest batch limit that is always given, and the bytes that a rewritten batch may gain. */
static const int64_t message_bytes_min = 1048588;

static const char *const forced[] = {
	"cleanup.policy", "retention.ms", "retention.bytes", "compression.type", "message.timestamp.type",
	"message.timestamp.before.max.ms", "message.timestamp.after.max.ms", "message.timestamp.difference.max.ms",
	"max.message.bytes",
};

static const char *const never[] = {
	"leader.replication.throttled.replicas", "follower.replication.throttled.replicas", "min.insync.replicas",
	"unclean.leader.election.enable", "message.format.version", "message.downconversion.enable",
	"compression.gzip.level", "compression.lz4.level", "compression.zstd.level",
};

static bool among(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

bool setting_is_forced(const char *name)
{
	return among(forced, ARRAY_LEN(forced), name);
}

static bool never_copied(const char *name)
{
	return among(never, ARRAY_LEN(never), name) || strncmp(name, "remote.", 7) == 0 ||
	       strncmp(name, "local.retention.", 16) == 0 || strncmp(name, "confluent.", 10) == 0;
}

static bool is_known(const struct settings_in *in, const char *name)
{
	return admin_config_find(in->known, name) != NULL;
}

/* The effective value, whoever set it. */
static const char *source_value(const struct settings_in *in, const char *name)
{
	const struct admin_config *c = admin_config_find(in->source, name);

	return c == NULL ? NULL : c->value;
}

static void set(json_t *object, const char *name, const char *value)
{
	CHECK(json_object_set_new(object, name, value == NULL ? json_null() : json_string(value)) == 0);
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p != NULL; p = strchr(p, ',')) {
		p += strspn(p, ", ");
		if (strncmp(p, word, len) == 0 && (p[len] == '\0' || p[len] == ',' || p[len] == ' '))
			return true;
	}
	return false;
}

/* While it is mirrored delete means nothing expires, so that a dead source's last copy does not either. */
static const char *policy(const struct settings_in *in)
{
	const char *source = source_value(in, "cleanup.policy");
	bool compact = source != NULL && has_word(source, "compact");
	bool delete = source == NULL || has_word(source, "delete") || !compact;

	return compact && delete ? "compact,delete" : compact ? "compact" : "delete";
}

static void force(const struct settings_in *in, json_t *create)
{
	static const char open[] = "9223372036854775807";
	const char *max = source_value(in, "max.message.bytes");
	char bytes[24];

	set(create, "cleanup.policy", policy(in));
	set(create, "retention.ms", "-1");
	set(create, "retention.bytes", "-1");
	set(create, "compression.type", "producer");
	set(create, "message.timestamp.type", "CreateTime");
	if (is_known(in, "message.timestamp.before.max.ms")) {
		set(create, "message.timestamp.before.max.ms", open);
		set(create, "message.timestamp.after.max.ms", open);
	} else {
		set(create, "message.timestamp.difference.max.ms", open);
	}
	snprintf(bytes, sizeof(bytes), "%lld",
		 (long long)MAX(max == NULL ? 0 : strtoll(max, NULL, 10), (long long)message_bytes_min));
	set(create, "max.message.bytes", bytes);
}

/* What the source's own value of a forced setting is called on the destination; NULL: it has no such thing. */
static const char *name_there(const struct settings_in *in, const char *name)
{
	if (is_known(in, name))
		return name;
	return NULL;
}

/* At promotion every setting that was forced gets the source topic's own value, or goes back to the default. */
static void promise(const struct settings_in *in, const json_t *create, json_t *promotion)
{
	const struct admin_config *difference = admin_config_find(in->source, "message.timestamp.difference.max.ms");

	for (size_t i = 0; i < ARRAY_LEN(forced); i++) {
		const struct admin_config *c = admin_config_find(in->source, forced[i]);

		if (json_object_get(create, forced[i]) != NULL)
			set(promotion, forced[i], c != NULL && c->source == SOURCE_TOPIC ? c->value : NULL);
	}
	/* The one limit of old brokers is two on new ones. */
	if (difference != NULL && difference->source == SOURCE_TOPIC &&
	    admin_config_find(in->source, "message.timestamp.before.max.ms") == NULL &&
	    json_object_get(create, "message.timestamp.before.max.ms") != NULL) {
		set(promotion, "message.timestamp.before.max.ms", difference->value);
		set(promotion, "message.timestamp.after.max.ms", difference->value);
	}
}

static void copy_own(const struct settings_in *in, json_t *create)
{
	for (int i = 0; i < in->source->n; i++) {
		const struct admin_config *c = &in->source->items[i];

		if (c->source == SOURCE_TOPIC && c->value != NULL && !c->read_only && !setting_is_forced(c->name) &&
		    !never_copied(c->name) && name_there(in, c->name) != NULL)
			set(create, c->name, c->value);
	}
}

static int take_given(const struct settings_in *in, struct settings_out *out, struct err *err)
{
	for (int i = 0; in->given != NULL && i < in->given->n; i++) {
		const struct prop *prop = &in->given->items[i];

		if (!is_known(in, prop->key)) {
			err_set(err, RC_USAGE, "--config: the destination knows no topic setting \"%s\"", prop->key);
			return RC_USAGE;
		}
		set(out->given, prop->key, prop->value);
		set(setting_is_forced(prop->key) ? out->promotion : out->create, prop->key, prop->value);
	}
	return RC_OK;
}

int settings_plan(const struct settings_in *in, struct settings_out *out, struct err *err)
{
	out->create = json_object();
	out->promotion = json_object();
	out->given = json_object();
	copy_own(in, out->create);
	force(in, out->create);
	promise(in, out->create, out->promotion);
	return take_given(in, out, err);
}
