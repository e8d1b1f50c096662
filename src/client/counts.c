/* SPDX-License-Identifier: Apache-2.0 */
#include "client/counts.h"

#include <string.h>

static void add(struct client_counts *counts, const char *api, const char *code, uint64_t n)
{
	struct client_count *c;

	for (int i = 0; i < counts->n_errors; i++) {
		c = &counts->errors[i];
		if (strcmp(c->code, code) == 0 && strcmp(c->api, api) == 0) {
			c->n += n;
			return;
		}
	}
	if (counts->n_errors == CLIENT_COUNTS_MAX) {
		counts->errors[CLIENT_COUNTS_MAX - 1].n += n;
		return;
	}
	c = &counts->errors[counts->n_errors++];
	*c = (struct client_count){ api, code, n };
	if (counts->n_errors == CLIENT_COUNTS_MAX)
		c->api = c->code = "other";
}

void client_counts_error(struct client_counts *counts, const char *api, const char *code)
{
	if (counts != NULL)
		add(counts, api, code, 1);
}

void client_counts_add(struct client_counts *counts, const struct client_counts *more)
{
	for (int i = 0; i < more->n_errors; i++)
		add(counts, more->errors[i].api, more->errors[i].code, more->errors[i].n);
	counts->throttle_ms += more->throttle_ms;
}
