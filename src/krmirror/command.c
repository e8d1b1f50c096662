/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/command.h"

#include "base/mem.h"

#include <string.h>

#define B OPT_BIT
#define FILTER_OPTIONS \
	(B(OPT_TOPIC_FILTERS_JSON) | B(OPT_TOPIC_FILTERS_JSON_FILE) | B(OPT_CONSUMER_GROUP_FILTERS_JSON) | \
	 B(OPT_CONSUMER_GROUP_FILTERS_JSON_FILE) | B(OPT_ACL_FILTERS_JSON) | B(OPT_ACL_FILTERS_JSON_FILE))
#define PROMOTE_OPTIONS (B(OPT_ALL) | B(OPT_LINK) | B(OPT_DRY_RUN) | B(OPT_WAIT))
#define FAILOVER_OPTIONS (PROMOTE_OPTIONS | B(OPT_FORCE))

static const struct command commands[] = {
	{ { "link", "create" }, "NAME", 0, 1,
	  B(OPT_CONFIG_FILE) | B(OPT_SETTING) | B(OPT_SOURCE_BOOTSTRAP_SERVER) | FILTER_OPTIONS | B(OPT_NO_VALIDATE) |
	  B(OPT_DRY_RUN),
	  B(OPT_LINK) | B(OPT_SOURCE_CLUSTER), "record a link to a source cluster", cmd_link_create },
	{ { "link", "list" }, "", 0, 0, B(OPT_INCLUDE_TOPICS), 0, "all links and their states", cmd_link_list },
	{ { "link", "describe" }, "NAME", 0, 1, 0, B(OPT_LINK), "one link in full", cmd_link_describe },
	{ { "link", "check" }, "NAME", 0, 1, B(OPT_PRINT_ACLS) | B(OPT_PORTS), B(OPT_LINK),
	  "try every listener and every right on both clusters", cmd_link_check },
	{ { "link", "task list" }, "NAME", 0, 1, 0, B(OPT_LINK), "what is kept in step with the source, and its errors",
	  cmd_link_task_list },
	{ { "link", "pause" }, "NAME", 0, 1, 0, B(OPT_LINK), "stop all mirrors of a link", cmd_link_pause },
	{ { "link", "resume" }, "NAME", 0, 1, 0, B(OPT_LINK), "go on with a paused link", cmd_link_resume },
	{ { "link", "configuration list" }, "NAME", 0, 1, 0, B(OPT_LINK), "the settings of a link, secrets hidden",
	  cmd_link_configuration_list },
	{ { "link", "configuration update" }, "NAME", 0, 1,
	  B(OPT_CONFIG_FILE) | B(OPT_SETTING) | B(OPT_DELETE_CONFIG) | B(OPT_SOURCE_BOOTSTRAP_SERVER) | FILTER_OPTIONS |
	  B(OPT_NO_VALIDATE) | B(OPT_DRY_RUN), B(OPT_LINK), "change settings of a link", cmd_link_configuration_update },
	{ { "link", "rekey" }, "", 0, 0, B(OPT_NEW_KEY_FILE), 0, "encrypt the secrets of all links with another key",
	  cmd_link_rekey },
	{ { "link", "template" }, "", 0, 0, 0, 0, "print a link.config with every key", cmd_link_template },
	{ { "link", "delete" }, "NAME", 0, 1, B(OPT_YES) | B(OPT_FAILOVER), B(OPT_LINK),
	  "forget a link whose mirrors are all STOPPED", cmd_link_delete },
	{ { "group", "list" }, "", 0, 0, B(OPT_LINK), 0, "consumer groups: in step, behind, or skipped and why",
	  cmd_group_list },
	{ { "mirror", "create" }, "TOPIC", 1, 1,
	  B(OPT_LINK) | B(OPT_SOURCE_TOPIC) | B(OPT_REPLICATION_FACTOR) | B(OPT_SETTING) | B(OPT_ADOPT) | B(OPT_YES) |
	  B(OPT_DRY_RUN), 0,
	  "create a topic on the destination and mirror into it", cmd_mirror_create },
	{ { "mirror", "list" }, "", 0, 0, B(OPT_LINK) | B(OPT_MIRROR_STATUS), 0, "all mirror topics, worst first",
	  cmd_mirror_list },
	{ { "mirror", "describe" }, "TOPIC", 1, 1, B(OPT_LINK), 0, "each partition of a mirror topic",
	  cmd_mirror_describe },
	{ { "mirror", "pause" }, "TOPIC...", 1, -1, B(OPT_LINK), 0, "stop copying; the topic stays read-only",
	  cmd_mirror_pause },
	{ { "mirror", "resume" }, "TOPIC...", 1, -1, B(OPT_LINK), 0,
	  "go on copying, also after a failure; acknowledges a DATA_LOSS", cmd_mirror_resume },
	{ { "mirror", "promote" }, "TOPIC...", 0, -1, PROMOTE_OPTIONS, 0,
	  "make mirror topics writable, with nothing lost", cmd_mirror_promote },
	{ { "mirror", "failover" }, "TOPIC...", 0, -1, FAILOVER_OPTIONS, 0,
	  "make mirror topics writable as they are, without the source", cmd_mirror_failover },
	{ { "mirror", "delete" }, "TOPIC", 1, 1, B(OPT_LINK) | B(OPT_YES), 0,
	  "forget a STOPPED mirror; the topic stays", cmd_mirror_delete },
	{ { "topic", "diff" }, "TOPIC", 1, 1, B(OPT_LINK) | B(OPT_EXPORT), 0,
	  "records that only one side has; settings, partitions and ACLs that differ", cmd_topic_diff },
	{ { "verify", NULL }, "TOPIC...", 1, -1, B(OPT_LINK) | B(OPT_FROM) | B(OPT_TO) | B(OPT_SAMPLE) | B(OPT_REPORT), 0,
	  "compare both sides offset by offset", cmd_verify },
	{ { "drill", "run" }, "", 0, 0, B(OPT_PLAN) | B(OPT_REPORT), 0,
	  "a rehearsed failover on canary topics, measured", cmd_drill_run },
	{ { "drill", "template" }, "", 0, 0, 0, 0, "print a plan for drill run", cmd_drill_template },
	{ { "promote", NULL }, "TOPIC...", 0, -1, PROMOTE_OPTIONS, 0, "short for mirror promote",
	  cmd_mirror_promote },
	{ { "failover", NULL }, "TOPIC...", 0, -1, FAILOVER_OPTIONS, 0, "short for mirror failover",
	  cmd_mirror_failover },
	{ { "status", NULL }, "", 0, 0, 0, 0, "all links on one screen, worst first, each with the next command",
	  cmd_status },
};

