/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.start.offset.spec: where new mirrors begin. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum start_kind { START_EARLIEST, START_LATEST, START_TIME };

struct start_spec {
	enum start_kind kind;
	int64_t time_ms;        /* of START_TIME: the first record that is not older */
};

/* "earliest", "latest", in any case, or an ISO-8601 date with or without a time: 2024-01-31, 2024-01-31T12:00,
 * 2024-01-31T12:00:00.250Z, 2024-01-31T12:00:00+02:00. Without a zone it is UTC. */
bool start_spec_parse(const char *text, struct start_spec *spec);
