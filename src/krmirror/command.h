/* SPDX-License-Identifier: Apache-2.0 */
/* The commands: one row each, one file each. */
#pragma once

#include "krmirror/args.h"
#include "control/outcome.h"

struct cli;

struct command {
	const char *words[2];        /* "link", "configuration list"; the second NULL for a short form */
	const char *operands;        /* "NAME", "TOPIC...", "" */
	int operands_min;
	int operands_max;            /* -1: any number */
	uint64_t options;            /* OPT_BITs beside the common ones */
	uint64_t hidden;             /* taken for other tools' sake, not shown in help */
	const char *help;            /* one line, lower case, no full stop */
	enum outcome (*run)(struct cli *cli);
};

const struct command *command_table(size_t *n);
/* NULL: no such command. *takes is the number of words it is made of. */
const struct command *command_find(const char *const *words, int n, int *takes);
/* True when some command begins with the word. */
bool command_is_group(const char *word);
/* "link create". Returns text. */
const char *command_name(const struct command *command, char *text, size_t size);

enum outcome cmd_link_create(struct cli *cli);
enum outcome cmd_link_list(struct cli *cli);
enum outcome cmd_link_describe(struct cli *cli);
enum outcome cmd_link_check(struct cli *cli);
enum outcome cmd_link_configuration_list(struct cli *cli);
enum outcome cmd_link_configuration_update(struct cli *cli);
enum outcome cmd_link_rekey(struct cli *cli);
enum outcome cmd_link_template(struct cli *cli);
enum outcome cmd_link_delete(struct cli *cli);
enum outcome cmd_link_task_list(struct cli *cli);
enum outcome cmd_group_list(struct cli *cli);
enum outcome cmd_link_pause(struct cli *cli);
enum outcome cmd_link_resume(struct cli *cli);
enum outcome cmd_mirror_create(struct cli *cli);
enum outcome cmd_mirror_list(struct cli *cli);
enum outcome cmd_mirror_describe(struct cli *cli);
enum outcome cmd_mirror_pause(struct cli *cli);
enum outcome cmd_mirror_resume(struct cli *cli);
enum outcome cmd_mirror_promote(struct cli *cli);
enum outcome cmd_mirror_failover(struct cli *cli);
enum outcome cmd_mirror_delete(struct cli *cli);
enum outcome cmd_drill_run(struct cli *cli);
enum outcome cmd_drill_template(struct cli *cli);
enum outcome cmd_status(struct cli *cli);
enum outcome cmd_topic_diff(struct cli *cli);
enum outcome cmd_verify(struct cli *cli);
