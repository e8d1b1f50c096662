/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/adopt.h"

static json_t *document(const struct mirror_created *created)
{
	return json_pack("{s:o, s:o, s:o, s:i, s:o}", "link_name", json_text(created->link_name),
			 "mirror_topic_name", json_text(created->mirror_topic_name), "source_topic_name",
			 json_text(created->source_topic_name), "num_partition", (int)created->num_partition,
			 "adopted_end", created->adopted_end != NULL ? json_incref(created->adopted_end) : json_null());
}

static void tell(struct cli *cli, const struct mirror_created *created)
{
	const char *topic = created->mirror_topic_name;
	int n = (int)created->num_partition;

	if (cli->args.given[OPT_DRY_RUN] && cli->args.given[OPT_ADOPT])
		output_say(&cli->output,
			   "Would adopt topic \"%s\" with %d partition%s: each is equal to \"%s\" up to its end. "
			   "Nothing was changed.",
			   topic, n, n == 1 ? "" : "s", created->source_topic_name);
	else if (cli->args.given[OPT_DRY_RUN])
		output_say(&cli->output,
			   "Would create mirror topic \"%s\" with %d partition%s from \"%s\". "
			   "Nothing was changed.",
			   topic, n, n == 1 ? "" : "s", created->source_topic_name);
	else if (created->changed && cli->args.given[OPT_ADOPT])
		output_say(&cli->output, "Adopted topic \"%s\" as a mirror: it is equal to \"%s\" up to its end.", topic,
			   created->source_topic_name);
	else if (created->changed)
		output_say(&cli->output, "Created mirror topic \"%s\".", topic);
	else
		output_say(&cli->output, "Mirror topic \"%s\" is there already; nothing was changed.", topic);
	if (created->no_worker && !cli->args.given[OPT_DRY_RUN])
		cli_warn_no_worker(cli, "nothing is copied until one runs");
}

enum outcome cmd_mirror_create(struct cli *cli)
{
	struct adopt_opts adopt = { adopt_compare, cli, cli->args.given[OPT_YES] };
	struct mirror_create_opts opts = {
		.topic = cli->args.operands[0],
		.link = cli->args.values[OPT_LINK],
		.source_topic = cli->args.values[OPT_SOURCE_TOPIC],
		.replication_factor = (int16_t)cli->args.replication_factor,
		.adopt = cli->args.given[OPT_ADOPT] ? &adopt : NULL,
		.dry_run = cli->args.given[OPT_DRY_RUN],
	};
	struct props props = { 0 };
	struct mirror_created created = { 0 };
	enum outcome outcome = OUTCOME_DONE;
	struct err err = { 0 };
	int rc = RC_OK;

	if (opts.link == NULL) {
		rc = err_set(&err, RC_USAGE, "'mirror create' needs the link: --link NAME");
		err_hint(&err, "krmirror link list shows the links");
	}
	for (int i = 0; i < cli->args.n_settings && rc == RC_OK; i++)
		rc = props_inline(&props, cli->args.settings[i], &err);
	if (rc != RC_OK) {
		outcome = cli_fail(cli, OUTCOME_USAGE, &err);
		goto out;
	}
	opts.config = props.n > 0 ? &props : NULL;
	outcome = cli_connect(cli);
	if (outcome != OUTCOME_DONE)
		goto out;
	outcome = mirror_create_topic(&cli->session, &opts, &cli->arena, &created, &err);
	cli_print_notes(cli, &cli->session.notes);
	if (outcome != OUTCOME_DONE) {
		cli_fail(cli, outcome, &err);
		goto out;
	}
	tell(cli, &created);
	output_document(&cli->output, document(&created));
out:
	json_decref(created.adopted_end);
	props_fini(&props);
	return outcome;
}
