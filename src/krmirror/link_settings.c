/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/link_settings.h"

#include "base/mem.h"
#include "control/link_config.h"
#include "control/link_mode.h"
#include "control/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FILTER_FILE_MAX = 1 << 20 };

/* A filter file as one string. */
static int read_file(const char *path, char **text, struct err *err)
{
	char *data = xmalloc(FILTER_FILE_MAX + 1);
	size_t len = 0;
	ssize_t got = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && got > 0 && len < FILTER_FILE_MAX) {
		got = read(fd, data + len, FILTER_FILE_MAX - len);
		if (got > 0)
			len += (size_t)got;
	}
	if (fd < 0 || got < 0 || len == FILTER_FILE_MAX) {
		err_set(err, RC_USAGE, "%s: %s", path,
			len == FILTER_FILE_MAX ? "larger than 1 MiB" : strerror(errno));
		xfree(data);
		data = NULL;
	} else {
		data[len] = '\0';
	}
	if (fd >= 0)
		close(fd);
	*text = data;
	return data != NULL ? RC_OK : err->rc;
}

/* The filters have options of their own, as kafka-cluster-links has them. */
static int add_filters(const struct args *args, struct props *props, struct err *err)
{
	static const struct {
		enum opt text, file;
		const char *key;
	} filters[] = {
		{ OPT_TOPIC_FILTERS_JSON, OPT_TOPIC_FILTERS_JSON_FILE, "auto.create.mirror.topics.filters" },
		{ OPT_CONSUMER_GROUP_FILTERS_JSON, OPT_CONSUMER_GROUP_FILTERS_JSON_FILE,
		  "consumer.offset.group.filters" },
		{ OPT_ACL_FILTERS_JSON, OPT_ACL_FILTERS_JSON_FILE, "acl.filters" },
	};

	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		const char *path = args->values[filters[i].file];
		char *text;

		if (args->given[filters[i].text])
			props_set(props, filters[i].key, args->values[filters[i].text],
				  opt_row(filters[i].text)->name, 0);
		if (path == NULL)
			continue;
		if (read_file(path, &text, err) != RC_OK)
			return err->rc;
		props_set(props, filters[i].key, text, path, 0);
		xfree(text);
	}
	return RC_OK;
}

static int load_file(struct cli *cli, const char *path, struct props *props, struct err *err)
{
	struct notes notes = { 0 };
	int rc = props_load(props, path, err);

	if (rc == RC_OK)
		rc = secret_exposure_check(props, path, &notes, err);
	cli_print_notes(cli, &notes);
	return rc;
}

int link_settings(struct cli *cli, struct props *props, struct err *err)
{
	const struct args *args = &cli->args;
	int rc = RC_OK;

	if (args->given[OPT_CONFIG_FILE])
		rc = load_file(cli, args->values[OPT_CONFIG_FILE], props, err);
	for (int i = 0; i < args->n_settings && rc == RC_OK; i++)
		rc = props_inline(props, args->settings[i], err);
	if (rc == RC_OK)
		rc = add_filters(args, props, err);
	if (rc == RC_OK && args->given[OPT_SOURCE_BOOTSTRAP_SERVER])
		props_set(props, link_servers_key(props), args->values[OPT_SOURCE_BOOTSTRAP_SERVER],
			  "--source-bootstrap-server", 0);
	return rc;
}

int link_settings_given(const struct props *props, const char *what, struct err *err)
{
	if (props->n > 0)
		return RC_OK;
	err_set(err, RC_USAGE, "%s was not said", what);
	return err_hint(err, "--config-file FILE (a link.config), --source-bootstrap-server LIST, or --config K=V,...");
}

/* ---- showing ---- */

static const char *source_of(const struct link_setting *row)
{
	return row->set ? "DYNAMIC_CLUSTER_LINK_CONFIG" : "DEFAULT_CONFIG";
}

static void print_table(FILE *out, const struct link_setting *rows, int n)
{
	static const struct column columns[] = {
		{ .name = "Config Name" }, { .name = "Config Value", .wraps = true }, { .name = "Read-Only" },
		{ .name = "Sensitive" }, { .name = "Source" },
	};
	struct table *table = table_create(columns, ARRAY_LEN(columns));

	for (int i = 0; i < n; i++) {
		table_row(table);
		table_text(table, rows[i].name);
		table_text(table, rows[i].hidden ? "[hidden]" : rows[i].value);
		table_text(table, rows[i].read_only ? "true" : "false");
		table_text(table, rows[i].sensitive ? "true" : "false");
		table_text(table, source_of(&rows[i]));
	}
	table_print(table, out);
}

enum outcome link_settings_show(struct cli *cli, const char *name)
{
	struct link_setting *rows = NULL;
	json_t *document = json_array();
	struct err err = { 0 };
	int n = 0;
	enum outcome outcome = link_config_list(&cli->session, name, &cli->arena, &rows, &n, &err);

	if (outcome != OUTCOME_DONE) {
		json_decref(document);
		return cli_fail(cli, outcome, &err);
	}
	for (int i = 0; i < n; i++) {
		json_t *row = json_object();

		json_object_set_new(row, "config_name", json_text(rows[i].name));
		json_object_set_new(row, "config_value", json_text(rows[i].value));
		json_object_set_new(row, "read_only", json_boolean(rows[i].read_only));
		json_object_set_new(row, "sensitive", json_boolean(rows[i].sensitive));
		json_object_set_new(row, "source", json_text(source_of(&rows[i])));
		json_array_append_new(document, row);
	}
	if (!cli->output.json)
		print_table(cli->output.out, rows, n);
	output_document(&cli->output, document);
	return OUTCOME_DONE;
}
