/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "client/admin_acl.h"
#include "krmirror/both.h"
#include "krmirror/export.h"

#include <errno.h>
#include <string.h>

/* --- settings ------------------------------------------------------------------------------------------------ */

static const char *own_value(const struct admin_configs *configs, const char *name)
{
	enum { SOURCE_TOPIC = 1 };
	const struct admin_config *c = admin_config_find(configs, name);

	return c != NULL && c->source == SOURCE_TOPIC && !c->sensitive ? c->value : NULL;
}

static void add_setting(json_t *array, const struct both *both, const char *name)
{
	const char *s = own_value(&both->settings[COMPARE_SOURCE], name);
	const char *d = own_value(&both->settings[COMPARE_DESTINATION], name);

	if (text_eq(s, d))
		return;
	json_array_append_new(array, json_pack("{s:s, s:o, s:o}", "name", name, "source", json_text(s), "destination",
					       json_text(d)));
}

/* What is set on the topic itself; null: the cluster's default. */
static json_t *settings_json(const struct both *both)
{
	const struct admin_configs *s = &both->settings[COMPARE_SOURCE], *d = &both->settings[COMPARE_DESTINATION];
	json_t *array = json_array();

	for (int i = 0; i < s->n; i++)
		add_setting(array, both, s->items[i].name);
	for (int i = 0; i < d->n; i++)
		if (admin_config_find(s, d->items[i].name) == NULL)
			add_setting(array, both, d->items[i].name);
	return array;
}

/* --- ACLs ---------------------------------------------------------------------------------------------------- */

/* Literal ones name the topic, which may have another name on the other side. */
static bool same_acl(const struct admin_acl *a, const struct admin_acl *b)
{
	return strcmp(a->pattern, b->pattern) == 0 && strcmp(a->principal, b->principal) == 0 &&
	       strcmp(a->host, b->host) == 0 && strcmp(a->operation, b->operation) == 0 &&
	       strcmp(a->permission, b->permission) == 0 &&
	       (strcmp(a->resource, b->resource) == 0 ||
		(strcmp(a->pattern, "LITERAL") == 0 && (strcmp(a->resource, "*") != 0) == (strcmp(b->resource, "*") != 0)));
}

static void only_acls(json_t *array, const struct admin_acls *mine, const struct admin_acls *others, const char *side)
{
	for (int i = 0; i < mine->n; i++) {
		const struct admin_acl *a = &mine->items[i];
		bool found = false;

		for (int k = 0; k < others->n && !found; k++)
			found = same_acl(a, &others->items[k]);
		if (!found)
			json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "only", side, "resource",
							       a->resource, "pattern", a->pattern, "principal",
							       a->principal, "host", a->host, "operation",
							       a->operation, "permission", a->permission));
	}
}

/* Null where a side does not let us see them. A cluster without an authorizer has none. */
static json_t *acls_json(struct cli *cli, struct both *both)
{
	struct admin_acls acls[COMPARE_SIDES];
	json_t *array;
	struct err err = { 0 };

	for (int i = 0; i < COMPARE_SIDES; i++)
		if (admin_topic_acls(both->proof.clusters[i], both->proof.topics[i], cli->session.deadline_ns,
				     &both->arena, &acls[i], &err) != RC_OK) {
			output_warn(&cli->output, "ACLs are not compared: %s", err.text);
			return json_null();
		}
	array = json_array();
	only_acls(array, &acls[0], &acls[1], side_name(SIDE_SOURCE));
	only_acls(array, &acls[1], &acls[0], side_name(SIDE_DESTINATION));
	return array;
}

/* --- records ------------------------------------------------------------------------------------------------- */

static void ranges(struct both *both)
{
	for (int i = 0; i < both->proof.n; i++) {
		struct proof_partition *p = &both->proof.partitions[i];

		p->from = p->done_to = MAX(p->start[COMPARE_SOURCE], p->start[COMPARE_DESTINATION]);
		p->to = MAX(p->from, MAX(p->end[COMPARE_SOURCE], p->end[COMPARE_DESTINATION]));
	}
	/* What compaction removed on one side is a difference too: verify is who knows better. */
	both->proof.compacted = false;
}

