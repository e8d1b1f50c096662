/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "krmirror/cli.h"
#include "krmirror/mirror_view.h"

static enum outcome describe(struct cli *cli, const char *link, const char *topic)
{
	struct report_opts opts = { .link = link, .topic = topic, .measure = true, .partitions = true,
				    .ask_workers = true };
	struct mirror_info *mirrors = NULL;
	struct err err = { 0 };
	json_t *array;
	int n = 0;
	enum outcome outcome = report_mirrors(&cli->session, &opts, &cli->arena, &mirrors, &n, &err);

	cli_print_notes(cli, &cli->session.notes);
	if (outcome == OUTCOME_DONE && n == 0) {
		err_set(&err, RC_NOT_FOUND, "link \"%s\" has no mirror topic \"%s\"", link, topic);
		outcome = OUTCOME_FAILED;
	}
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (!cli->output.json)
		mirror_print_description(cli->output.out, &mirrors[0]);
	array = json_array();
	for (int32_t i = 0; mirrors[0].partitions != NULL && i < mirrors[0].num_partition; i++)
		json_array_append_new(array, mirror_partition_json(&mirrors[0], &mirrors[0].partitions[i]));
	output_document(&cli->output, array);
	return OUTCOME_DONE;
}

enum outcome cmd_mirror_describe(struct cli *cli)
{
	return cli_on_mirror(cli, describe);
}
