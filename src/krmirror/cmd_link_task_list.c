/* SPDX-License-Identifier: Apache-2.0 */
#include "control/task_report.h"
#include "krmirror/cli.h"

static json_t *errors_json(const struct task_info *task)
{
	json_t *list = json_array();

	for (int i = 0; i < task->n_errors; i++) {
		json_t *object = json_object();

		json_object_set_new(object, "error_code", json_text(task->errors[i].error_code));
		json_object_set_new(object, "error_message", json_text(task->errors[i].error_message));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *document(const struct task_info *tasks)
{
	json_t *list = json_array();

	for (int i = 0; i < TASK_KINDS; i++) {
		json_t *object = json_object();

		json_object_set_new(object, "task_name", json_text(tasks[i].task_name));
		json_object_set_new(object, "state", json_text(tasks[i].state));
		json_object_set_new(object, "errors", errors_json(&tasks[i]));
		json_array_append_new(list, object);
	}
	return list;
}

static void print(FILE *out, const struct task_info *tasks)
{
	static const struct column columns[] = {
		{ .name = "Task" },
		{ .name = "State" },
		{ .name = "Error" },
		{ .name = "Error Message", .wraps = true },
	};
	struct table *table = table_create(columns, ARRAY_LEN(columns));

	for (int i = 0; i < TASK_KINDS; i++)
		for (int e = 0; e < MAX(tasks[i].n_errors, 1); e++) {
			bool error = e < tasks[i].n_errors;

			table_row(table);
			table_text(table, tasks[i].task_name);
			table_text(table, tasks[i].state);
			table_text(table, error ? tasks[i].errors[e].error_code : NULL);
			table_text(table, error ? tasks[i].errors[e].error_message : NULL);
		}
	table_print(table, out);
}

enum outcome cmd_link_task_list(struct cli *cli)
{
	struct task_info *tasks = NULL;
	struct err err = { 0 };
	enum outcome outcome = cli_connect(cli);

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = report_tasks(&cli->session, cli->args.operands[0], &cli->arena, &tasks, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (!cli->output.json)
		print(cli->output.out, tasks);
	output_document(&cli->output, document(tasks));
	return OUTCOME_DONE;
}
