/* SPDX-License-Identifier: Apache-2.0 */
#include "control/links.h"
#include "base/mem.h"
#include "krmirror/cli.h"
#include "krmirror/link_view.h"

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

/* Later ones override: the file, --config, the options of their own. */
static int gather(const struct args *args, struct props *props, struct err *err)
{
	int rc = RC_OK;

	if (args->given[OPT_CONFIG_FILE])
		rc = props_load(props, args->values[OPT_CONFIG_FILE], err);
	for (int i = 0; i < args->n_settings && rc == RC_OK; i++)
		rc = props_inline(props, args->settings[i], err);
	if (rc == RC_OK)
		rc = add_filters(args, props, err);
	if (rc == RC_OK && args->given[OPT_SOURCE_BOOTSTRAP_SERVER])
		props_set(props, "bootstrap.servers", args->values[OPT_SOURCE_BOOTSTRAP_SERVER],
			  "--source-bootstrap-server", 0);
	if (rc == RC_OK && props->n == 0) {
		rc = err_set(err, RC_USAGE, "where the source is was not said");
		err_hint(err, "--config-file FILE (a link.config), --source-bootstrap-server LIST, or "
			      "--config K=V,...");
	}
	return rc;
}

static void tell(struct cli *cli, const struct link_info *link)
{
	if (cli->args.given[OPT_DRY_RUN]) {
		output_say(&cli->output,
			   "Would create cluster link \"%s\": source cluster %s, destination cluster %s. "
			   "Nothing was recorded.",
			   link->link_name, link->source_cluster != NULL ? link->source_cluster : "not asked",
			   link->destination_cluster != NULL ? link->destination_cluster : "-");
		return;
	}
	output_say(&cli->output, "Created cluster link \"%s\".", link->link_name);
}

enum outcome cmd_link_create(struct cli *cli)
{
	struct props props = { 0 };
	struct link_create_opts opts = {
		.name = cli->args.operands[0],
		.config = &props,
		.source_cluster_id = cli->args.values[OPT_SOURCE_CLUSTER],
		.dry_run = cli->args.given[OPT_DRY_RUN],
		.no_validate = cli->args.given[OPT_NO_VALIDATE],
	};
	enum outcome outcome;
	struct link_info link = { 0 };
	struct err err = { 0 };

	if (gather(&cli->args, &props, &err) != RC_OK) {
		outcome = cli_fail(cli, OUTCOME_USAGE, &err);
		goto out;
	}
	outcome = cli_connect(cli);
	if (outcome != OUTCOME_DONE)
		goto out;
	outcome = link_create(&cli->session, &opts, &cli->arena, &link, &err);
	cli_print_notes(cli, &cli->session.notes);
	if (outcome != OUTCOME_DONE) {
		cli_fail(cli, outcome, &err);
		goto out;
	}
	tell(cli, &link);
	output_document(&cli->output, link_created_json(&link));
out:
	props_fini(&props);
	return outcome;
}
