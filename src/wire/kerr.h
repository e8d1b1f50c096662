/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka error codes as data, made by kmsgc from protocol/errors.kerr. */
#pragma once

#include <stdint.h>

enum kerr_action {
	KERR_OK,
	KERR_RETRY,     /* again, to the same broker */
	KERR_REFRESH,   /* metadata first, then again */
	KERR_PROBE,     /* read the state again before anything else is sent */
	KERR_FENCE,     /* somebody newer is there */
	KERR_STOP       /* configuration, right or data: again only after something changed */
};

/* Whether what was to be written may stand in the log. */
enum kerr_stored { KERR_STORED_NO, KERR_STORED_MAYBE, KERR_STORED_YES };

struct kerr {
	int16_t code;
	const char *name;       /* Kafka's, "NOT_LEADER_OR_FOLLOWER" */
	enum kerr_action action;
	enum kerr_stored stored;
	const char *text;       /* one plain sentence */
};

/* Never NULL: an unknown code has the row of UNKNOWN_SERVER_ERROR's action with the name "UNKNOWN_CODE". */
const struct kerr *kerr_find(int16_t code);
static inline const char *kerr_name(int16_t code)
{
	return kerr_find(code)->name;
}
/* kmsgc also emits wire/msg/kerr_codes.h: enum { KERR_NONE = 0, KERR_OFFSET_OUT_OF_RANGE = 1, ... } with the names
 * of the codes prefixed by KERR_. */
