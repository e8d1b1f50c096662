/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/cli.h"
#include "krmirror/mirror_view.h"

#include <ctype.h>

/* The status in upper case: other tools write it in lower case. */
static int read_status(const struct args *args, char *text, size_t size, struct err *err)
{
	const char *given = args->values[OPT_MIRROR_STATUS];
	enum mirror_status status;
	size_t i = 0;

	for (; given[i] != '\0' && i + 1 < size; i++)
		text[i] = (char)toupper((unsigned char)given[i]);
	text[i] = '\0';
	if (mirror_status_parse(text, &status))
		return RC_OK;
	err_set(err, RC_USAGE, "unknown mirror status '%s'", given);
	return err_hint(
		err,
		"ACTIVE, PAUSED, LINK_PAUSED, SOURCE_UNAVAILABLE, LINK_FAILED, FAILED, PENDING_STOPPED or "
		"STOPPED");
}

enum outcome cmd_mirror_list(struct cli *cli)
{
	struct report_opts opts = { .link = cli->args.values[OPT_LINK], .measure = true, .ask_workers = true };
	struct mirror_info *mirrors = NULL;
	struct err err = { 0 };
	enum outcome outcome;
	char status[32];
	json_t *array;
	int n = 0;

	if (cli->args.given[OPT_MIRROR_STATUS]) {
		if (read_status(&cli->args, status, sizeof(status), &err) != RC_OK)
			return cli_fail(cli, OUTCOME_USAGE, &err);
		opts.status = status;
	}
	outcome = cli_connect(cli);
	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = report_mirrors(&cli->session, &opts, &cli->arena, &mirrors, &n, &err);
	cli_print_notes(cli, &cli->session.notes);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	mirror_sort(mirrors, n);
	if (n == 0)
		output_say(&cli->output,
			   opts.status != NULL ? "No mirror topics of status %s."
					       : "No mirror topics. Create "
						 "one: krmirror mirror create TOPIC --link NAME",
			   status);
	else if (!cli->output.json)
		mirror_print_table(cli->output.out, mirrors, n);
	array = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(array, mirror_json(&mirrors[i]));
	output_document(&cli->output, array);
	return mirror_outcome(mirrors, n);
}
