/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "krmirror/cli.h"
#include "krmirror/text.h"

static json_t *workers_json(const struct status_info *status)
{
	json_t *array = json_array();

	for (int i = 0; i < status->n_workers; i++) {
		const struct worker_info *w = &status->workers[i];

		json_array_append_new(array,
				      json_pack("{s:o, s:o, s:o, s:b}", "worker_id", json_text(w->worker_id),
						"version", json_text(w->version), "address",
						json_text(w->address), "live", (int)w->live));
	}
	return array;
}

static json_t *links_json(const struct status_info *status)
{
	json_t *array = json_array();

	for (int i = 0; i < status->n_links; i++) {
		const struct status_link *l = &status->links[i];

		json_array_append_new(
			array, json_pack("{s:o, s:o, s:i, s:i, s:o, s:o, s:o}", "link_name",
					 json_text(l->link_name), "state", json_text(l->state), "mirrors",
					 (int)l->mirrors, "failed_partitions", (int)l->failed_partitions,
					 "max_lag", json_known(l->max_lag), "last_contact_ms",
					 json_known(l->last_contact_ms), "next", json_text(l->next)));
	}
	return array;
}

static void print_workers(struct cli *cli, const struct status_info *status)
{
	FILE *out = cli->output.out;
	int live = 0;

	text_label(out, "Workers");
	for (int i = 0; i < status->n_workers; i++) {
		const struct worker_info *w = &status->workers[i];

		if (w->live)
			fprintf(out, "%s%s (%s%s%s)", live++ > 0 ? ", " : "", w->worker_id,
				w->version != NULL ? w->version : "?", w->address != NULL ? " at " : "",
				w->address != NULL ? w->address : "");
	}
	fprintf(out, "%s\n", live > 0 ? "" : status->workers_unknown ? "not known" : "none running");
}

static void warn(struct cli *cli, const struct status_info *status)
{
	int live = 0;

	for (int i = 0; i < status->n_workers; i++)
		live += status->workers[i].live;
	if (live == 0 && !status->workers_unknown && status->n_links > 0)
		cli_warn_no_worker(cli, "nothing is copied until one runs");
	if (status->foreign_records > 0)
		output_warn(&cli->output, "%lld records of the control log %s are not krmirror's; they are skipped",
			    (long long)status->foreign_records, cli->conf.control_topic);
}

static void print(struct cli *cli, const struct status_info *status)
{
	static const struct column columns[] = {
		{ .name = "Link" },
		{ .name = "State" },
		{ .name = "Mirrors", .right = true },
		{ .name = "Failed Partitions", .right = true },
		{ .name = "Max Lag", .right = true },
		{ .name = "Last Contact", .right = true },
		{ .name = "Next", .wraps = true },
	};
	FILE *out = cli->output.out;
	struct table *table;
	char ago[48];

	text_field(out, "Destination Cluster", status->destination_cluster);
	print_workers(cli, status);
	if (status->n_links == 0) {
		fprintf(out, "No links. Record one: krmirror link create NAME --config-file FILE\n");
		return;
	}
	fputc('\n', out);
	table = table_create(columns, ARRAY_LEN(columns));
	for (int i = 0; i < status->n_links; i++) {
		const struct status_link *l = &status->links[i];

		table_row(table);
		table_text(table, l->link_name);
		table_text(table, l->state);
		table_number(table, l->mirrors);
		table_known(table, l->failed_partitions);
		table_known(table, l->max_lag);
		table_text(table, text_ago(l->last_contact_ms, ago, sizeof(ago)));
		table_text(table, l->next);
	}
	table_print(table, out);
}

enum outcome cmd_status(struct cli *cli)
{
	struct status_info status = { 0 };
	struct err err = { 0 };
	enum outcome outcome = cli_connect(cli);

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = report_status(&cli->session, &cli->arena, &status, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (!cli->output.json)
		print(cli, &status);
	warn(cli, &status);
	output_document(&cli->output, json_pack("{s:o, s:o, s:o}", "destination_cluster",
						json_text(status.destination_cluster), "workers",
						workers_json(&status), "links", links_json(&status)));
	return OUTCOME_DONE;
}