#undef B

const struct command *command_table(size_t *n)
{
	*n = ARRAY_LEN(commands);
	return commands;
}

/* How many words of the line the text is, word by word; 0: another text. */
static int matches(const char *text, const char *const *words, int n)
{
	int taken = 0;

	for (const char *p = text; *p != '\0'; p += p[strcspn(p, " ")] == ' ' ? strcspn(p, " ") + 1 : strcspn(p, " ")) {
		size_t len = strcspn(p, " ");

		if (taken == n || strlen(words[taken]) != len || strncmp(words[taken], p, len) != 0)
			return 0;
		taken++;
	}
	return taken;
}

const struct command *command_find(const char *const *words, int n, int *takes)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];
		int more = c->words[1] != NULL ? matches(c->words[1], words + 1, n - 1) : 0;

		if (strcmp(c->words[0], words[0]) != 0 || (c->words[1] != NULL && more == 0))
			continue;
		*takes = 1 + more;
		return c;
	}
	return NULL;
}

bool command_is_group(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].words[1] != NULL && strcmp(commands[i].words[0], word) == 0)
			return true;
	return false;
}

const char *command_name(const struct command *command, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", command->words[0], command->words[1] != NULL ? " " : "",
		 command->words[1] != NULL ? command->words[1] : "");
	return text;
}