static json_t *partitions_json(const struct both *both)
{
	json_t *array = json_array();

	for (int32_t i = 0; i < MAX(both->n_source, both->n_destination); i++) {
		const struct proof_partition *p = i < both->proof.n ? &both->proof.partitions[i] : NULL;
		bool known = p != NULL && p->err.rc == RC_OK && p->done_to >= p->to;
		bool only = known && p->only[0] + p->only[1] > 0;

		if (known && !only)
			continue;
		json_array_append_new(array, json_pack("{s:i, s:o, s:o, s:o}", "partition", (int)i, "only_source",
						       json_known(known ? p->only[COMPARE_SOURCE] : -1),
						       "only_destination",
						       json_known(known ? p->only[COMPARE_DESTINATION] : -1), "error",
						       json_text(p == NULL && i < both->n_source ? "only the source has it" :
								 p == NULL ? "only the destination has it" :
								 p->err.rc != RC_OK ? p->err.text : NULL)));
	}
	return array;
}

/* --- printing ------------------------------------------------------------------------------------------------ */

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

static void print_numbers(struct cli *cli, const json_t *partitions)
{
	static const struct column columns[] = { { "PARTITION", true, false }, { "ONLY SOURCE", true, false },
						 { "ONLY DESTINATION", true, false }, { "ERROR", false, true } };
	struct table *table;
	size_t i;
	json_t *p;

	if (json_array_size(partitions) == 0) {
		output_say(&cli->output, "Records: the same on both sides.");
		return;
	}
	table = table_create(columns, ARRAY_LEN(columns));
	json_array_foreach(partitions, i, p) {
		json_t *s = json_object_get(p, "only_source"), *d = json_object_get(p, "only_destination");

		table_row(table);
		table_number(table, json_integer_value(json_object_get(p, "partition")));
		table_known(table, json_is_integer(s) ? json_integer_value(s) : -1);
		table_known(table, json_is_integer(d) ? json_integer_value(d) : -1);
		table_text(table, json_string_value(json_object_get(p, "error")));
	}
	table_print(table, cli->output.out);
}

static void print(struct cli *cli, const json_t *document)
{
	json_t *settings = json_object_get(document, "settings"), *acls = json_object_get(document, "acls"), *o;
	size_t i;

	if (cli->output.json)
		return;
	print_numbers(cli, json_object_get(document, "partitions"));
	json_array_foreach(settings, i, o)
		output_say(&cli->output, "Setting %s: %s at the source, %s at the destination", text_at(o, "name"),
			   text_at(o, "source"), text_at(o, "destination"));
	json_array_foreach(acls, i, o)
		output_say(&cli->output, "ACL only at the %s: %s %s %s from %s (%s %s)", text_at(o, "only"),
			   text_at(o, "permission"), text_at(o, "principal"), text_at(o, "operation"),
			   text_at(o, "host"), text_at(o, "pattern"), text_at(o, "resource"));
}

/* --- the command --------------------------------------------------------------------------------------------- */

static enum outcome compare(struct cli *cli, struct both *both, struct err *err)
{
	const char *path = cli->args.values[OPT_EXPORT];
	struct export export = { 0 };
	enum outcome outcome = OUTCOME_DONE;

	ranges(both);
	if (path != NULL) {
		if (export_open(&export, path, err) != RC_OK)
			return OUTCOME_FAILED;
		both->proof.only = export_record;
		both->proof.only_owner = &export;
	}
	if (both_compare(both, err) != RC_OK)
		outcome = OUTCOME_TIMED_OUT;
	if (path != NULL && export_close(&export, err) != RC_OK)
		outcome = OUTCOME_FAILED;
	return outcome_worse(both_errors(both), outcome);
}

static enum outcome diff(struct cli *cli, const char *topic, struct both *both)
{
	struct err err = { 0 };
	enum outcome outcome = both_open(cli, topic, both, &err);
	json_t *document, *acls;

	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	acls = acls_json(cli, both);
	outcome = compare(cli, both, &err);
	document = json_pack("{s:s, s:o, s:o, s:o}", "topic", topic, "settings", settings_json(both), "partitions",
			     partitions_json(both), "acls", acls);
	print(cli, document);
	output_document(&cli->output, json_incref(document));
	json_decref(document);
	for (int i = 0; i < both->proof.n; i++)
		if (both->proof.partitions[i].err.rc != RC_OK)
			cli_item_failed(cli, topic, &both->proof.partitions[i].err);
	return err.rc != RC_OK ? cli_fail(cli, outcome, &err) : outcome;
}

enum outcome cmd_topic_diff(struct cli *cli)
{
	enum outcome outcome = cli_connect(cli);
	struct both both = { .any_topic = true };

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = diff(cli, cli->args.operands[0], &both);
	both_close(&both);
	return outcome;
}
