/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes. The first cuts the line into options with their values and words; an option takes a value or
 * not whatever the command is, so the words can be told apart before the command is known. The second knows
 * the command, and checks that it takes what was given. */
#include "krmirror/args.h"

#include "base/mem.h"
#include "base/units.h"
#include "krmirror/command.h"

#include <errno.h>
#include <string.h>

enum { TIMEOUT_DEFAULT_MS = 60000, REPLICATION_FACTOR_MAX = 32767, CANDIDATES_MAX = 64 };

static const struct opt_row rows[] = {
	{ OPT_CONFIG, "config", 'c', ARG_NEEDED, "FILE",
	  "krmirror.properties: destination client settings and worker keys" },
	{ OPT_BOOTSTRAP_SERVER, "bootstrap-server", 0, ARG_NEEDED, "LIST", "the destination cluster" },
	{ OPT_COMMAND_CONFIG, "command-config", 0, ARG_NEEDED, "FILE",
	  "destination client properties, as Kafka's own tools take them" },
	{ OPT_OUTPUT, "output", 'o', ARG_NEEDED, "FORMAT", "human or json" },
	{ OPT_TIMEOUT, "timeout", 0, ARG_NEEDED, "DURATION", "of the whole command (default 60s)" },
	{ OPT_HELP, "help", 'h', ARG_NONE, NULL, "show this help" },
	{ OPT_VERSION, "version", 0, ARG_NONE, NULL, "show the version" },
	{ OPT_CONFIG_FILE, "config-file", 0, ARG_NEEDED, "FILE",
	  "link.config: source client settings and link keys" },
	{ OPT_SETTING, "config", 0, ARG_NEEDED, "K=V,...",
	  "settings, over those of the file; may be given again" },
	{ OPT_SOURCE_BOOTSTRAP_SERVER, "source-bootstrap-server", 0, ARG_NEEDED, "LIST",
	  "the source cluster" },
	{ OPT_TOPIC_FILTERS_JSON, "topic-filters-json", 0, ARG_NEEDED, "JSON",
	  "auto.create.mirror.topics.filters" },
	{ OPT_TOPIC_FILTERS_JSON_FILE, "topic-filters-json-file", 0, ARG_NEEDED, "FILE",
	  "the same, from a file" },
	{ OPT_CONSUMER_GROUP_FILTERS_JSON, "consumer-group-filters-json", 0, ARG_NEEDED, "JSON",
	  "consumer.offset.group.filters" },
	{ OPT_CONSUMER_GROUP_FILTERS_JSON_FILE, "consumer-group-filters-json-file", 0, ARG_NEEDED, "FILE",
	  "the same, from a file" },
	{ OPT_ACL_FILTERS_JSON, "acl-filters-json", 0, ARG_NEEDED, "JSON", "acl.filters" },
	{ OPT_ACL_FILTERS_JSON_FILE, "acl-filters-json-file", 0, ARG_NEEDED, "FILE",
	  "the same, from a file" },
	{ OPT_NO_VALIDATE, "no-validate", 0, ARG_NONE, NULL, "record it without a look at the source" },
	{ OPT_INCLUDE_TOPICS, "include-topics", 0, ARG_NONE, NULL, "also the mirror topics of each link" },
	{ OPT_LINK, "link", 0, ARG_NEEDED, "NAME", "the link of the mirror topic" },
	{ OPT_LINK, "link-name", 0, ARG_NEEDED, "NAME", NULL },
	{ OPT_SOURCE_CLUSTER, "source-cluster", 0, ARG_NEEDED, "ID", NULL },
	{ OPT_SOURCE_CLUSTER, "source-cluster-id", 0, ARG_NEEDED, "ID", NULL },
	{ OPT_SOURCE_TOPIC, "source-topic", 0, ARG_NEEDED, "TOPIC", "the topic's name on the source" },
	{ OPT_REPLICATION_FACTOR, "replication-factor", 0, ARG_NEEDED, "N", "of the topic that is created" },
	{ OPT_MIRROR_STATUS, "mirror-status", 0, ARG_NEEDED, "STATUS", "only mirrors of this status" },
	{ OPT_ALL, "all", 0, ARG_NONE, NULL,
	  "all mirror topics that are not STOPPED (of --link, where given)" },
	{ OPT_WAIT, "wait", 0, ARG_OPTIONAL, "DURATION",
	  "return when all are STOPPED; at the deadline exit 7" },
	{ OPT_DRY_RUN, "dry-run", 0, ARG_NONE, NULL, "check everything, change nothing" },
	{ OPT_FORCE, "force", 0, ARG_NONE, NULL, "close the door from here, without a worker's confirmation" },
	{ OPT_FAILOVER, "failover", 0, ARG_NONE, NULL, "fail over all its mirrors first" },
	{ OPT_YES, "yes", 0, ARG_NONE, NULL, "do not ask" },
	{ OPT_YES, "no-confirm", 0, ARG_NONE, NULL, NULL },
	{ OPT_FROM, "from", 0, ARG_NEEDED, "OFFSET", "of each partition; default: where both sides begin" },
	{ OPT_TO, "to", 0, ARG_NEEDED, "OFFSET", "compare only below; default: all that is mirrored" },
	{ OPT_SAMPLE, "sample", 0, ARG_NEEDED, "N", "only N records of each partition, spread over its offsets" },
	{ OPT_EXPORT, "export", 0, ARG_NEEDED, "FILE", "write these records as JSON, one object a line" },
	{ OPT_PRINT_ACLS, "print-acls", 0, ARG_NONE, NULL, "the commands that grant each right, and nothing else" },
	{ OPT_PORTS, "ports", 0, ARG_NONE, NULL, "the flows that a firewall must allow, and nothing else" },
	{ OPT_DELETE_CONFIG, "delete-config", 0, ARG_NEEDED, "K,...", "settings that go back to their defaults" },
	{ OPT_NEW_KEY_FILE, "new-key-file", 0, ARG_NEEDED, "FILE", "the key that is used from now on: 32 raw bytes" },
	{ OPT_ADOPT, "adopt", 0, ARG_NONE, NULL, "take over a topic that is there, once it is proven equal" },
	{ OPT_PLAN, "plan", 0, ARG_NEEDED, "FILE", "what is rehearsed, as `krmirror drill template` prints it" },
	{ OPT_REPORT, "report", 0, ARG_NEEDED, "FILE", "append the result, as one line of JSON" },
	{ OPT_LIST_COMMANDS, "list-commands", 0, ARG_NONE, NULL, NULL },
};

