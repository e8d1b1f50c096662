/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "control/group_report.h"
#include "krmirror/cli.h"
#include "krmirror/text.h"

static int64_t age_ms(const struct group_info *group)
{
	return group->since_ms < 0 ? -1 : MAX(clock_wall_ms() - group->since_ms, 0);
}

static json_t *document(const struct group_report *report)
{
	json_t *list = json_array();

	for (int i = 0; i < report->n; i++) {
		const struct group_info *group = &report->groups[i];
		json_t *object = json_object();

		json_object_set_new(object, "group_id", json_text(group->group_id));
		json_object_set_new(object, "state", json_text(group_state_word(group->state)));
		json_object_set_new(object, "reason", json_text(group_reason_word(group->reason)));
		json_object_set_new(object, "partitions", json_integer(group->partitions));
		json_object_set_new(object, "offsets_behind", json_known(group->offsets_behind));
		json_object_set_new(object, "age_ms", json_known(age_ms(group)));
		json_object_set_new(object, "detail", json_text(group->detail));
		json_array_append_new(list, object);
	}
	return list;
}

static void print(FILE *out, const struct group_report *report)
{
	static const struct column columns[] = {
		{ .name = "Group" },
		{ .name = "State" },
		{ .name = "Reason" },
		{ .name = "Partitions", .right = true },
		{ .name = "Offsets Behind", .right = true },
		{ .name = "Since" },
		{ .name = "Detail", .wraps = true },
	};
	struct table *table = table_create(columns, ARRAY_LEN(columns));
	char ago[48];

	for (int i = 0; i < report->n; i++) {
		const struct group_info *group = &report->groups[i];

		table_row(table);
		table_text(table, group->group_id);
		table_text(table, group_state_word(group->state));
		table_text(table, group_reason_word(group->reason));
		table_number(table, group->partitions);
		table_known(table, group->offsets_behind);
		table_text(table, text_ago(age_ms(group), ago, sizeof(ago)));
		table_text(table, group->detail);
	}
	table_print(table, out);
}

enum outcome cmd_group_list(struct cli *cli)
{
	struct group_report report;
	struct err err = { 0 };
	enum outcome outcome;

	if (cli->args.values[OPT_LINK] == NULL) {
		err_set(&err, RC_USAGE, "group list needs --link");
		err_hint(&err, "krmirror group list --link NAME");
		return cli_fail(cli, OUTCOME_USAGE, &err);
	}
	outcome = cli_connect(cli);
	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = report_groups(&cli->session, cli->args.values[OPT_LINK], &cli->arena, &report, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (!report.configured)
		output_note(&cli->output, "link %s does not keep groups in step: consumer.offset.sync.enable is false",
			    cli->args.values[OPT_LINK]);
	if (!cli->output.json)
		print(cli->output.out, &report);
	cli_print_notes(cli, &cli->session.notes);
	output_document(&cli->output, document(&report));
	return OUTCOME_DONE;
}
