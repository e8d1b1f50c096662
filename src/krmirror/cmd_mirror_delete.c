/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "control/mirrors.h"
#include "krmirror/cli.h"
#include "krmirror/prompt.h"

static enum outcome forget(struct cli *cli, const char *link, const char *topic)
{
	struct err err = { 0 };
	enum outcome outcome = mirror_delete_check(&cli->session, link, topic, &err);

	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (prompt_delete(&cli->output, cli->args.given[OPT_YES], &err, "the record of mirror topic",
			  topic) != RC_OK)
		return prompt_fail(&cli->output, &err);
	outcome = mirror_delete(&cli->session, link, topic, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	output_say(&cli->output, "Forgot mirror topic \"%s\" of link \"%s\". The topic itself stays.", topic,
		   link);
	output_document(&cli->output, json_pack("{s:o, s:o}", "link_name", json_text(link),
						"mirror_topic_name", json_text(topic)));
	return OUTCOME_DONE;
}

enum outcome cmd_mirror_delete(struct cli *cli)
{
	return cli_on_mirror(cli, forget);
}