const struct opt_row *opt_table(size_t *n)
{
	*n = ARRAY_LEN(rows);
	return rows;
}

const struct opt_row *opt_row(enum opt opt)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].opt == opt)
			return &rows[i];
	CHECK(false);
	return NULL;
}

/* One option of the line, not yet judged. */
struct token {
	const char *text; /* as written, for messages */
	const char *name;
	size_t name_len;
	const struct opt_row *row; /* NULL: unknown */
	const char *value;
	bool by_letter;
};

struct line {
	struct token *tokens;
	int n_tokens;
	const char **words;
	int n_words;
};

static const struct opt_row *row_named(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
			return &rows[i];
	return NULL;
}

static const struct opt_row *row_lettered(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].letter == letter && letter != 0)
			return &rows[i];
	return NULL;
}

static int needs_value(const struct opt_row *row, bool by_letter, struct err *err)
{
	if (by_letter)
		err_set(err, RC_USAGE, "option -%c needs a value: -%c %s", row->letter, row->letter, row->arg_name);
	else
		err_set(err, RC_USAGE, "option --%s needs a value: --%s %s", row->name, row->name, row->arg_name);
	return -1;
}

/* --name, --name=value, --name value. Returns how many arguments it took, or -1. */
static int cut_long(struct token *t, int argc, char **argv, struct err *err)
{
	const char *equals = strchr(argv[0], '=');

	t->name = argv[0] + 2;
	t->name_len = equals != NULL ? (size_t)(equals - t->name) : strlen(t->name);
	t->row = row_named(t->name, t->name_len);
	t->value = equals != NULL ? equals + 1 : NULL;
	if (t->row == NULL)
		return 1;
	if (t->row->arg == ARG_NONE && equals != NULL) {
		err_set(err, RC_USAGE, "option --%s takes no value", t->row->name);
		return -1;
	}
	if (t->row->arg != ARG_NEEDED || equals != NULL)
		return 1;
	if (argc < 2)
		return needs_value(t->row, false, err);
	t->value = argv[1];
	return 2;
}

