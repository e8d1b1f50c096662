/* SPDX-License-Identifier: Apache-2.0 */
/* What one run of krmirror has: its command line, its output, and, once it is connected, a session with the
 * destination. Commands print their failures themselves (cli_fail) and return the outcome, which is the exit code. */
#pragma once

#include "control/report.h"
#include "krmirror/args.h"
#include "krmirror/command.h"
#include "krmirror/output.h"

struct cli {
	struct args args;
	struct output output;
	struct arena arena;          /* what reports point into, until the end */
	const char *config_path;     /* of krmirror.properties; NULL: none was there */
	struct conf conf;
	struct session session;
	/* private */
	bool conf_loaded_, session_open_;
};

/* The whole program. */
int cli_main(int argc, char **argv, FILE *out, FILE *err);

/* Reads krmirror.properties and makes a session that is not connected yet. On failure it has been told. */
enum outcome cli_open(struct cli *cli) MUST_USE;
/* Reads krmirror.properties, connects to the destination and reads the control log. On failure it has been told. */
enum outcome cli_connect(struct cli *cli) MUST_USE;
/* For a command of one mirror: connects, finds the link of the topic (--link, or the only one that has it), runs fn. */
enum outcome cli_on_mirror(struct cli *cli, enum outcome (*fn)(struct cli *cli, const char *link, const char *topic))
	MUST_USE;
/* Tells a failure; returns outcome. */
enum outcome cli_fail(struct cli *cli, enum outcome outcome, const struct err *err);
/* The same for one of several items, which the document tells as well. */
void cli_item_failed(struct cli *cli, const char *topic, const struct err *err);
/* Prints what the verbs noted, as warnings, once. */
void cli_print_notes(struct cli *cli, struct notes *notes);
/* Of a link that was recorded without asking: what a worker makes of it, or where that will be told. */
void cli_tell_verdict(struct cli *cli, const char *link);
/* Warns when no worker runs, and says how to start one. what: the consequence, "nothing is copied until one runs". */
void cli_warn_no_worker(struct cli *cli, const char *what);
/* Asks the group first. Not knowing is no failure. */
void cli_check_worker(struct cli *cli, const char *what);
