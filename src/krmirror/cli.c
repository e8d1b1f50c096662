/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/cli.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/links.h"
#include "krmirror/help.h"

#include <string.h>
#include <unistd.h>

#ifndef KRM_SYSCONFDIR
#define KRM_SYSCONFDIR "/etc"
#endif
#define CONFIG_DEFAULT KRM_SYSCONFDIR "/krmirror/krmirror.properties"

enum outcome cli_fail(struct cli *cli, enum outcome outcome, const struct err *err)
{
	output_failure(&cli->output, outcome_word(outcome, err), err);
	return outcome;
}

void cli_item_failed(struct cli *cli, const char *topic, const struct err *err)
{
	/* Most sentences name the topic themselves. */
	if (strstr(err->text, topic) != NULL)
		output_note(&cli->output, "%s", err->text);
	else
		output_note(&cli->output, "%s: %s", topic, err->text);
	if (err->hint[0] != '\0')
		fprintf(cli->output.err, "  %s\n", err->hint);
}

void cli_print_notes(struct cli *cli, struct notes *notes)
{
	for (int i = 0; i < notes->n; i++)
		output_warn(&cli->output, "%s", notes->lines[i]);
	notes_fini(notes);
}

void cli_warn_no_worker(struct cli *cli, const char *what)
{
	output_warn(&cli->output, "no worker is running: %s", what);
	if (cli->config_path != NULL)
		fprintf(cli->output.err, "  start one beside the destination: krmirrord -c %s\n", cli->config_path);
	else
		fprintf(cli->output.err,
			"  start one beside the destination: krmirrord -c FILE, where FILE says bootstrap.servers=%s\n",
			cli->conf.destination.bootstrap_text);
}

void cli_tell_verdict(struct cli *cli, const char *link)
{
	bool judged = false;
	struct err err = { 0 };
	int n = 0;
	bool asked = session_workers(&cli->session, &n, &err) == OUTCOME_DONE && n > 0;

	if (asked && link_verdict(&cli->session, link, &judged, &err) != OUTCOME_DONE)
		output_warn(&cli->output, "the worker cannot use link %s: %s", link, err.text);
	else if (!judged)
		output_warn(&cli->output, "%s link %s; `krmirror link describe %s` tells what it finds",
			    asked ? "the worker has no answer yet from the source of" : "no worker runs to look at", link, link);
}

void cli_check_worker(struct cli *cli, const char *what)
{
	struct err err;
	int n = 0;

	if (session_workers(&cli->session, &n, &err) == OUTCOME_DONE && n == 0)
		cli_warn_no_worker(cli, what);
}

/* --config, then $KRMIRROR_CONFIG, then the installed default where it is there. */
static const char *config_path(const struct args *args)
{
	const char *path = args->values[OPT_CONFIG];

	if (path == NULL)
		path = getenv("KRMIRROR_CONFIG");
	if (path != NULL && path[0] == '\0')
		path = NULL;
	if (path == NULL && access(CONFIG_DEFAULT, F_OK) == 0)
		path = CONFIG_DEFAULT;
	return path;
}

static enum outcome load(struct cli *cli, struct err *err)
{
	struct conf_files files = {
		.command_config = cli->args.values[OPT_COMMAND_CONFIG],
		.bootstrap = cli->args.values[OPT_BOOTSTRAP_SERVER],
	};
	struct notes notes = { 0 };
	int rc;

	files.config = cli->config_path = config_path(&cli->args);
	cli->conf_loaded_ = true;
	rc = conf_load(&cli->conf, &files, &notes, err);
	cli_print_notes(cli, &notes);
	return rc == RC_OK ? OUTCOME_DONE : OUTCOME_USAGE;
}

enum outcome cli_open(struct cli *cli)
{
	int64_t deadline_ns = clock_mono_ns() + cli->args.timeout_ms * NS_PER_MS;
	enum outcome outcome;
	struct err err = { 0 };

	outcome = load(cli, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	if (session_open(&cli->session, NULL, &cli->conf, deadline_ns, &err) != RC_OK)
		return cli_fail(cli, OUTCOME_FAILED, &err);
	cli->session_open_ = true;
	return OUTCOME_DONE;
}

enum outcome cli_connect(struct cli *cli)
{
	enum outcome outcome = cli_open(cli);
	struct err err = { 0 };

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = session_connect(&cli->session, &err);
	return outcome == OUTCOME_DONE ? OUTCOME_DONE : cli_fail(cli, outcome, &err);
}

enum outcome cli_on_mirror(struct cli *cli, enum outcome (*fn)(struct cli *cli, const char *link, const char *topic))
{
	const char *topic = cli->args.operands[0];
	char *link = NULL;
	struct err err = { 0 };
	enum outcome outcome = cli_connect(cli);

	if (outcome != OUTCOME_DONE)
		return outcome;
	outcome = session_resolve(&cli->session, cli->args.values[OPT_LINK], topic, &link, &err);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	outcome = fn(cli, link, topic);
	xfree(link);
	return outcome;
}

static enum outcome inform(struct cli *cli)
{
	if (cli->args.given[OPT_VERSION])
		fprintf(cli->output.out, "krmirror %s\n", PACKAGE_VERSION);
	else if (cli->args.given[OPT_LIST_COMMANDS])
		help_list(cli->output.out);
	else
		help_print(cli->output.out, &cli->args);
	return OUTCOME_DONE;
}

static enum outcome run(struct cli *cli)
{
	const struct args *args = &cli->args;
	enum outcome outcome;

	if (args->given[OPT_HELP] || args->given[OPT_VERSION] || args->given[OPT_LIST_COMMANDS])
		return inform(cli);
	arena_init(&cli->arena, 0);
	outcome = args->command->run(cli);
	if (cli->session_open_)
		cli_print_notes(cli, &cli->session.notes);
	if (cli->session_open_)
		session_close(&cli->session);
	if (cli->conf_loaded_)
		conf_fini(&cli->conf);
	arena_fini(&cli->arena);
	return outcome;
}

int cli_main(int argc, char **argv, FILE *out, FILE *err_stream)
{
	struct cli cli = { 0 };
	enum outcome outcome;
	struct err err = { 0 };

	/* What the layers below log is for the daemon's journal; a command says what matters in its own
	 * words. */
	log_setup(LOG_ERROR, LOG_KV);
	outcome = args_parse(&cli.args, argc, argv, &err) == RC_OK ? OUTCOME_DONE : OUTCOME_USAGE;
	output_init(&cli.output, cli.args.json, out, err_stream);
	if (outcome == OUTCOME_DONE)
		outcome = run(&cli);
	else
		cli_fail(&cli, outcome, &err);
	args_fini(&cli.args);
	if (!output_close(&cli.output)) {
		fprintf(err_stream, "krmirror: standard output took not all of the result\n");
		outcome = outcome_worse(outcome, OUTCOME_FAILED);
	}
	return (int)outcome;
}
