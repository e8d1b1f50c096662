/* SPDX-License-Identifier: Apache-2.0 */
#include "client/auth_scram.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static bool digits(const char *p, const char *end, uint64_t *value)
{
	*value = 0;
	if (p == end)
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		if (*value <= SCRAM_ITERATIONS_MAX)   /* beyond, more digits change nothing */
			*value = *value * 10 + (uint64_t)(*p - '0');
	}
	return true;
}

static int check(uint64_t iterations, struct err *err)
{
	if (iterations < SCRAM_ITERATIONS_MIN)
		return err_set(err, RC_AUTH, "the broker asks for %" PRIu64 " iterations of SCRAM; %d is the least", iterations,
			       SCRAM_ITERATIONS_MIN);
	if (iterations > SCRAM_ITERATIONS_MAX)
		return err_set(err, RC_AUTH, "the broker asks for more than %d iterations of SCRAM", SCRAM_ITERATIONS_MAX);
	return RC_OK;
}

int auth_scram_check(const void *message, size_t len, struct err *err)
{
	const char *p = message, *end = p + len;

	/* Attributes with commas between; the value of none holds a comma. */
	while (p < end) {
		const char *next = memchr(p, ',', (size_t)(end - p));
		const char *stop = next != NULL ? next : end;
		uint64_t iterations;

		if (stop - p > 2 && memcmp(p, "i=", 2) == 0) {
			if (!digits(p + 2, stop, &iterations))
				return err_set(err, RC_AUTH, "the broker's number of SCRAM iterations is no number");
			if (check(iterations, err) != RC_OK)
				return err->rc;
		}
		p = stop + 1;
	}
	return RC_OK;
}
