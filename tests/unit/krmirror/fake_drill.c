/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_drill.h"

#include <stdarg.h>
#include <string.h>

struct fake_drill fake_drill;

static enum outcome step(const char *name, struct err *err)
{
	if (fake_drill.fails == NULL || strcmp(fake_drill.fails, name) != 0)
		return OUTCOME_DONE;
	err_set(err, RC_REFUSED, "%s does not work", name);
	return fake_drill.outcome;
}

#define STEP(name)                                                      \
	enum outcome drill_##name(struct drill *d, struct err *err)     \
	{                                                               \
		(void)d;                                                \
		return step(#name, err);                                \
	}

STEP(source)
STEP(create)
STEP(mirror_step)
STEP(write)
STEP(copy)
STEP(groups)
STEP(failover)
STEP(writable)
STEP(check)
STEP(positions)
STEP(clean)

enum outcome drill_connect(struct drill *d, struct err *err)
{
	d->connected = fake_drill.fails == NULL || strcmp(fake_drill.fails, "connect") != 0;
	d->rto_ms = fake_drill.rto_ms;
	d->rpo_records = d->rpo_ms = fake_drill.rpo_records;
	return step("connect", err);
}

enum outcome drill_clean_own(struct drill *d, struct err *err)
{
	(void)d;
	fake_drill.cleaned++;
	return step("clean_own", err);
}

void drill_disconnect(struct drill *d)
{
	(void)d;
}

void drill_detail(struct drill *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->detail, sizeof(d->detail), fmt, ap);
	va_end(ap);
}
