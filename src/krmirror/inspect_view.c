/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/inspect_view.h"

#include "base/mem.h"
#include "krmirror/output.h"

#include <string.h>

/* --- the document -------------------------------------------------------------------------------------------- */

static const char *pattern_of(const struct right *right)
{
	return right->prefixed ? "PREFIXED" : "LITERAL";
}

static const char *name_of(const struct right *right)
{
	return right->name[0] != '\0' ? right->name : NULL;
}

static void set_ok(json_t *object, enum inspect_status status)
{
	json_object_set_new(object, "ok", status == INSPECT_UNKNOWN ? json_null() : json_boolean(status == INSPECT_OK));
}

static json_t *item_json(const struct inspect_item *item)
{
	json_t *object = json_object();
	const struct right *right = item->right;

	json_object_set_new(object, "side", json_text(side_name(item->side)));
	json_object_set_new(object, "broker", json_known(item->broker));
	json_object_set_new(object, "address", json_text(item->address));
	json_object_set_new(object, "name", json_text(item->name));
	set_ok(object, item->status);
	json_object_set_new(object, "status", json_text(inspect_status_name(item->status)));
	json_object_set_new(object, "needed", json_boolean(item->needed));
	json_object_set_new(object, "reason", json_text(item->reason));
	json_object_set_new(object, "detail", json_text(item->detail));
	json_object_set_new(object, "hint", json_text(item->hint));
	json_object_set_new(object, "certificate_expires_ms", json_known(item->expiry_ms));
	json_object_set_new(object, "operation", json_text(right != NULL ? right_operation_name(right->operation) : NULL));
	json_object_set_new(object, "resource_type", json_text(right != NULL ? right_resource_name(right->resource) : NULL));
	json_object_set_new(object, "resource_name", json_text(right != NULL ? name_of(right) : NULL));
	json_object_set_new(object, "pattern_type", json_text(right != NULL ? pattern_of(right) : NULL));
	return object;
}

static json_t *operations_json(const struct rights *rights, int from, int to)
{
	json_t *array = json_array();

	for (int i = from; i < to; i++)
		json_array_append_new(array, json_text(right_operation_name(rights->items[i].operation)));
	return array;
}

/* What happens without each of them. */
static json_t *without_json(const struct rights *rights, int from, int to)
{
	json_t *array = json_array();

	for (int i = from; i < to; i++)
		json_array_append_new(array, json_text(rights->items[i].without));
	return array;
}

