/* SPDX-License-Identifier: Apache-2.0 */
/* link template: a link.config to fill in, from the tables of keys. It asks no cluster. */
#include "control/keys.h"
#include "krmirror/cli.h"

#include <string.h>

static const char head[] =
	"# A link.config for: krmirror link create NAME --config-file FILE\n"
	"# What stands behind # is the default. krmirror-link(1) and krmirror.properties(5) say more.\n"
	"# A secret is a reference, ${file:/path:key} or ${env:NAME}, or stands here where secret.key.file is set.\n"
	"\n"
	"# Where to find the source cluster: host:port,...\n"
	"bootstrap.servers=\n";

static void print_key(FILE *out, const struct key_row *row)
{
	if (row->flags & (KEY_JAVA | KEY_IGNORED | KEY_READ_ONLY) || strcmp(row->name, "bootstrap.servers") == 0)
		return;
	fprintf(out, "\n# %s%s\n", row->doc, row->flags & KEY_LATER ? " (recorded; this version does not do it yet)" : "");
	if (row->words != NULL)
		fprintf(out, "# %s\n", row->words);
	fprintf(out, "#%s=%s\n", row->name, row->initial != NULL ? row->initial : "");
}

enum outcome cmd_link_template(struct cli *cli)
{
	static const struct {
		const char *title;
		const struct key_table *table;
	} parts[] = { { "how to connect to the source", &client_key_table }, { "the link", &link_key_table } };
	FILE *out = cli->output.out;

	if (cli->output.json) {
		struct err err = { 0 };

		err_set(&err, RC_USAGE, "link template prints a link.config, not JSON");
		return cli_fail(cli, OUTCOME_USAGE, &err);
	}
	fputs(head, out);
	for (size_t t = 0; t < ARRAY_LEN(parts); t++) {
		fprintf(out, "\n# ---- %s ----\n", parts[t].title);
		for (int i = 0; i < parts[t].table->n; i++)
			print_key(out, &parts[t].table->rows[i]);
	}
	return OUTCOME_DONE;
}
