/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber.h"

#include "base/mem.h"

#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, bottom, size) ((void)(save))
#define __sanitizer_finish_switch_fiber(save, bottom, size) ((void)(save))
#endif

enum { STACK_BYTES = 1 << 20 };

struct fiber_stack {
	struct fiber fiber;
	ucontext_t context;
	void *stack;
	void *fake;              /* the sanitizer's own */
	void *(*main)(void *arg);
	void *arg;
};

/* There is one process, one simulator in it, and pthread_create has no argument for it. */
static struct {
	struct list all;
	bool ready;
	struct fiber_stack *current;
	ucontext_t simulator;
	const void *bottom;      /* of the simulator's stack */
	size_t size;
	void *fake;
	int process;             /* of fibers that the simulator creates */
	void (*join)(void);
} fibers;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*main)(void *), void *arg);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);

struct list *fiber_all(void)
{
	if (!fibers.ready)
		list_init(&fibers.all);
	fibers.ready = true;
	return &fibers.all;
}

struct fiber *fiber_current(void)
{
	return fibers.current == NULL ? NULL : &fibers.current->fiber;
}

static void entry(void)
{
	struct fiber_stack *f = fibers.current;

	__sanitizer_finish_switch_fiber(NULL, &fibers.bottom, &fibers.size);
	f->main(f->arg);
	f->fiber.done = true;
	fibers.current = NULL;
	__sanitizer_start_switch_fiber(NULL, fibers.bottom, fibers.size);
	setcontext(&fibers.simulator);
}

void fiber_resume(struct fiber *fiber)
{
	struct fiber_stack *f = container_of(fiber, struct fiber_stack, fiber);

	CHECK(fibers.current == NULL && !fiber->done);
	fiber->woken = false;
	fibers.current = f;
	__sanitizer_start_switch_fiber(&fibers.fake, f->stack, STACK_BYTES);
	swapcontext(&fibers.simulator, &f->context);
	__sanitizer_finish_switch_fiber(fibers.fake, NULL, NULL);
}

void fiber_yield(void)
{
	struct fiber_stack *f = fibers.current;

	CHECK(f != NULL);
	fibers.current = NULL;
	__sanitizer_start_switch_fiber(&f->fake, fibers.bottom, fibers.size);
	swapcontext(&f->context, &fibers.simulator);
	__sanitizer_finish_switch_fiber(f->fake, &fibers.bottom, &fibers.size);
}

void fiber_process(int process)
{
	fibers.process = process;
}

void fiber_freeze(int process, bool freeze)
{
	struct list *pos;

	list_each(pos, fiber_all()) {
		struct fiber *f = list_entry(pos, struct fiber, node);

		if (f->process == process)
			f->frozen = freeze;
	}
}

void fiber_on_join(void (*run)(void))
{
	fibers.join = run;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*main)(void *), void *arg)
{
	struct fiber_stack *f = xcalloc(1, sizeof(*f));

	(void)attr;
	f->main = main;
	f->arg = arg;
	f->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(f->stack != MAP_FAILED);
	CHECK(getcontext(&f->context) == 0);
	f->context.uc_stack.ss_sp = f->stack;
	f->context.uc_stack.ss_size = STACK_BYTES;
	f->context.uc_link = NULL;
	makecontext(&f->context, entry, 0);
	f->fiber.woken = true;
	f->fiber.process = fibers.current == NULL ? fibers.process : fibers.current->fiber.process;
	list_push_back(fiber_all(), &f->fiber.node);
	*thread = (pthread_t)(uintptr_t)f;
	return 0;
}

/* A thread that joins another has nothing else to do until then. */
static void fiber_yield_for(const struct fiber *other)
{
	fiber_current()->deadline_ns = other->deadline_ns;
	fiber_current()->woken = other->woken;
	fiber_yield();
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	struct fiber_stack *f = (struct fiber_stack *)(uintptr_t)thread;

	while (!f->fiber.done)
		if (fibers.current == NULL)
			fibers.join();
		else
			fiber_yield_for(&f->fiber);
	if (result != NULL)
		*result = NULL;
	list_del(&f->fiber.node);
	munmap(f->stack, STACK_BYTES);
	xfree(f);
	return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	struct fiber *f = fiber_current();

	CHECK(f != NULL);
	f->waits_for = cond;
	f->deadline_ns = INT64_MAX;
	pthread_mutex_unlock(mutex);
	fiber_yield();
	f->waits_for = NULL;
	pthread_mutex_lock(mutex);
	return 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
	struct list *pos;

	list_each(pos, fiber_all()) {
		struct fiber *f = list_entry(pos, struct fiber, node);

		if (f->waits_for == cond)
			f->woken = true;
	}
	return 0;
}
