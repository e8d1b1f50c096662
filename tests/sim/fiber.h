/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the product as fibers of one thread: what runs, and when, is then the simulator's choice. The linker puts
 * fiber.c in the place of pthread_create, pthread_join and condition variables (--wrap, see Makefile.inc). */
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct fiber {
	int64_t deadline_ns;     /* it waits until then, */
	bool woken;              /* or until somebody wakes it; */
	bool frozen;             /* SIGSTOP: see fiber_freeze */
	bool cut_off;            /* it can connect to nobody */
	bool done;
	int process;             /* what it belongs to; a fiber's fibers belong to the same */
	const void *waits_for;   /* a condition variable */
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

/* To which process the fibers belong that the simulator creates from now on. */
void fiber_process(int process);
/* SIGSTOP and SIGCONT for all fibers of a process. */
void fiber_freeze(int process, bool freeze);

/* What pthread_join does until the fiber has ended; set once. */
void fiber_on_join(void (*run)(void));
