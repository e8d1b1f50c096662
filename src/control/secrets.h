/* SPDX-License-Identifier: Apache-2.0 */
/* References in configuration values, ${file:PATH:KEY} and ${env:NAME}, as Kafka's config providers have them
 * (FileConfigProvider, EnvVarConfigProvider), anywhere in a value. What comes out of the control log may only name files
 * and variables that the host allows: whoever may write to the log must not read the host. */
#pragma once

#include "base/err.h"
#include "control/props.h"

/* What secret.files.allowed and secret.env.allowed say; NULL stands for nothing allowed. */
struct secret_rules {
	const char *files_allowed;   /* directories and files, separated by commas */
	const char *urls_allowed;    /* token endpoints, separated by commas; files by files_allowed */
	const char *env_allowed;     /* names, separated by commas; a trailing * stands for any ending */
};

/* True when value has a reference in it. */
bool secret_is_reference(const char *value);
/* True when value is one reference and nothing besides. */
bool secret_is_one_reference(const char *value);

/* Puts what references name in their place. rules NULL: the host's own file, which may name anything. The caller frees
 * *text (and cleanses it, if it is a secret). RC_USAGE with the reference and why: outside of what is allowed, no such
 * file, key or variable. */
int secret_resolve(const struct secret_rules *rules, const char *value, char **text, struct err *err) MUST_USE;

/* Whether secrets may be sent to a token endpoint that the control log names, or (file://) its file be read. RC_USAGE. */
int secret_url_check(const struct secret_rules *rules, const char *url, struct err *err) MUST_USE;

/* Whether a file that the control log names (a key store) may be read: by its real path, links followed. RC_USAGE. */
int secret_file_check(const struct secret_rules *rules, const char *path, struct err *err) MUST_USE;
