/* SPDX-License-Identifier: Apache-2.0 */
/* What a SCRAM server may ask of us (RFC 5802). Only for client/. */
#pragma once

#include "base/err.h"

#include <stddef.h>

/* Kafka's own: ScramMechanism. A client of Kafka refuses fewer, which would give the password to whoever guesses. Brokers
 * make 16,384 at most; what is far above holds up every other login of the process, as all of them share a library. */
enum { SCRAM_ITERATIONS_MIN = 4096, SCRAM_ITERATIONS_MAX = 100000 };

/* Looks at the server's first message, before a library works it off: RC_AUTH when it asks for too few or too many
 * iterations. What cannot be read is the library's to refuse. Pure. */
int auth_scram_check(const void *message, size_t len, struct err *err) MUST_USE;