static json_t *acls_json(const struct inspection *inspection)
{
	const struct rights *grants = &inspection->grants;
	json_t *array = json_array();

	for (int i = 0; i < grants->n;) {
		const struct right *right = &grants->items[i];
		const struct rights_grantee *grantee = &inspection->grantee[right->side];
		json_t *object = json_object();
		int from = i;

		json_object_set_new(object, "command", json_text(rights_command(grants, &i, grantee, inspection->arena)));
		json_object_set_new(object, "side", json_text(side_name(right->side)));
		json_object_set_new(object, "needed", json_boolean(right->needed));
		json_object_set_new(object, "principal", json_text(grantee->principal));
		json_object_set_new(object, "principal_note", json_text(grantee->note));
		json_object_set_new(object, "resource_type", json_text(right_resource_name(right->resource)));
		json_object_set_new(object, "resource_name", json_text(name_of(right)));
		json_object_set_new(object, "pattern_type", json_text(pattern_of(right)));
		json_object_set_new(object, "operations", operations_json(grants, from, i));
		json_object_set_new(object, "without", without_json(grants, from, i));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *flows_json(const struct inspection *inspection)
{
	json_t *array = json_array();

	for (int i = 0; i < inspection->n_flows; i++) {
		const struct inspect_flow *flow = &inspection->flows[i];
		json_t *object = json_object();

		json_object_set_new(object, "from", json_text(flow->from));
		json_object_set_new(object, "side", json_text(flow->side));
		json_object_set_new(object, "broker", json_known(flow->broker));
		json_object_set_new(object, "host", json_text(flow->host));
		json_object_set_new(object, "port", json_integer(flow->port));
		json_object_set_new(object, "protocol", json_text("tcp"));
		json_object_set_new(object, "use", json_text(flow->use));
		json_array_append_new(array, object);
	}
	return array;
}

json_t *inspection_json(const struct inspection *inspection, bool acls, bool flows)
{
	json_t *object = json_object(), *checks = json_array();

	for (int i = 0; i < inspection->n; i++)
		json_array_append_new(checks, item_json(&inspection->items[i]));
	json_object_set_new(object, "ok", json_boolean(inspection_outcome(inspection) == OUTCOME_DONE));
	json_object_set_new(object, "checks", checks);
	if (acls)
		json_object_set_new(object, "acls", acls_json(inspection));
	if (flows)
		json_object_set_new(object, "flows", flows_json(inspection));
	return object;
}

/* --- for people ---------------------------------------------------------------------------------------------- */

static bool is_short(const struct inspect_item *item)
{
	return item->right != NULL && (item->status == INSPECT_OK || item->status == INSPECT_UNKNOWN);
}

/* Rights on one thing that are all held, or all not known, are told together. */
static bool together(const struct inspect_item *a, const struct inspect_item *b)
{
	return is_short(a) && is_short(b) && a->status == b->status && a->side == b->side &&
	       a->right->resource == b->right->resource && strcmp(a->right->name, b->right->name) == 0;
}

static void print_rights(struct table *table, const struct inspect_item *items, int n)
{
	const struct right *right = items[0].right;
	char *text = xasprintf("%s%s%s%s:", right_resource_name(right->resource),
			       right->resource != RIGHT_CLUSTER ? " " : "", right->resource == RIGHT_CLUSTER ? "" :
			       right->name[0] != '\0' ? right->name : "(none is mirrored yet)", right->prefixed ? "*" : "");
	char *longer;

	for (int i = 0; i < n; i++) {
		longer = xasprintf("%s%s %s", text, i > 0 ? "," : "", right_operation_name(items[i].right->operation));
		xfree(text);
		text = longer;
	}
	table_text(table, text);
	xfree(text);
}

static void print_hints(FILE *out, const struct inspection *inspection)
{
	const char *last = NULL;
	bool any = false;

	for (int i = 0; i < inspection->n; i++) {
		const struct inspect_item *item = &inspection->items[i];

		if (item->status == INSPECT_OK || item->hint == NULL || (last != NULL && strcmp(last, item->hint) == 0))
			continue;
		if (!any)
			fprintf(out, "\nWhat to do:\n");
		any = true;
		last = item->hint;
		fprintf(out, "  %s%s%s%s%s: %s\n", side_name(item->side), item->address != NULL ? " " : "",
			item->address != NULL ? item->address : "", item->right != NULL ? ", " : "",
			is_short(item) ? right_resource_name(item->right->resource) :
			item->right != NULL ? right_operation_name(item->right->operation) : "", item->hint);
	}
}

void inspection_print(FILE *out, const struct inspection *inspection)
{
	static const struct column columns[] = {
		{ .name = "Status" },
		{ .name = "Side" },
		{ .name = "Broker", .right = true },
		{ .name = "Address" },
		{ .name = "Check" },
		{ .name = "Reason" },
		{ .name = "Detail", .wraps = true },
	};
	struct table *table = table_create(columns, ARRAY_LEN(columns));

	for (int i = 0, n; i < inspection->n; i += n) {
		const struct inspect_item *item = &inspection->items[i];

		for (n = 1; i + n < inspection->n && together(item, &inspection->items[i + n]);)
			n++;
		table_row(table);
		table_text(table, inspect_status_name(item->status));
		table_text(table, side_name(item->side));
		table_known(table, item->broker);
		table_text(table, item->address);
		table_text(table, item->name);
		table_text(table, item->reason);
		if (is_short(item))
			print_rights(table, item, n);
		else
			table_text(table, item->detail);
	}
	table_print(table, out);
	print_hints(out, inspection);
}

void inspection_print_acls(FILE *out, const struct inspection *inspection)
{
	const struct rights *grants = &inspection->grants;
	const char *note = NULL, *command;
	int from;

	for (int i = 0; i < grants->n;) {
		const struct right *right = &grants->items[i];
		const struct rights_grantee *grantee = &inspection->grantee[right->side];

		if (grantee->note != NULL && grantee->note != note)
			fprintf(out, "# %s\n", grantee->note);
		note = grantee->note;
		if (right->any && !right->prefixed)
			fprintf(out, "# once for each topic that is to be mirrored\n");
		from = i;
		command = rights_command(grants, &i, grantee, inspection->arena);
		for (; from < i; from++)
			if (!grants->items[from].needed)
				fprintf(out, "# optional; without %s: %s\n", right_operation_name(grants->items[from].operation),
					grants->items[from].without);
		fprintf(out, "%s\n", command);
	}
}

void inspection_print_flows(FILE *out, const struct inspection *inspection)
{
	for (int i = 0; i < inspection->n_flows; i++) {
		const struct inspect_flow *flow = &inspection->flows[i];
		bool v6 = flow->host != NULL && strchr(flow->host, ':') != NULL;

		fprintf(out, "tcp from %s to %s%s%s:%u  # ", flow->from, v6 ? "[" : "", flow->host != NULL ? flow->host : "*",
			v6 ? "]" : "", flow->port);
		if (flow->side != NULL)
			fprintf(out, "%s ", flow->side);
		if (flow->broker >= 0)
			fprintf(out, "broker %d, ", flow->broker);
		fprintf(out, "%s\n", flow->use);
	}
}
