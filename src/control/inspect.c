/* SPDX-License-Identifier: Apache-2.0 */
/* The items of an inspection. */
#include "control/inspect_priv.h"

#include "base/mem.h"

#include <stdarg.h>

const char *inspect_status_name(enum inspect_status status)
{
	static const char *const names[] = { "OK", "UNKNOWN", "WARNING", "FAILED" };

	return names[status];
}

struct inspect_item *inspect_add(struct inspection *inspection, enum side side, const char *name)
{
	struct inspect_item *item;

	inspection->items = xrealloc(inspection->items, (size_t)inspection->n + 1, sizeof(*inspection->items));
	item = &inspection->items[inspection->n++];
	*item = (struct inspect_item){ .side = side, .broker = -1, .name = name, .expiry_ms = -1 };
	return item;
}

const char *inspect_text(struct inspection *inspection, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return arena_strdup(inspection->arena, text);
}

void inspect_flow_add(struct inspection *inspection, const struct inspect_flow *flow)
{
	inspection->flows = xrealloc(inspection->flows, (size_t)inspection->n_flows + 1, sizeof(*inspection->flows));
	inspection->flows[inspection->n_flows++] = *flow;
}

void inspection_fini(struct inspection *inspection)
{
	xfree(inspection->items);
	xfree(inspection->flows);
	*inspection = (struct inspection){ 0 };
}

static const char *reason_of(const struct err *err)
{
	static const char *const causes[] = {
		[CAUSE_TLS_NAME] = "TLS_NAME", [CAUSE_TLS_DATE] = "TLS_DATE", [CAUSE_TLS_AUTHORITY] = "TLS_AUTHORITY",
		[CAUSE_TLS_REFUSED] = "TLS_REFUSED", [CAUSE_MECHANISM] = "MECHANISM", [CAUSE_LOGIN] = "LOGIN",
	};

	if (err->cause != CAUSE_NONE)
		return causes[err->cause];
	switch (err->rc) {
	case RC_RESOLVE:
		return "RESOLVE";
	case RC_CONNECT:
		return "CONNECT";
	case RC_TIMEOUT:
		return "TIMEOUT";
	case RC_AUTH:
		return "LOGIN";
	case RC_REFUSED:
		return "OTHER_CLUSTER";
	case RC_USAGE:
		return "CONFIGURATION";
	case RC_PROTO:
	case RC_CLOSED:
	case RC_UNSUPPORTED:
	case RC_CORRUPT:
		return "PROTOCOL";
	default:
		return err->rc < 0 ? "CONNECT" : "OTHER";
	}
}

void inspect_failed(struct inspection *inspection, struct inspect_item *item, const struct err *err)
{
	item->status = INSPECT_FAILED;
	item->reason = reason_of(err);
	item->detail = inspect_text(inspection, "%s", err->text);
	item->hint = err->hint[0] != '\0' ? inspect_text(inspection, "%s", err->hint) : NULL;
	item->rc = err->rc;
	item->outcome = outcome_of(err, item->side);
}

enum outcome inspection_outcome(const struct inspection *inspection)
{
	enum outcome worst = OUTCOME_DONE;

	for (int i = 0; i < inspection->n; i++)
		if (inspection->items[i].status == INSPECT_FAILED)
			worst = outcome_worse(worst, inspection->items[i].outcome);
	return worst;
}

/* Few items are out of order, and equal ones must stay as they are. */
void inspection_sort(struct inspection *inspection)
{
	struct inspect_item *sorted = xcalloc((size_t)inspection->n + 1, sizeof(*sorted));
	int n = 0;

	for (int status = INSPECT_FAILED; status >= INSPECT_OK; status--)
		for (int i = 0; i < inspection->n; i++)
			if ((int)inspection->items[i].status == status)
				sorted[n++] = inspection->items[i];
	xfree(inspection->items);
	inspection->items = sorted;
}
