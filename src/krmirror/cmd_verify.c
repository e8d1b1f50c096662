/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "krmirror/both.h"
#include "krmirror/report.h"

#include <string.h>

enum { SHOWN_MAX = 10 };

/* Of one topic, for --report. */
struct verified {
	bool ok;
	int64_t compared, mismatches;    /* mismatches -1: nothing was compared */
};

/* 0: where the source does. */
static int64_t begins_at(const struct both *both, int32_t partition)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", partition);
	return both->begins == NULL ? 0 : json_integer_value(json_object_get(both->begins, name));
}

/* What stands below the offset where the mirror was to begin is not missing. */
static int64_t asked_from(struct cli *cli, const struct both *both, const struct proof_partition *p)
{
	int64_t from = MAX(cli->args.from, p->start[COMPARE_SOURCE]), begins = begins_at(both, p->partition);

	if (from >= begins)
		return from;
	output_note(&cli->output, "%s-%d: the mirror begins at offset %lld (mirror.start.offset.spec): what is below is not "
		   "compared", both->topic, (int)p->partition, (long long)begins);
	return begins;
}

/* Live: all that the mirror has. Stopped: what both have; the destination goes its own way. */
static void ranges(struct cli *cli, struct both *both)
{
	for (int i = 0; i < both->proof.n; i++) {
		struct proof_partition *p = &both->proof.partitions[i];

		p->from = cli->args.given[OPT_FROM] ? asked_from(cli, both, p) :
			  MAX(p->start[COMPARE_SOURCE], p->start[COMPARE_DESTINATION]);
		p->to = both->stopped ? MIN(p->end[COMPARE_SOURCE], p->end[COMPARE_DESTINATION]) :
			p->end[COMPARE_DESTINATION];
		if (cli->args.given[OPT_TO])
			p->to = MIN(p->to, cli->args.to);
		p->to = MAX(p->to, p->from);
		p->done_to = p->from;
	}
	both->proof.sample = cli->args.given[OPT_SAMPLE] ? cli->args.sample : 0;
}

static bool equal(const struct proof_partition *p)
{
	return p->err.rc == RC_OK && p->compare.n_mismatches == 0 && p->done_to >= p->to;
}

static json_t *partition_json(const struct proof_partition *p)
{
	json_t *mismatches = json_array();

	for (int i = 0; i < p->compare.n_listed; i++)
		json_array_append_new(mismatches, json_pack("{s:I, s:s}", "offset",
							    (json_int_t)p->compare.mismatches[i].offset, "kind",
							    compare_kind_name(p->compare.mismatches[i].kind)));
	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:o, s:b, s:o}", "partition", (int)p->partition, "from",
			 (json_int_t)p->from, "to", (json_int_t)p->done_to, "compared",
			 (json_int_t)p->compare.compared, "mismatch_count", (json_int_t)p->compare.n_mismatches,
			 "mismatches", mismatches, "ok", equal(p), "error",
			 json_text(p->err.rc != RC_OK ? p->err.text : NULL));
}

static void print(struct cli *cli, const struct both *both)
{
	static const struct column columns[] = {
		{ "TOPIC", false, true }, { "PARTITION", true, false }, { "FROM", true, false },
		{ "TO", true, false },    { "COMPARED", true, false },  { "MISMATCHES", true, false },
	};
	struct table *table = table_create(columns, ARRAY_LEN(columns));

	for (int i = 0; i < both->proof.n; i++) {
		const struct proof_partition *p = &both->proof.partitions[i];

		table_row(table);
		table_text(table, both->topic);
		table_number(table, p->partition);
		table_number(table, p->from);
		table_number(table, p->done_to);
		table_number(table, p->compare.compared);
		table_number(table, p->compare.n_mismatches);
	}
	table_print(table, cli->output.out);
	for (int i = 0; i < both->proof.n; i++) {
		const struct compare *c = &both->proof.partitions[i].compare;

		for (int k = 0; k < MIN(c->n_listed, SHOWN_MAX); k++)
			output_say(&cli->output, "%s-%d offset %lld: %s", both->topic, i,
				   (long long)c->mismatches[k].offset, compare_kind_name(c->mismatches[k].kind));
		if (c->n_mismatches > SHOWN_MAX)
			output_say(&cli->output, "%s-%d: %lld more", both->topic, i,
				   (long long)c->n_mismatches - SHOWN_MAX);
	}
}