/* -c FILE, -cFILE, -h. */
static int cut_short(struct token *t, int argc, char **argv, struct err *err)
{
	t->name = argv[0] + 1;
	t->name_len = strlen(t->name);
	t->row = row_lettered(argv[0][1]);
	t->by_letter = true;
	if (t->row == NULL || (t->row->arg == ARG_NONE && argv[0][2] != '\0')) {
		t->row = NULL;
		return 1;
	}
	if (t->row->arg == ARG_NONE)
		return 1;
	if (argv[0][2] != '\0') {
		t->value = argv[0] + 2;
		return 1;
	}
	if (argc < 2)
		return needs_value(t->row, true, err);
	t->value = argv[1];
	return 2;
}

static int cut(struct line *line, int argc, char **argv, struct err *err)
{
	bool words_only = false;

	line->tokens = xcalloc((size_t)argc + 1, sizeof(*line->tokens));
	line->words = xcalloc((size_t)argc + 1, sizeof(*line->words));
	for (int i = 1; i < argc;) {
		const char *arg = argv[i];
		struct token *t = &line->tokens[line->n_tokens];
		int took;

		if (words_only || arg[0] != '-' || arg[1] == '\0') {
			line->words[line->n_words++] = arg;
			i++;
			continue;
		}
		if (strcmp(arg, "--") == 0) {
			words_only = true;
			i++;
			continue;
		}
		t->text = arg;
		took = arg[1] == '-' ? cut_long(t, argc - i, argv + i, err)
				     : cut_short(t, argc - i, argv + i, err);
		if (took < 0)
			return err->rc;
		line->n_tokens++;
		i += took;
	}
	return RC_OK;
}

/* The options that the command (or, without one, any command) takes; by name, aliases left out. */
static size_t candidates(const struct command *command, const char **names)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows) && n < CANDIDATES_MAX; i++) {
		uint64_t taken = command != NULL ? OPTS_COMMON | command->options : UINT64_MAX;

		if (rows[i].help != NULL && (taken & OPT_BIT(rows[i].opt)) != 0)
			names[n++] = rows[i].name;
	}
	return n;
}

static int unknown_option(const struct token *t, const struct command *command, struct err *err)
{
	const char *names[CANDIDATES_MAX], *near = NULL;
	size_t n = candidates(command, names);
	char name[64], command_text[64] = "krmirror";

	if (command != NULL)
		command_name(command, command_text, sizeof(command_text));
	snprintf(name, sizeof(name), "%.*s", (int)MIN(t->name_len, sizeof(name) - 1), t->name);
	if (!t->by_letter)
		near = name_nearest(name, names, n);
	if (t->row != NULL)
		err_set(err, RC_USAGE, "'%s' takes no option %s%s", command_text, t->by_letter ? "-" : "--",
			name);
	else
		err_set(err, RC_USAGE, "unknown option %s%s", t->by_letter ? "-" : "--", name);
	if (near != NULL && strcmp(near, name) != 0)
		err_hint(err, "did you mean --%s?", near);
	else
		err_hint(err, "krmirror %s%s--help lists the options", command != NULL ? command_text : "",
			 command != NULL ? " " : "");
	return err->rc;
}

static int unknown_command(const struct line *line, struct err *err)
{
	const struct command *commands;
	const char *first = line->words[0], *near;
	bool group = command_is_group(first);
	const char *names[CANDIDATES_MAX];
	size_t n_commands, n = 0;

	if (group && line->n_words == 1) {
		err_set(err, RC_USAGE, "'%s' alone is no command", first);
		return err_hint(err, "krmirror %s --help lists its commands", first);
	}
	commands = command_table(&n_commands);
	for (size_t i = 0; i < n_commands && n < CANDIDATES_MAX; i++)
		if (!group)
			names[n++] = commands[i].words[0];
		else if (strcmp(commands[i].words[0], first) == 0)
			names[n++] = commands[i].words[1];
	near = name_nearest(group ? line->words[1] : first, names, n);
	err_set(err, RC_USAGE, "unknown command '%s%s%s': this version has no such command", first,
		group ? " " : "", group ? line->words[1] : "");
	if (near != NULL)
		return err_hint(err, "did you mean 'krmirror %s%s%s'?", group ? first : "", group ? " " : "",
				near);
	return err_hint(err, "krmirror %s%s--help lists the commands", group ? first : "", group ? " " : "");
}

