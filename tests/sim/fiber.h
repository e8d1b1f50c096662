/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the product as fibers of one thread: what runs, and when, is then the simulator's choice. The linker puts
 * fiber.c in the place of pthread_create and pthread_join (--wrap, see Makefile.inc). */
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct fiber {
	int64_t deadline_ns;     /* it waits until then, */
	bool woken;              /* or until somebody wakes it; */
	bool frozen;             /* SIGSTOP */
	bool cut_off;            /* it can connect to nobody */
	bool done;
	void *owner;             /* of the one who looks at fibers */
	struct list node;
	/* private */
	struct fiber_stack *stack_;
};

/* All that were created and not joined, oldest first. */
struct list *fiber_all(void);
/* The one that runs; NULL: none, the simulator itself. */
struct fiber *fiber_current(void);
/* Runs a fiber until it yields or ends. From the simulator only. */
void fiber_resume(struct fiber *fiber);
/* Back to the simulator. From a fiber only. */
void fiber_yield(void);

/* What pthread_join does until the fiber has ended; set once. */
void fiber_on_join(void (*run)(void));
