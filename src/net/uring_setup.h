/* SPDX-License-Identifier: Apache-2.0 */
/* Getting a ring, or a reason why not that helps an operator. */
#pragma once

#include "base/err.h"

#include <liburing.h>
#include <stdint.h>

/* A disabled ring with the best flags that the kernel takes and all operations that the loop uses, tried out on a
 * second, tiny ring. enter_flags is for uring_enter. Otherwise an error whose text names the call, the error and the
 * likely causes, and a hint. */
MUST_USE int uring_setup(struct io_uring *ring, unsigned *enter_flags, struct err *err);

/* Makes the calling thread the only user of the ring; 0 or -errno. */
MUST_USE int uring_enable(struct io_uring *ring);

/* io_uring_enter: submits all that is queued, waits for wait_nr completions, at most left_ns (negative: no limit),
 * and runs task work. liburing 2.3 has no call that takes flags beside a timeout. */
int uring_enter(struct io_uring *ring, unsigned wait_nr, unsigned flags, int64_t left_ns);
