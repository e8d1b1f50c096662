/* SPDX-License-Identifier: Apache-2.0 */
/* sasl.jaas.config: one login module with its options, as Java writes it:
 *
 *   org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b";
 *
 * (KIP-85; org.apache.kafka.common.security.JaasConfig). Pure. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct jaas_option {
	char *name, *value;
};

struct jaas {
	char *module;                /* the class, with its package */
	struct jaas_option *options;
	int n_options;
};

/* RC_USAGE with the place (counted in characters) and what was expected; no value is in the text. */
int jaas_parse(struct jaas *jaas, const char *text, struct err *err) MUST_USE;
void jaas_fini(struct jaas *jaas);
/* NULL: no such option. */
const char *jaas_option(const struct jaas *jaas, const char *name);
/* Whether the module is the class of that name, whatever its package: "PlainLoginModule". */
bool jaas_is(const struct jaas *jaas, const char *name);
