/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: options may stand anywhere, before, between and after the words of the command. One table of
 * options, one of commands; help, suggestions and the man page test read the same tables. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt {
	OPT_CONFIG, OPT_BOOTSTRAP_SERVER, OPT_COMMAND_CONFIG, OPT_OUTPUT, OPT_TIMEOUT, OPT_HELP, OPT_VERSION,
	OPT_SETTING, OPT_CONFIG_FILE, OPT_SOURCE_BOOTSTRAP_SERVER, OPT_SOURCE_CLUSTER, OPT_NO_VALIDATE,
	OPT_TOPIC_FILTERS_JSON, OPT_TOPIC_FILTERS_JSON_FILE, OPT_CONSUMER_GROUP_FILTERS_JSON,
	OPT_CONSUMER_GROUP_FILTERS_JSON_FILE, OPT_ACL_FILTERS_JSON, OPT_ACL_FILTERS_JSON_FILE,
	OPT_INCLUDE_TOPICS, OPT_LINK, OPT_SOURCE_TOPIC, OPT_REPLICATION_FACTOR, OPT_MIRROR_STATUS,
	OPT_ALL, OPT_WAIT, OPT_DRY_RUN, OPT_FORCE, OPT_FAILOVER, OPT_YES, OPT_FROM, OPT_TO, OPT_SAMPLE,
	OPT_EXPORT, OPT_PRINT_ACLS, OPT_PORTS, OPT_DELETE_CONFIG, OPT_NEW_KEY_FILE, OPT_ADOPT, OPT_PLAN, OPT_REPORT,
	OPT_LIST_COMMANDS,
	OPT_COUNT
};

#define OPT_BIT(opt) (UINT64_C(1) << (opt))
#define OPTS_COMMON                                                                                  \
	(OPT_BIT(OPT_CONFIG) | OPT_BIT(OPT_BOOTSTRAP_SERVER) | OPT_BIT(OPT_COMMAND_CONFIG) |          \
	 OPT_BIT(OPT_OUTPUT) | OPT_BIT(OPT_TIMEOUT) | OPT_BIT(OPT_HELP) | OPT_BIT(OPT_VERSION) |      \
	 OPT_BIT(OPT_LIST_COMMANDS))

enum opt_arg { ARG_NONE, ARG_NEEDED, ARG_OPTIONAL };   /* optional: only as --opt=value */

struct opt_row {
	enum opt opt;
	const char *name;         /* without dashes */
	char letter;              /* 0: none */
	enum opt_arg arg;
	const char *arg_name;     /* "FILE" */
	const char *help;         /* NULL: an alias, or hidden */
};

/* All rows; *n is their number. Aliases are rows of the option that they stand for, after it. */
const struct opt_row *opt_table(size_t *n);
/* The first row of an option. */
const struct opt_row *opt_row(enum opt opt);

struct command;

struct args {
	const struct command *command;   /* NULL with help or version asked for without a command */
	const char *group;               /* "link" where only the first word of a command was given */
	bool given[OPT_COUNT];
	const char *values[OPT_COUNT];   /* of the last time it was given; NULL: no value */
	const char **settings;           /* the K=V,... of each --config, in order */
	int n_settings;
	const char **operands;
	int n_operands;
	int64_t timeout_ms;              /* of the whole command */
	int64_t wait_ms;                 /* --wait=DURATION; -1: no deadline. Only when given[OPT_WAIT] */
	int32_t replication_factor;      /* -1: not given */
	int64_t from, to, sample;        /* only when given */
	bool json;
};

/* Reads the command line. What it stores points into argv. On failure err says what is wrong and what was probably
 * meant; json is then set when the line asks for JSON in a way that can be told. */
int args_parse(struct args *args, int argc, char **argv, struct err *err) MUST_USE;
void args_fini(struct args *args);
