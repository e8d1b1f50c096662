/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are to brokers: what the login module line of sasl.jaas.config says, for each mechanism. */
#pragma once

#include "client/auth.h"
#include "control/secrets.h"

/* Adds what line, which is resolved, says to settings, whose mechanism is set; one that is not known adds nothing
 * (auth_settings_check refuses it). RC_USAGE; no secret is in the text. */
int login_read(struct auth_settings *settings, const char *line, struct err *err) MUST_USE;
/* Whether this host allows the files that the line named. RC_USAGE. */
int login_files_check(const struct auth_settings *settings, const struct secret_rules *rules, struct err *err) MUST_USE;
/* Whether the line of a link, as it is recorded, has references only where no message shows what they stand for. A line
 * that is one reference as a whole is fine. RC_USAGE. */
int login_references_check(const char *line, struct err *err) MUST_USE;
/* Who the brokers take us for by default, "User:mirror"; NULL: they make it of a token. The caller frees it. */
char *login_principal(const struct auth_settings *settings);
