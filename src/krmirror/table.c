/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/output.h"

#include "base/mem.h"

#include <libsmartcols.h>

struct table {
	struct libscols_table *scols;
	struct libscols_line *line;
	size_t at; /* the next cell */
};

struct table *table_create(const struct column *columns, size_t n)
{
	struct table *table = xcalloc(1, sizeof(*table));

	scols_init_debug(0);
	table->scols = scols_new_table();
	CHECK(table->scols != NULL);
	for (size_t i = 0; i < n; i++) {
		int flags = (columns[i].right ? SCOLS_FL_RIGHT : 0) | (columns[i].wraps ? SCOLS_FL_WRAP : 0);

		CHECK(scols_table_new_column(table->scols, columns[i].name, columns[i].wraps ? 0.9 : 0,
					     flags) != NULL);
	}
	return table;
}

void table_row(struct table *table)
{
	table->line = scols_table_new_line(table->scols, NULL);
	CHECK(table->line != NULL);
	table->at = 0;
}

void table_text(struct table *table, const char *text)
{
	CHECK(scols_line_set_data(table->line, table->at++, text != NULL && text[0] != '\0' ? text : "-") ==
	      0);
}

void table_number(struct table *table, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	table_text(table, text);
}

void table_known(struct table *table, int64_t value)
{
	if (value < 0)
		table_text(table, NULL);
	else
		table_number(table, value);
}

void table_print(struct table *table, FILE *out)
{
	fflush(out);
	scols_table_set_stream(table->scols, out);
	scols_print_table(table->scols);
	scols_unref_table(table->scols);
	xfree(table);
}
