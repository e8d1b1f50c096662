/* SPDX-License-Identifier: Apache-2.0 */
/* --help, --version and the machine listing that the man pages are checked against. */
#pragma once

#include "krmirror/args.h"

#include <stdio.h>

/* The help that the line asks for: of the command, of the group, or of all. */
void help_print(FILE *out, const struct args *args);
/* Lines of tab-separated fields: "command", words, operands; "option", words ("" for common ones), name, letter,
 * argument; "alias", name; "error", word; "key", file, name. */
void help_list(FILE *out);
