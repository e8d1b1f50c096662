/* SPDX-License-Identifier: Apache-2.0 */
#include "control/topic_rules.h"

#include "base/mem.h"
#include "control/canary.h"
#include "control/keys.h"
#include "control/link_conf.h"

#include <string.h>
#include <strings.h>

/* The library's matcher takes memory and time by what an expression repeats. */
enum { REGEX_MAX = 1000, REPEATS_MAX = 255 };

#define TOPIC "${topic}"

/* --- reading ------------------------------------------------------------------------------------------------- */

static int bad_regex(struct err *err, const char *regex, const char *why)
{
	err_set(err, RC_USAGE, "mirror.topics.regex \"%.100s\": %s", regex, why);
	return err_hint(err, "a POSIX extended regular expression that the whole name matches, or several with commas "
			"between them");
}

/* NULL: nothing that would be dear. */
static const char *too_dear(const char *regex)
{
	int braces = 0;

	if (strlen(regex) > REGEX_MAX)
		return "too long";
	for (const char *p = regex; *p != '\0'; p++) {
		if (*p == '\\' && p[1] >= '1' && p[1] <= '9')
			return "back references are not supported";
		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '{' && ++braces > 1)
			return "only one repetition {N,M} is supported";
		else if (*p == '{' && strtol(p + 1, NULL, 10) > REPEATS_MAX)
			return "a repetition of more than 255";
		else if (*p == '{' && strchr(p, ',') != NULL && strtol(strchr(p, ',') + 1, NULL, 10) > REPEATS_MAX)
			return "a repetition of more than 255";
	}
	return NULL;
}

/* Names hold no comma: one outside braces and brackets stands between expressions, as MirrorMaker 2 has it. */
static char *whole(const char *regex)
{
	char *text = xasprintf("^(%s)$", regex);
	int depth = 0;

	for (char *p = text; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && depth > 0)
			depth--;
		else if (*p == ',' && depth == 0)
			*p = '|';
	}
	return text;
}

static int read_regex(struct topic_rules *rules, const char *regex, struct err *err)
{
	const char *why = too_dear(regex);
	char text[200], *all;
	int rc;

	if (why != NULL)
		return bad_regex(err, regex, why);
	all = whole(regex);
	rc = regcomp(&rules->regex, all, REG_EXTENDED | REG_NOSUB);
	xfree(all);
	if (rc != 0) {
		regerror(rc, &rules->regex, text, sizeof(text));
		return bad_regex(err, regex, text);
	}
	rules->has_regex = true;
	return RC_OK;
}

static int read_format(struct topic_rules *rules, const char *format, struct err *err)
{
	const char *at = strstr(format, TOPIC);
	char *around;
	bool good;

	if (at == NULL || strstr(at + 1, TOPIC) != NULL) {
		err_set(err, RC_USAGE, "mirror.topic.rename.format=%.100s does not have " TOPIC " once", format);
		return err_hint(err, "for example east." TOPIC " or " TOPIC ".copy");
	}
	rules->before = xstrndup(format, (size_t)(at - format));
	rules->after = xstrdup(at + strlen(TOPIC));
	around = xasprintf("%st%s", rules->before, rules->after);
	good = topic_name_valid(around);
	xfree(around);
	if (!good)
		return err_set(err, RC_USAGE, "mirror.topic.rename.format=%.100s makes names that no topic can have",
			       format);
	return RC_OK;
}

static const char *text_of(const struct props *props, const char *key)
{
	const char *value = keys_text(&link_key_table, props, key);

	return value != NULL ? value : "";
}

int topic_rules_read(struct topic_rules *rules, const struct props *props, const char *control_topic, struct err *err)
{
	const char *filters = text_of(props, "auto.create.mirror.topics.filters");
	const char *regex = text_of(props, "mirror.topics.regex");
	bool quoted;
	int rc = RC_OK;

	*rules = (struct topic_rules){ .prefix = xstrdup(text_of(props, "cluster.link.prefix")) };
	rules->control_topic = control_topic != NULL ? xstrdup(control_topic) : NULL;
	if (filters[0] != '\0') {
		json_t *json = keys_json(filters, &quoted, err);

		if (json == NULL)
			return err->rc;
		rules->filters = json_incref(json_object_get(json, "topicFilters"));
		json_decref(json);
	}
	if (regex[0] != '\0')
		rc = read_regex(rules, regex, err);
	return rc == RC_OK ? read_format(rules, text_of(props, "mirror.topic.rename.format"), err) : rc;
}

