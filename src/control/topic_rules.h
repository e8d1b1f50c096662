/* SPDX-License-Identifier: Apache-2.0 */
/* Which topics of the source a link mirrors by itself, and what they are called: the filters of auto-create,
 * mirror.topics.regex, cluster.link.prefix and mirror.topic.rename.format. Pure. */
#pragma once

#include "control/props.h"

#include <jansson.h>
#include <regex.h>

struct topic_rules {
	json_t *filters;             /* array; NULL: none */
	bool has_regex;
	regex_t regex;
	char *prefix;                /* "" */
	char *before, *after;        /* of the rename format: around the topic's name */
	char *control_topic;
};

/* Checked properties of a link. control_topic may be NULL. RC_USAGE: mirror.topics.regex or
 * mirror.topic.rename.format is not what it must be; topic_rules_fini is right after that too. */
int topic_rules_read(struct topic_rules *rules, const struct props *props, const char *control_topic,
		     struct err *err) MUST_USE;
void topic_rules_fini(struct topic_rules *rules);

enum topic_match {
	TOPIC_OUT,
	TOPIC_LITERAL,               /* named as it is by an INCLUDE */
	TOPIC_WIDE                   /* by a star, a prefix or the expression */
};
/* An EXCLUDE wins. Topics of Kafka itself, control topics and canaries of drills never match; what MirrorMaker 2 keeps
 * for itself only by its name. */
enum topic_match topic_rules_match(const struct topic_rules *rules, const char *topic);
/* True where an INCLUDE or the expression is wider than a name. */
bool topic_rules_are_wide(const struct topic_rules *rules);

/* The mirror's name of a source topic; the caller frees with xfree. */
char *topic_rules_mirror(const struct topic_rules *rules, const char *topic);
/* And back: NULL when no source topic has a mirror of that name. */
char *topic_rules_source(const struct topic_rules *rules, const char *mirror);
