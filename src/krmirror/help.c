/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/help.h"

#include "base/mem.h"
#include "control/keys.h"
#include "krmirror/command.h"
#include "krmirror/output.h"

#include <string.h>

enum { OPTION_COLUMN = 38 };

static void print_option(FILE *out, const struct opt_row *row)
{
	char text[80], letter[8] = "    ";
	bool optional = row->arg == ARG_OPTIONAL;

	if (row->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(text, sizeof(text), "%s--%s%s%s%s", letter, row->name,
		 optional                 ? "[="
		 : row->arg == ARG_NEEDED ? " "
					  : "",
		 row->arg != ARG_NONE ? row->arg_name : "", optional ? "]" : "");
	fprintf(out, "  %-*s %s\n", OPTION_COLUMN, text, row->help);
}

static void print_options(FILE *out, const char *title, uint64_t options)
{
	const struct opt_row *rows;
	size_t n;

	if (options == 0)
		return;
	fprintf(out, "\n%s:\n", title);
	rows = opt_table(&n);
	for (size_t i = 0; i < n; i++)
		if (rows[i].help != NULL && (options & OPT_BIT(rows[i].opt)) != 0)
			print_option(out, &rows[i]);
}

static void print_command_line(FILE *out, const struct command *command)
{
	char name[64], text[80];

	snprintf(text, sizeof(text), "%s %s", command_name(command, name, sizeof(name)), command->operands);
	fprintf(out, "  %-*s %s\n", OPTION_COLUMN - 10, text, command->help);
}

static const char *page_of(const struct command *command)
{
	static const struct {
		const char *word, *page;
	} pages[] = {
		{ "link", "krmirror-link" },    { "group", "krmirror-link" },  { "topic", "krmirror-verify" },
		{ "verify", "krmirror-verify" }, { "drill", "krmirror-verify" }, { "status", "krmirror" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (strcmp(command->words[0], pages[i].word) == 0)
			return pages[i].page;
	return "krmirror-mirror";
}

static void print_command_help(FILE *out, const struct command *command)
{
	char name[64];

	command_name(command, name, sizeof(name));
	fprintf(out, "usage: krmirror %s%s%s%s\n\n%s\n", name, command->operands[0] != '\0' ? " " : "",
		command->operands, " [OPTIONS]", command->help);
	print_options(out, "options", command->options);
	print_options(out, "common options", OPTS_COMMON);
	fprintf(out, "\nman %s has it in full.\n", page_of(command));
}

void help_print(FILE *out, const struct args *args)
{
	const struct command *commands;
	size_t n;

	if (args->command != NULL) {
		print_command_help(out, args->command);
		return;
	}
	commands = command_table(&n);
	fprintf(out, "usage: krmirror [COMMON] COMMAND ... [COMMON]\n\nMirrors Kafka topics between clusters "
		     "at equal "
		     "offsets.\n\ncommands:\n");
	for (size_t i = 0; i < n; i++)
		if (args->group == NULL || strcmp(args->group, commands[i].words[0]) == 0)
			print_command_line(out, &commands[i]);
	print_options(out, "common options", OPTS_COMMON);
	fprintf(out, "\nkrmirror COMMAND --help shows the options of one command; man krmirror has all.\n");
}

static void list_options(FILE *out, const char *name, uint64_t options)
{
	const struct opt_row *rows;
	size_t n;

	rows = opt_table(&n);
	for (size_t i = 0; i < n; i++)
		if (rows[i].help != NULL && (options & OPT_BIT(rows[i].opt)) != 0)
			fprintf(out, "option\t%s\t--%s\t%.*s\t%s\n", name, rows[i].name, rows[i].letter != 0,
				&rows[i].letter, rows[i].arg_name != NULL ? rows[i].arg_name : "");
}

static void list_keys(FILE *out, const struct key_table *table, const char *file)
{
	for (int i = 0; i < table->n; i++)
		fprintf(out, "key\t%s\t%s\n", file, table->rows[i].name);
}

void help_list(FILE *out)
{
	const struct command *commands;
	const struct opt_row *rows;
	const char *const *errors;
	size_t n;

	commands = command_table(&n);
	list_options(out, "", OPTS_COMMON);
	for (size_t i = 0; i < n; i++) {
		char name[64];

		command_name(&commands[i], name, sizeof(name));
		fprintf(out, "command\t%s\t%s\n", name, commands[i].operands);
		list_options(out, name, commands[i].options);
	}
	rows = opt_table(&n);
	for (size_t i = 0; i < n; i++)
		if (rows[i].help == NULL && rows[i].opt != OPT_LIST_COMMANDS)
			fprintf(out, "alias\t--%s\n", rows[i].name);
	errors = error_words(&n);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "error\t%s\n", errors[i]);
	list_keys(out, &link_key_table, "link.config");
	list_keys(out, &conf_key_table, "krmirror.properties");
	list_keys(out, &client_key_table, "krmirror.properties");
}
