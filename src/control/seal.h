/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets at rest: how a link's settings become its record, and a record settings again (krmirror-control(5)). With a key
 * each secret is sealed, bound to the link, the servers and the setting, and the record is signed, so that who may write to
 * the control log can neither read secrets, nor lead a worker that has them elsewhere. Pure. */
#pragma once

#include "control/props.h"
#include "control/record.h"
#include "control/secret_key.h"

/* Why the settings of a record are not used. */
enum seal_fault {
	SEAL_FINE,
	SEAL_CONFIGURATION,   /* a secret in clear, or one that cannot be opened */
	SEAL_NOT_AUTHENTIC,   /* not signed, although this host has a key; or not with what stands in it */
	SEAL_OTHER_KEY,       /* sealed or signed with another key than this host has, or it has none */
	SEAL_REPLAYED         /* it stands elsewhere than it was written for: an older record, written again */
};

/* What the state of a link says then: "NOT_AUTHENTIC". */
const char *seal_fault_word(enum seal_fault fault);

/* Whether the value of a setting is secret: a password, a key, a login module line; also of settings that are not used. */
bool secret_setting(const char *name);
/* Whether something secret stands in the value itself, and not only references to it. */
bool secret_in_clear(const char *name, const char *value);

/* A file of settings with a secret in it must be nobody else's to write (RC_USAGE), and better not to read (noted). */
int secret_exposure_check(const struct props *props, const char *path, struct notes *notes, struct err *err) MUST_USE;
/* Refuses what may not be recorded: a secret in a command line, and in a file where there is no key to seal it with. */
int seal_check(const struct props *props, const struct secret_key *key, struct err *err) MUST_USE;
/* Puts the settings into wish->config, secrets sealed where there is a key. What is to be signed (all but `paused`) is
 * signed when it is known where in the log it goes: control_batch_link, with the same key. */
void link_seal(struct link_wish *wish, const struct props *props, const struct secret_key *key);
/* Signs the value of a link's record, for the offset that it will have and no other: so who may write to the log, and has
 * older records of the link, can do nothing with them. */
void link_sign(json_t *value, const char *link, const struct secret_key *key, int64_t at);
/* Whether a record, by what stands in it, was written for another offset. */
bool link_misplaced(const json_t *value, int64_t offset);
/* The settings of a record, secrets opened. key NULL: what is signed is not checked, and what is sealed is not had. On
 * failure props is as it was: RC_REFUSED (not authentic, replayed) or RC_USAGE, with the reason. */
int link_unseal(const struct link_wish *wish, const struct secret_key *key, struct props *props, enum seal_fault *fault,
		struct err *err) MUST_USE;
