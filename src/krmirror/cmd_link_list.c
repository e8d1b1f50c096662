/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "krmirror/cli.h"
#include "krmirror/link_view.h"
#include "krmirror/mirror_view.h"

#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct link_info *x = a, *y = b;
	int by = link_state_rank(x->state) - link_state_rank(y->state);

	return by != 0 ? by : strcmp(x->link_name, y->link_name);
}

static enum outcome worst(const struct link_info *links, int n, const struct mirror_info *mirrors,
			  int n_mirrors)
{
	enum outcome outcome = mirror_outcome(mirrors, n_mirrors);

	for (int i = 0; i < n; i++)
		if (links[i].state != NULL && strcmp(links[i].state, "FAILED") == 0)
			outcome = outcome_worse(outcome, OUTCOME_FAILED);
	return outcome;
}

enum outcome cmd_link_list(struct cli *cli)
{
	struct report_opts opts = { 0 };
	bool topics = cli->args.given[OPT_INCLUDE_TOPICS];
	struct link_info *links = NULL;
	struct mirror_info *mirrors = NULL;
	int n = 0, n_mirrors = 0;
	struct err err = { 0 };
	enum outcome outcome = cli_connect(cli);
	json_t *array;

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = report_links(&cli->session, NULL, false, &cli->arena, &links, &n, &err);
	if (outcome == OUTCOME_DONE)
		outcome = report_mirrors(&cli->session, &opts, &cli->arena, &mirrors, &n_mirrors, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (n > 1)
		qsort(links, (size_t)n, sizeof(*links), compare);
	if (n == 0)
		output_say(&cli->output,
			   "No links. Record one: krmirror link create NAME --config-file FILE");
	else if (!cli->output.json)
		link_print_table(cli->output.out, links, n, topics);
	array = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(array, link_json(&links[i], topics));
	output_document(&cli->output, array);
	return worst(links, n, mirrors, n_mirrors);
}