static int take_duration(const struct opt_row *row, const char *value, int64_t *ms, struct err *err)
{
	if (duration_parse(value, ms))
		return RC_OK;
	err_set(err, RC_USAGE, "'%s' is no duration for --%s", value, row->name);
	return err_hint(err, "a number and a unit: 500ms, 30s, 5m, 2h");
}

static int take_output(struct args *args, const char *value, struct err *err)
{
	args->json = strcmp(value, "json") == 0;
	if (args->json || strcmp(value, "human") == 0)
		return RC_OK;
	err_set(err, RC_USAGE, "unknown output format '%s'", value);
	return err_hint(err, "human or json");
}

static int take_replication_factor(struct args *args, const char *value, struct err *err)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (*value < '0' || *value > '9' || *end != '\0' || n < 1 || n > REPLICATION_FACTOR_MAX)
		return err_set(err, RC_USAGE, "'%s' is no replication factor: a number from 1", value);
	args->replication_factor = (int32_t)n;
	return RC_OK;
}

static int take_number(const struct opt_row *row, const char *value, int64_t least, int64_t *number, struct err *err)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || n < least)
		return err_set(err, RC_USAGE, "'%s' is no value for --%s: a number from %lld", value, row->name,
			       (long long)least);
	*number = n;
	return RC_OK;
}

static bool takes(const struct command *command, enum opt opt)
{
	uint64_t taken = OPTS_COMMON | (command != NULL ? command->options | command->hidden : 0);

	return (taken & OPT_BIT(opt)) != 0;
}

/* --config is two options: a value with = is a setting where the command takes settings, else the file. */
static enum opt meant(const struct token *t, const struct command *command)
{
	if (t->row->opt == OPT_CONFIG && !t->by_letter && command != NULL && takes(command, OPT_SETTING) &&
	    strchr(t->value, '=') != NULL)
		return OPT_SETTING;
	return t->row->opt;
}

static int take(struct args *args, const struct token *t, struct err *err)
{
	enum opt opt = meant(t, args->command);

	if (!takes(args->command, opt))
		return unknown_option(t, args->command, err);
	args->given[opt] = true;
	args->values[opt] = t->value;
	if (opt == OPT_SETTING)
		args->settings[args->n_settings++] = t->value;
	else if (opt == OPT_OUTPUT)
		return take_output(args, t->value, err);
	else if (opt == OPT_TIMEOUT)
		return take_duration(t->row, t->value, &args->timeout_ms, err);
	else if (opt == OPT_REPLICATION_FACTOR)
		return take_replication_factor(args, t->value, err);
	else if (opt == OPT_FROM)
		return take_number(t->row, t->value, 0, &args->from, err);
	else if (opt == OPT_TO)
		return take_number(t->row, t->value, 0, &args->to, err);
	else if (opt == OPT_SAMPLE)
		return take_number(t->row, t->value, 1, &args->sample, err);
	else if (opt == OPT_WAIT && t->value != NULL)
		return take_duration(t->row, t->value, &args->wait_ms, err);
	return RC_OK;
}

static int check_operands(struct args *args, struct err *err)
{
	const struct command *c = args->command;
	char name[64];

	command_name(c, name, sizeof(name));
	if (c->operands_max >= 0 && args->n_operands > c->operands_max) {
		err_set(err, RC_USAGE, "'%s' does not take '%s'", name, args->operands[c->operands_max]);
		return err_hint(err, "krmirror %s%s%s", name, c->operands[0] != '\0' ? " " : "", c->operands);
	}
	/* kafka-cluster-links gives the name of a link by --link-name. */
	if (args->n_operands == 0 && c->operands_max == 1 && (c->hidden & OPT_BIT(OPT_LINK)) != 0) {
		if (args->given[OPT_LINK])
			args->operands[args->n_operands++] = args->values[OPT_LINK];
		else
			return err_set(err, RC_USAGE, "'%s' needs the link's name: krmirror %s NAME", name,
				       name);
	}
	if (args->n_operands < c->operands_min)
		return err_set(err, RC_USAGE, "'%s' needs a mirror topic: krmirror %s %s", name, name,
			       c->operands);
	if ((c->options & OPT_BIT(OPT_ALL)) != 0 && args->n_operands == 0 && !args->given[OPT_ALL])
		return err_set(err, RC_USAGE, "'%s' needs mirror topics, or --all", name);
	if (args->given[OPT_ALL] && args->n_operands > 0)
		return err_set(err, RC_USAGE, "'%s': either topics or --all, not both", name);
	return RC_OK;
}