/* Partitions whose reading failed, and partitions that the source has no more. */
static enum outcome tell_errors(struct cli *cli, const struct both *both)
{
	enum outcome outcome = both_errors(both);
	struct err err = { 0 };

	for (int i = 0; i < both->proof.n; i++)
		if (both->proof.partitions[i].err.rc != RC_OK)
			cli_item_failed(cli, both->topic, &both->proof.partitions[i].err);
	if (both->n_destination > both->n_source && !both->stopped) {
		err_set(&err, RC_DIVERGED, "%s has %d partitions, and its source %s only %d", both->topic,
			both->n_destination, both->source_topic, both->n_source);
		cli_item_failed(cli, both->topic, &err);
		outcome = outcome_worse(outcome, OUTCOME_DIVERGED);
	}
	return outcome;
}

static enum outcome conclude(struct cli *cli, const struct both *both, json_t *array, struct verified *told)
{
	json_t *partitions = json_array();
	enum outcome outcome = tell_errors(cli, both);

	*told = (struct verified){ .ok = outcome == OUTCOME_DONE };
	for (int i = 0; i < both->proof.n; i++) {
		const struct proof_partition *p = &both->proof.partitions[i];

		json_array_append_new(partitions, partition_json(p));
		told->compared += p->compare.compared;
		told->mismatches += p->compare.n_mismatches;
		told->ok = told->ok && equal(p);
		if (p->compare.n_mismatches > 0)
			outcome = outcome_worse(outcome, OUTCOME_DIVERGED);
	}
	json_array_append_new(array, json_pack("{s:s, s:o, s:b}", "topic", both->topic, "partitions", partitions,
					       "ok", told->ok));
	if (!cli->output.json)
		print(cli, both);
	if (told->ok)
		output_say(&cli->output, "%s: %lld records compared, all equal.", both->topic, (long long)told->compared);
	return outcome;
}

static enum outcome report(struct cli *cli, const struct both *both, const char *started, const struct verified *told)
{
	const char *path = cli->args.values[OPT_REPORT];
	enum outcome outcome = OUTCOME_DONE;
	struct err err = { 0 };
	json_t *line;

	if (path == NULL)
		return outcome;
	line = json_pack("{s:s?, s:s, s:s, s:b, s:I, s:o}", "link_name", both->link, "topic", both->topic, "started", started,
			 "ok", told->ok, "compared", (json_int_t)told->compared, "mismatch_count",
			 json_known(told->mismatches));
	if (report_append(path, line, &err) != RC_OK) {
		outcome = OUTCOME_FAILED;
		cli_item_failed(cli, both->topic, &err);
	}
	json_decref(line);
	return outcome;
}

/* Returns after the deadline with what was compared until then. */
static enum outcome verify(struct cli *cli, const char *topic, json_t *array)
{
	struct verified told = { .mismatches = -1 };
	struct both both = { 0 };
	struct err err = { 0 };
	char started[CLOCK_TEXT_MAX];
	enum outcome outcome;

	clock_wall_text(started);
	outcome = both_open(cli, topic, &both, &err);

	if (outcome == OUTCOME_DONE) {
		ranges(cli, &both);
		if (both_compare(&both, &err) != RC_OK)
			outcome = OUTCOME_TIMED_OUT;
		outcome = outcome_worse(conclude(cli, &both, array, &told), outcome);
	} else {
		json_array_append_new(array, json_pack("{s:s, s:[], s:b, s:s}", "topic", topic, "partitions", "ok", false,
						       "error", err.text));
	}
	if (err.rc != RC_OK)
		cli_item_failed(cli, topic, &err);
	outcome = outcome_worse(outcome, report(cli, &both, started, &told));
	both_close(&both);
	return outcome;
}

enum outcome cmd_verify(struct cli *cli)
{
	enum outcome outcome = cli_connect(cli);
	json_t *array;

	if (outcome != OUTCOME_DONE)
		return outcome;
	array = json_array();
	for (int i = 0; i < cli->args.n_operands; i++)
		outcome = outcome_worse(outcome, verify(cli, cli->args.operands[i], array));
	output_document(&cli->output, array);
	return outcome;
}