void topic_rules_fini(struct topic_rules *rules)
{
	json_decref(rules->filters);
	if (rules->has_regex)
		regfree(&rules->regex);
	xfree(rules->prefix);
	xfree(rules->before);
	xfree(rules->after);
	xfree(rules->control_topic);
	*rules = (struct topic_rules){ 0 };
}

/* --- which topics -------------------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
	size_t n = strlen(text), m = strlen(with);

	return n >= m && strcmp(text + n - m, with) == 0;
}

static bool never(const struct topic_rules *rules, const char *topic)
{
	static const char *const names[] = {
		"__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata",
		"__remote_log_metadata", "_krmirror",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(topic, names[i]) == 0)
			return true;
	return canary_is(topic) ||
	       (rules->control_topic != NULL && strcmp(topic, rules->control_topic) == 0);
}

static bool of_mirror_maker(const char *topic)
{
	return ends(topic, ".internal") || ends(topic, "-internal") || strcmp(topic, "heartbeats") == 0 ||
	       ends(topic, ".heartbeats");
}

static const char *field(const json_t *filter, const char *name)
{
	const char *value = json_string_value(json_object_get(filter, name));

	return value != NULL ? value : "";
}

static bool is_exclude(const json_t *filter)
{
	return strcasecmp(field(filter, "filterType"), "EXCLUDE") == 0 ||
	       strcasecmp(field(filter, "filterType"), "BLACKLIST") == 0;
}

static enum topic_match match_one(const json_t *filter, const char *topic)
{
	const char *name = field(filter, "name");

	if (strcasecmp(field(filter, "patternType"), "PREFIXED") == 0)
		return begins(topic, name) ? TOPIC_WIDE : TOPIC_OUT;
	if (strcmp(name, "*") == 0)
		return TOPIC_WIDE;
	return strcmp(name, topic) == 0 ? TOPIC_LITERAL : TOPIC_OUT;
}

enum topic_match topic_rules_match(const struct topic_rules *rules, const char *topic)
{
	enum topic_match best = TOPIC_OUT;
	const json_t *filter;
	size_t i;

	if (never(rules, topic))
		return TOPIC_OUT;
	if (rules->has_regex && regexec(&rules->regex, topic, 0, NULL, 0) == 0)
		best = TOPIC_WIDE;
	json_array_foreach(rules->filters, i, filter) {
		enum topic_match one = match_one(filter, topic);

		if (one == TOPIC_OUT)
			continue;
		if (is_exclude(filter))
			return TOPIC_OUT;
		if (best != TOPIC_LITERAL)
			best = one;
	}
	return best == TOPIC_WIDE && of_mirror_maker(topic) ? TOPIC_OUT : best;
}

bool topic_rules_are_wide(const struct topic_rules *rules)
{
	const json_t *filter;
	size_t i;

	json_array_foreach(rules->filters, i, filter)
		if (!is_exclude(filter) && (strcasecmp(field(filter, "patternType"), "PREFIXED") == 0 ||
					    strcmp(field(filter, "name"), "*") == 0))
			return true;
	return rules->has_regex;
}

/* --- names --------------------------------------------------------------------------------------------------- */

char *topic_rules_mirror(const struct topic_rules *rules, const char *topic)
{
	return xasprintf("%s%s%s%s", rules->prefix, rules->before, topic, rules->after);
}

char *topic_rules_source(const struct topic_rules *rules, const char *mirror)
{
	size_t prefix = strlen(rules->prefix) + strlen(rules->before), after = strlen(rules->after), n = strlen(mirror);

	if (!begins(mirror, rules->prefix) || !begins(mirror + strlen(rules->prefix), rules->before) ||
	    !ends(mirror, rules->after) || n <= prefix + after)
		return NULL;
	return xstrndup(mirror + prefix, n - prefix - after);
}