static int check_together(struct args *args, struct err *err)
{
	static const struct {
		enum opt a, b;
	} either[] = {
		{ OPT_TOPIC_FILTERS_JSON, OPT_TOPIC_FILTERS_JSON_FILE },
		{ OPT_CONSUMER_GROUP_FILTERS_JSON, OPT_CONSUMER_GROUP_FILTERS_JSON_FILE },
		{ OPT_ACL_FILTERS_JSON, OPT_ACL_FILTERS_JSON_FILE },
	};

	for (size_t i = 0; i < ARRAY_LEN(either); i++)
		if (args->given[either[i].a] && args->given[either[i].b])
			return err_set(err, RC_USAGE, "--%s and --%s exclude each other",
				       opt_row(either[i].a)->name, opt_row(either[i].b)->name);
	if (args->given[OPT_WAIT] && args->given[OPT_TIMEOUT]) {
		err_set(err, RC_USAGE, "--timeout does not go with --wait");
		return err_hint(err, "--wait=%s waits so long", args->values[OPT_TIMEOUT]);
	}
	return RC_OK;
}

/* Before anything is judged: an error must come out in the form that was asked for. */
static void look_for_json(struct args *args, const struct line *line)
{
	for (int i = 0; i < line->n_tokens; i++)
		if (line->tokens[i].row != NULL && line->tokens[i].row->opt == OPT_OUTPUT &&
		    line->tokens[i].value != NULL)
			args->json = strcmp(line->tokens[i].value, "json") == 0;
}

static bool asks(const struct line *line, enum opt opt)
{
	for (int i = 0; i < line->n_tokens; i++)
		if (line->tokens[i].row != NULL && line->tokens[i].row->opt == opt)
			return true;
	return false;
}

static int judge(struct args *args, struct line *line, struct err *err)
{
	bool informs = asks(line, OPT_HELP) || asks(line, OPT_VERSION) || asks(line, OPT_LIST_COMMANDS);
	int used = 0;

	for (int i = 0; i < line->n_tokens; i++)
		if (line->tokens[i].row == NULL)
			return unknown_option(&line->tokens[i], NULL, err);
	if (line->n_words > 0) {
		args->command =
			command_find(line->words, line->n_words, &used);
		if (args->command == NULL && informs && line->n_words == 1 &&
		    command_is_group(line->words[0]))
			args->group = line->words[0];
		else if (args->command == NULL)
			return unknown_command(line, err);
	} else if (!informs) {
		err_set(err, RC_USAGE, "no command given");
		return err_hint(err, "krmirror --help lists the commands");
	}
	for (int i = used; i < line->n_words && args->group == NULL; i++)
		args->operands[args->n_operands++] = line->words[i];
	for (int i = 0; i < line->n_tokens; i++)
		if (take(args, &line->tokens[i], err) != RC_OK)
			return err->rc;
	if (informs)
		return RC_OK;
	if (check_operands(args, err) != RC_OK)
		return err->rc;
	return check_together(args, err);
}

int args_parse(struct args *args, int argc, char **argv, struct err *err)
{
	struct line line = { 0 };
	int rc;

	*args = (struct args){ .timeout_ms = TIMEOUT_DEFAULT_MS, .wait_ms = -1, .replication_factor = -1 };
	args->settings = xcalloc((size_t)argc + 1, sizeof(*args->settings));
	args->operands = xcalloc((size_t)argc + 1, sizeof(*args->operands));
	rc = cut(&line, argc, argv, err);
	look_for_json(args, &line);
	if (rc == RC_OK)
		rc = judge(args, &line, err);
	xfree(line.tokens);
	xfree(line.words);
	return rc;
}

void args_fini(struct args *args)
{
	xfree(args->settings);
	xfree(args->operands);
	*args = (struct args){ 0 };
}
