/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "krmirror/command.h"
#include "krmirror/help.h"
#include "test_krmirror.h"

#include <string.h>

enum { WORDS_MAX = 24 };

static char *line_words[WORDS_MAX];
static char line_text[512];
static struct args args;
static struct err err;

/* Parses a line that is cut at blanks. */
static int parse(const char *line)
{
	char *save = NULL;
	int n = 0;

	args_fini(&args);
	err = (struct err){ 0 };
	snprintf(line_text, sizeof(line_text), "krmirror %s", line);
	for (char *word = strtok_r(line_text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		ck_assert_int_lt(n, WORDS_MAX - 1);
		line_words[n++] = word;
	}
	line_words[n] = NULL;
	return args_parse(&args, n, line_words, &err);
}

static void good(const char *line)
{
	ck_assert_msg(parse(line) == RC_OK, "%s: %s", line, err.text);
}

/* The line is wrong, the sentence holds text, and the hint holds hint. */
static void bad(const char *line, const char *text, const char *hint)
{
	ck_assert_msg(parse(line) == RC_USAGE, "%s", line);
	ck_assert_msg(strstr(err.text, text) != NULL, "%s: %s", line, err.text);
	ck_assert_msg(strstr(err.hint, hint) != NULL, "%s: %s", line, err.hint);
}

static void is_command(const char *name)
{
	char text[64];

	ck_assert_ptr_nonnull(args.command);
	ck_assert_str_eq(command_name(args.command, text, sizeof(text)), name);
}

START_TEST(common_options_stand_anywhere)
{
	static const char *const lines[] = {
		"-c F -o json mirror list --link L",
		"mirror -c F list -o json --link L",
		"mirror list --link L -o json -c F",
		"mirror list --link=L --output=json --config=F",
		"--config F --output json mirror list --link L",
		"-cF -ojson mirror list --link L",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		good(lines[i]);
		is_command("mirror list");
		ck_assert_str_eq(args.values[OPT_CONFIG], "F");
		ck_assert_str_eq(args.values[OPT_LINK], "L");
		ck_assert(args.json);
	}
}
END_TEST

START_TEST(config_with_an_equals_sign_is_a_setting_where_settings_are_taken)
{
	good("link create L --config a=1,b=2 --config c=3 --config-file link.config --config krm.properties");
	ck_assert_int_eq(args.n_settings, 2);
	ck_assert_str_eq(args.settings[0], "a=1,b=2");
	ck_assert_str_eq(args.settings[1], "c=3");
	ck_assert_str_eq(args.values[OPT_CONFIG_FILE], "link.config");
	ck_assert_str_eq(args.values[OPT_CONFIG], "krm.properties");
	good("link create L -c a=b.properties --config x=1");
	ck_assert_str_eq(args.values[OPT_CONFIG], "a=b.properties");
	good("link list --config a=b.properties");
	ck_assert_str_eq(args.values[OPT_CONFIG], "a=b.properties");
	ck_assert_int_eq(args.n_settings, 0);
}
END_TEST

START_TEST(aliases_are_taken_silently)
{
	good("mirror delete T --link-name L --no-confirm");
	ck_assert_str_eq(args.values[OPT_LINK], "L");
	ck_assert(args.given[OPT_YES]);
	good("link create --link-name L --source-cluster-id abc");
	ck_assert_int_eq(args.n_operands, 1);
	ck_assert_str_eq(args.operands[0], "L");
	ck_assert_str_eq(args.values[OPT_SOURCE_CLUSTER], "abc");
	good("link create L --source-cluster abc");
	ck_assert_str_eq(args.values[OPT_SOURCE_CLUSTER], "abc");
}
END_TEST

START_TEST(wait_takes_its_duration_by_an_equals_sign_only)
{
	good("promote a b --wait");
	ck_assert(args.given[OPT_WAIT]);
	ck_assert_int_eq(args.wait_ms, -1);
	ck_assert_int_eq(args.n_operands, 2);
	good("promote a --wait=90s");
	ck_assert_int_eq(args.wait_ms, 90000);
	good("promote --wait 60s"); /* whether "60s" is a topic is known only later */
	ck_assert_int_eq(args.wait_ms, -1);
	ck_assert_str_eq(args.operands[0], "60s");
	bad("promote a --wait=60", "'60' is no duration for --wait", "30s");
	bad("promote a --wait=", "is no duration", "30s");
	bad("promote a --wait=5m --timeout 30s", "--timeout does not go with --wait", "--wait=30s");
}
END_TEST

START_TEST(values_are_checked)
{
	good("status --timeout 500ms");
	ck_assert_int_eq(args.timeout_ms, 500);
	good("status");
	ck_assert_int_eq(args.timeout_ms, 60000);
	bad("status --timeout 30", "'30' is no duration", "30s");
	bad("status -o yaml", "unknown output format 'yaml'", "human or json");
	bad("status --timeout", "option --timeout needs a value: --timeout DURATION", "");
	bad("status -c", "option -c needs a value: -c FILE", "");
	bad("link list --include-topics=yes", "--include-topics takes no value", "");
	good("mirror create T --link L --replication-factor 3");
	ck_assert_int_eq(args.replication_factor, 3);
	bad("mirror create T --link L --replication-factor 0", "'0' is no replication factor", "");
	bad("mirror create T --link L --replication-factor 3x", "'3x' is no replication factor", "");
	bad("mirror create T --link L --replication-factor 99999", "no replication factor", "");
	bad("link create L --acl-filters-json {} --acl-filters-json-file f", "exclude each other", "");
}
END_TEST

START_TEST(unknown_options_name_their_neighbour)
{
	bad("mirror list --lnik L", "unknown option --lnik", "did you mean --link?");
	bad("promote a --dryrun", "unknown option --dryrun", "did you mean --dry-run?");
	bad("status --frobnicate", "unknown option --frobnicate", "--help lists the options");
	bad("status -x", "unknown option -x", "--help lists the options");
	bad("status --yes", "'status' takes no option --yes", "krmirror status --help");
	bad("link list --link L", "'link list' takes no option --link", "");
}
END_TEST

START_TEST(unknown_commands_name_their_neighbour)
{
	bad("lnk list", "unknown command 'lnk'", "did you mean 'krmirror link'?");
	bad("link lsit", "unknown command 'link lsit'", "did you mean 'krmirror link list'?");
	bad("rebalance run", "unknown command 'rebalance'", "--help lists the commands");
	bad("link", "'link' alone is no command", "krmirror link --help");
	bad("", "no command given", "krmirror --help");
	bad("-o json", "no command given", "krmirror --help");
	ck_assert(args.json);
}
END_TEST

START_TEST(operands_are_counted)
{
	bad("link create", "'link create' needs the link's name", "");
	bad("link create a b", "'link create' does not take 'b'", "krmirror link create NAME");
	bad("mirror describe", "'mirror describe' needs a mirror topic", "");
	bad("status all", "'status' does not take 'all'", "");
	bad("promote", "needs mirror topics, or --all", "");
	bad("promote a --all", "either topics or --all", "");
	good("promote --all --link L");
	good("mirror pause a b c");
	ck_assert_int_eq(args.n_operands, 3);
	good("mirror describe -- --strange");
	ck_assert_str_eq(args.operands[0], "--strange");
}
END_TEST

START_TEST(errors_know_that_json_was_asked_for)
{
	bad("lnk -o json", "unknown command", "");
	ck_assert(args.json);
	bad("status --nonsense -ojson", "unknown option", "");
	ck_assert(args.json);
	bad("status --nonsense", "unknown option", "");
	ck_assert(!args.json);
}
END_TEST

START_TEST(help_needs_no_operands)
{
	good("--help");
	ck_assert_ptr_null(args.command);
	good("link --help");
	ck_assert_str_eq(args.group, "link");
	good("mirror promote --help");
	is_command("mirror promote");
	good("--version");
	bad("frob --help", "unknown command 'frob'", "");
}
END_TEST

/* Every command can be found, and its help shows each of its options. */
START_TEST(help_shows_every_option)
{
	const struct command *commands;
	const struct opt_row *rows;
	size_t n, n_rows;

	commands = command_table(&n);
	rows = opt_table(&n_rows);
	for (size_t i = 0; i < n; i++) {
		struct args asked = { .command = &commands[i] };
		char *text = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);
		char name[64];
		const char *words[3] = { name };
		int takes, n_words = 1;

		command_name(&commands[i], name, sizeof(name));
		for (char *p = name; (p = strchr(p, ' ')) != NULL; words[n_words++] = p)
			*p++ = '\0';
		ck_assert_ptr_eq(command_find(words, n_words, &takes), &commands[i]);
		ck_assert_int_eq(takes, n_words);
		help_print(out, &asked);
		fclose(out);
		for (size_t r = 0; r < n_rows; r++) {
			char option[64];

			if (rows[r].help == NULL ||
			    ((commands[i].options | OPTS_COMMON) & OPT_BIT(rows[r].opt)) == 0)
				continue;
			snprintf(option, sizeof(option), "--%s", rows[r].name);
			ck_assert_msg(strstr(text, option) != NULL, "%s in the help of %s", option,
				      commands[i].words[0]);
		}
		free(text);
	}
}
END_TEST

static void clean(void)
{
	args_fini(&args);
}

TCase *args_tests(void)
{
	TCase *tc = tcase_create("args");

	tcase_add_checked_fixture(tc, NULL, clean);
	tcase_add_test(tc, common_options_stand_anywhere);
	tcase_add_test(tc, config_with_an_equals_sign_is_a_setting_where_settings_are_taken);
	tcase_add_test(tc, aliases_are_taken_silently);
	tcase_add_test(tc, wait_takes_its_duration_by_an_equals_sign_only);
	tcase_add_test(tc, values_are_checked);
	tcase_add_test(tc, unknown_options_name_their_neighbour);
	tcase_add_test(tc, unknown_commands_name_their_neighbour);
	tcase_add_test(tc, operands_are_counted);
	tcase_add_test(tc, errors_know_that_json_was_asked_for);
	tcase_add_test(tc, help_needs_no_operands);
	tcase_add_test(tc, help_shows_every_option);
	return tc;
}
