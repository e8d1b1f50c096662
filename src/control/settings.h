/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a mirror topic: what it is created with, what it has while it is mirrored, and what it gets at
 * promotion (DESIGN 4). Pure. */
#pragma once

#include "client/admin.h"
#include "control/props.h"
#include "control/record.h"

struct settings_in {
	const struct admin_configs *source;   /* of the source topic */
	const struct admin_configs *known;    /* of any topic of the destination: the names that it has */
	const struct props *given;            /* --config, or NULL */
};

struct settings_out {
	json_t *create;      /* name -> value */
	json_t *promotion;   /* name -> value, or null: back to the broker's default */
	json_t *given;       /* name -> value: what was given, and does not follow the source */
};

/* RC_USAGE for a given setting that the destination does not know. The caller drops the references. */
int settings_plan(const struct settings_in *in, struct settings_out *out, struct err *err) MUST_USE;
/* True for the settings that a topic must have as they are while it is mirrored. */
bool setting_is_forced(const char *name);
