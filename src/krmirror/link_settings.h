/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a link: as a command line gives them (files, --config, filters with options of their own), and as they
 * are shown. */
#pragma once

#include "krmirror/cli.h"

/* Later ones override: the file, --config, the options of their own. Warnings about the file are printed. RC_USAGE. */
int link_settings(struct cli *cli, struct props *props, struct err *err) MUST_USE;
/* RC_USAGE where none was given at all. */
int link_settings_given(const struct props *props, const char *what, struct err *err) MUST_USE;
/* All settings of a recorded link, as a table or as the document. */
enum outcome link_settings_show(struct cli *cli, const char *name) MUST_USE;
