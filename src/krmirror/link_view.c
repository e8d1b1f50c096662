/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/link_view.h"

#include "base/mem.h"
#include "base/units.h"
#include "krmirror/text.h"

#include <string.h>

static json_t *texts_json(const char **texts, int n)
{
	json_t *array = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(array, json_text(texts[i]));
	return array;
}

static json_t *states_json(const struct link_info *link)
{
	json_t *object = json_object();

	for (int i = 0; i <= LANE_FAILED; i++)
		json_object_set_new(object, lane_state_name((enum lane_state)i),
				    json_integer(link->partition_states[i]));
	return object;
}

json_t *link_created_json(const struct link_info *link)
{
	json_t *object = json_object();

	json_object_set_new(object, "link_name", json_text(link->link_name));
	json_object_set_new(object, "link_id", json_text(link->link_id));
	json_object_set_new(object, "source_cluster", json_text(link->source_cluster));
	json_object_set_new(object, "destination_cluster", json_text(link->destination_cluster));
	return object;
}

json_t *link_json(const struct link_info *link, bool topics)
{
	json_t *object = link_created_json(link);

	json_object_set_new(object, "state", json_text(link->state));
	json_object_set_new(object, "error", json_text(link->error));
	json_object_set_new(object, "error_message", json_text(link->error_message));
	json_object_set_new(object, "connection_mode", json_text(link->inbound ? "INBOUND" : "OUTBOUND"));
	if (topics)
		json_object_set_new(object, "topics", texts_json(link->topics, link->n_topics));
	return object;
}

json_t *link_described_json(const struct link_info *link)
{
	json_t *object = link_json(link, true);

	json_object_set_new(object, "mirror_partition_states_count", states_json(link));
	json_object_set_new(object, "source_brokers",
			    texts_json(link->source_brokers, link->n_source_brokers));
	json_object_set_new(object, "destination_brokers",
			    texts_json(link->destination_brokers, link->n_destination_brokers));
	json_object_set_new(object, "last_contact_ms", json_known(link->last_contact_ms));
	json_object_set_new(object, "throttled_partitions", json_integer(link->throttled_partitions));
	return object;
}

int link_state_rank(const char *state)
{
	static const char *const order[] = { "FAILED", "UNAVAILABLE", "PAUSED", "ACTIVE" };

	for (int i = 0; state != NULL && i < (int)ARRAY_LEN(order); i++)
		if (strcmp(order[i], state) == 0)
			return i;
	return 0;
}

/* "ACTIVE, INBOUND": such a link does nothing by itself. */
static const char *shown_state(const struct link_info *link, char *text, size_t size)
{
	snprintf(text, size, "%s%s", link->state, link->inbound ? ", INBOUND" : "");
	return text;
}

void link_print_table(FILE *out, const struct link_info *links, int n, bool topics)
{
	static const struct column columns[] = {
		{ .name = "Name" },
		{ .name = "ID" },
		{ .name = "Source Cluster" },
		{ .name = "Destination Cluster" },
		{ .name = "State" },
		{ .name = "Error" },
		{ .name = "Error Message", .wraps = true },
	};
	static const struct column with_topics[] = {
		{ .name = "Name" },
		{ .name = "ID" },
		{ .name = "Topic Name" },
		{ .name = "Source Cluster" },
		{ .name = "Destination Cluster" },
		{ .name = "State" },
		{ .name = "Error" },
		{ .name = "Error Message", .wraps = true },
	};
	char state[40];
	struct table *table = topics ? table_create(with_topics, ARRAY_LEN(with_topics))
				     : table_create(columns, ARRAY_LEN(columns));

	for (int i = 0; i < n; i++)
		for (int t = 0; t < (topics ? MAX(links[i].n_topics, 1) : 1); t++) {
			table_row(table);
			table_text(table, links[i].link_name);
			table_text(table, links[i].link_id);
			if (topics)
				table_text(table, t < links[i].n_topics ? links[i].topics[t] : NULL);
			table_text(table, links[i].source_cluster);
			table_text(table, links[i].destination_cluster);
			table_text(table, shown_state(&links[i], state, sizeof(state)));
			table_text(table, links[i].error);
			table_text(table, links[i].error_message);
		}
	table_print(table, out);
}

static void print_texts(FILE *out, const char *label, const char **texts, int n)
{
	text_label(out, label);
	for (int i = 0; i < n; i++)
		fprintf(out, "%s%s", i > 0 ? ", " : "", texts[i]);
	fprintf(out, "%s\n", n == 0 ? "-" : "");
}

void link_print_description(FILE *out, const struct link_info *link)
{
	char ago[48];
	bool any = false;

	text_field(out, "Name", link->link_name);
	text_field(out, "ID", link->link_id);
	text_field(out, "Source Cluster", link->source_cluster);
	text_field(out, "Destination Cluster", link->destination_cluster);
	text_field(out, "State", link->state);
	text_field(out, "Connection", !link->inbound ? "OUTBOUND" :
		   "INBOUND: nothing is dialled; the link with link.mode=SOURCE takes its place");
	text_field(out, "Error", link->error);
	text_field(out, "Error Message", link->error_message);
	text_field(out, "Last Contact", text_ago(link->last_contact_ms, ago, sizeof(ago)));
	text_label(out, "Mirror Partition States");
	for (int i = 0; i <= LANE_FAILED; i++)
		if (link->partition_states[i] > 0) {
			fprintf(out, "%s%s: %d", any ? ", " : "", lane_state_name((enum lane_state)i),
				link->partition_states[i]);
			any = true;
		}
	fprintf(out, "%s\n", any ? "" : "-");
	text_label(out, "Throttled Partitions");
	fprintf(out, "%d\n", link->throttled_partitions);
	print_texts(out, "Source Brokers", link->source_brokers, link->n_source_brokers);
	print_texts(out, "Destination Brokers", link->destination_brokers, link->n_destination_brokers);
	print_texts(out, "Mirror Topics", link->topics, link->n_topics);
}
