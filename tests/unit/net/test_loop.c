/* SPDX-License-Identifier: Apache-2.0 */
/* Timers, posts, deferred ops, and which thread a loop belongs to. */
#include "test_net.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { N_TIMERS = 500, N_THREADS = 4, N_POSTS = 2000 };

struct mark {
	struct timer timer;
	int64_t at_ns;
	int *count;
	int order;
};

static void mark_done(struct timer *timer)
{
	struct mark *mark = container_of(timer, struct mark, timer);

	mark->order = ++*mark->count;
}

static void set_mark(struct loop *loop, struct mark *mark, int *count, int64_t at_ns)
{
	mark->timer.done = mark_done;
	mark->count = count;
	mark->at_ns = at_ns;
	mark->order = 0;
	loop_timer_set(loop, &mark->timer, at_ns);
}

START_TEST(timers_run_in_order_of_time)
{
	static struct mark marks[N_TIMERS];
	struct loop *loop = test_loop(_i);
	int64_t base = loop_now(loop);
	int count = 0;

	for (int i = 0; i < N_TIMERS; i++)
		set_mark(loop, &marks[i], &count, base + (int64_t)(i * 7919 % N_TIMERS) * 20000);
	step_until(loop, count == N_TIMERS);
	ck_assert_int_ge(clock_mono_ns(), base + (N_TIMERS - 1) * 20000);
	for (int i = 0; i < N_TIMERS; i++)
		ck_assert_int_eq(marks[i].order, 1 + i * 7919 % N_TIMERS);
	loop_destroy(loop);
}
END_TEST

START_TEST(timers_of_one_time_run_in_order_of_setting)
{
	struct mark marks[64] = { 0 };
	struct loop *loop = test_loop(_i);
	int64_t at = loop_now(loop) + NS_PER_MS;
	int count = 0;

	for (int i = 0; i < 64; i++)
		set_mark(loop, &marks[i], &count, at);
	step_until(loop, count == 64);
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(marks[i].order, i + 1);
	loop_destroy(loop);
}
END_TEST

START_TEST(timer_is_set_again_and_cleared)
{
	struct mark marks[3] = { 0 };
	struct loop *loop = test_loop(_i);
	int64_t now = loop_now(loop);
	int count = 0;

	set_mark(loop, &marks[0], &count, now + 1000 * NS_PER_S);
	set_mark(loop, &marks[1], &count, now + NS_PER_MS);
	set_mark(loop, &marks[2], &count, now + 5 * NS_PER_MS);
	loop_timer_set(loop, &marks[0].timer, now + 2 * NS_PER_MS);
	loop_timer_clear(&marks[1].timer);
	loop_timer_clear(&marks[1].timer);
	ck_assert(!timer_is_set(&marks[1].timer));
	ck_assert(timer_is_set(&marks[0].timer));
	step_until(loop, count == 2);
	ck_assert_int_eq(marks[0].order, 1);
	ck_assert_int_eq(marks[1].order, 0);
	ck_assert_int_eq(marks[2].order, 2);
	ck_assert(!timer_is_set(&marks[0].timer));
	loop_destroy(loop);
}
END_TEST

START_TEST(random_sets_and_clears_keep_the_heap)
{
	static struct mark marks[N_TIMERS];
	struct loop *loop = test_loop(_i);
	int64_t base = loop_now(loop);
	unsigned seed = 1;
	int count = 0, expected = 0, wrong = 0;

	for (int round = 0; round < 20 * N_TIMERS; round++) {
		struct mark *mark = &marks[(unsigned)rand_r(&seed) % N_TIMERS];

		if (rand_r(&seed) % 3 == 0)
			loop_timer_clear(&mark->timer);
		else
			set_mark(loop, mark, &count, base + rand_r(&seed) % 1000000);
	}
	for (int i = 0; i < N_TIMERS; i++)
		expected += timer_is_set(&marks[i].timer);
	step_until(loop, count == expected);
	for (int i = 0; i < N_TIMERS; i++)
		for (int k = 0; k < N_TIMERS; k++)
			wrong += marks[i].order > 0 && marks[k].order > marks[i].order && marks[k].at_ns < marks[i].at_ns;
	ck_assert_int_eq(wrong, 0);
	loop_destroy(loop);
}
END_TEST

struct ticker {
	struct timer timer;
	struct loop *loop;
	int n;
};

static void tick(struct timer *timer)
{
	struct ticker *ticker = container_of(timer, struct ticker, timer);

	ticker->n++;
	loop_timer_set(ticker->loop, timer, 0);
}

START_TEST(timer_that_sets_itself_to_now_runs_once_a_round)
{
	struct ticker ticker = { .timer.done = tick };
	struct loop *loop = test_loop(_i);

	ticker.loop = loop;
	loop_timer_set(loop, &ticker.timer, 0);
	for (int i = 1; i <= 10; i++) {
		loop_step(loop, 0);
		ck_assert_int_eq(ticker.n, i);
	}
	loop_timer_clear(&ticker.timer);
	loop_destroy(loop);
}
END_TEST

START_TEST(step_returns_at_its_deadline)
{
	struct loop *loop = test_loop(_i);
	int64_t end = clock_mono_ns() + 3 * NS_PER_MS;

	while (clock_mono_ns() < end)
		loop_step(loop, end);
	ck_assert_int_lt(clock_mono_ns(), end + PATIENCE_NS);
	loop_step(loop, 0);
	loop_destroy(loop);
}
END_TEST

START_TEST(deferred_op_runs_after_the_call_and_once)
{
	struct loop *loop = test_loop(_i);
	struct probe probe;

	probe_init(&probe);
	loop_defer(loop, &probe.op, 42);
	ck_assert_int_eq(probe.n, 0);
	ck_assert(op_busy(&probe.op));
	loop_cancel(loop, &probe.op);
	loop_step(loop, INT64_MAX);
	ck_assert_int_eq(probe.n, 1);
	ck_assert_int_eq(probe.res, 42);
	ck_assert(!op_busy(&probe.op));
	loop_step(loop, 0);
	ck_assert_int_eq(probe.n, 1);
	loop_destroy(loop);
}
END_TEST

struct mail {
	struct post post;
	int *got, *last;
	int number;
	bool *in_order;
};

static void mail_run(struct post *post)
{
	struct mail *mail = container_of(post, struct mail, post);

	if (mail->number != *mail->last + 1)
		*mail->in_order = false;
	*mail->last = mail->number;
	++*mail->got;
}

struct sender {
	pthread_t thread;
	struct loop *loop;
	struct mail mails[N_POSTS];
	int last;
};

static void *send_mails(void *arg)
{
	struct sender *sender = arg;

	for (int i = 0; i < N_POSTS; i++)
		loop_post(sender->loop, &sender->mails[i].post);
	return NULL;
}

START_TEST(posts_of_many_threads_all_run_in_each_thread_s_order)
{
	struct sender *senders = xcalloc(N_THREADS, sizeof(*senders));
	struct loop *loop = test_loop(_i);
	bool in_order = true;
	int got = 0;

	for (int t = 0; t < N_THREADS; t++) {
		senders[t].loop = loop;
		senders[t].last = -1;
		for (int i = 0; i < N_POSTS; i++)
			senders[t].mails[i] = (struct mail){ { .run = mail_run }, &got, &senders[t].last, i, &in_order };
		ck_assert_int_eq(pthread_create(&senders[t].thread, NULL, send_mails, &senders[t]), 0);
	}
	step_until(loop, got == N_THREADS * N_POSTS);
	for (int t = 0; t < N_THREADS; t++)
		pthread_join(senders[t].thread, NULL);
	ck_assert(in_order);
	loop_destroy(loop);
	xfree(senders);
}
END_TEST

struct worker {
	struct loop *loop;
	struct post post, stop;
	struct probe accept;
	atomic_int started, posted;
	pthread_t ran_on;
};

static void note_thread(struct post *post)
{
	struct worker *worker = container_of(post, struct worker, post);

	worker->ran_on = pthread_self();
	atomic_fetch_add(&worker->posted, 1);
}

static void cancel_and_stop(struct post *post)
{
	struct worker *worker = container_of(post, struct worker, stop);

	loop_cancel(worker->loop, &worker->accept.op);
	loop_stop(worker->loop);
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	atomic_store(&worker->started, 1);
	loop_run(worker->loop);
	step_until(worker->loop, worker->accept.n == 1);
	return NULL;
}

/* The daemon makes its loops and starts operations on them before their threads exist, and ends them afterwards. */
START_TEST(loop_is_made_on_one_thread_and_runs_on_another)
{
	struct worker worker = { .post.run = note_thread, .stop.run = cancel_and_stop };
	struct sockaddr_in addr;
	int fd = tcp_listen(1, &addr);
	pthread_t thread;

	worker.loop = test_loop(_i);
	probe_init(&worker.accept);
	loop_accept(worker.loop, &worker.accept.op, fd);
	ck_assert_int_eq(pthread_create(&thread, NULL, work, &worker), 0);
	loop_post(worker.loop, &worker.post);
	while (atomic_load(&worker.posted) == 0)
		sched_yield();
	ck_assert(pthread_equal(worker.ran_on, thread));
	loop_post(worker.loop, &worker.stop);
	pthread_join(thread, NULL);
	ck_assert_int_eq(worker.accept.res, -ECANCELED);
	loop_close(worker.loop, fd);
	loop_destroy(worker.loop);
}
END_TEST

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

START_TEST(idle_loop_uses_no_cpu)
{
	struct loop *loop = test_loop(_i);
	int64_t end = clock_mono_ns() + 200 * NS_PER_MS;
	int64_t cpu = cpu_ns();
	int rounds = 0;

	for (; clock_mono_ns() < end; rounds++)
		loop_step(loop, end);
	ck_assert_int_le(rounds, 20);
	ck_assert_int_lt(cpu_ns() - cpu, 20 * NS_PER_MS);
	loop_destroy(loop);
}
END_TEST

static void ignore(int sig)
{
	(void)sig;
}

START_TEST(signals_do_not_disturb)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { 0 };
	struct sigaction action = { .sa_handler = ignore };
	struct loop *loop = test_loop(_i);
	struct probe probe;
	char byte;
	int fds[2];

	tcp_pair(fds);
	probe_init(&probe);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	loop_recv(loop, &probe.op, fds[0], &byte, 1);
	for (int64_t end = clock_mono_ns() + 50 * NS_PER_MS; clock_mono_ns() < end;)
		loop_step(loop, end);
	setitimer(ITIMER_REAL, &never, NULL);
	ck_assert_int_eq(probe.n, 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	step_until(loop, probe.n == 1);
	ck_assert_int_eq(probe.res, 1);
	loop_close(loop, fds[0]);
	loop_close(loop, fds[1]);
	loop_destroy(loop);
}
END_TEST

TCase *loop_tests(void)
{
	TCase *tcase = tcase_create("loop");

	tcase_set_timeout(tcase, 100);
	add_for_engines(tcase, timers_run_in_order_of_time);
	add_for_engines(tcase, timers_of_one_time_run_in_order_of_setting);
	add_for_engines(tcase, timer_is_set_again_and_cleared);
	add_for_engines(tcase, random_sets_and_clears_keep_the_heap);
	add_for_engines(tcase, timer_that_sets_itself_to_now_runs_once_a_round);
	add_for_engines(tcase, step_returns_at_its_deadline);
	add_for_engines(tcase, deferred_op_runs_after_the_call_and_once);
	add_for_engines(tcase, posts_of_many_threads_all_run_in_each_thread_s_order);
	add_for_engines(tcase, loop_is_made_on_one_thread_and_runs_on_another);
	add_for_engines(tcase, idle_loop_uses_no_cpu);
	add_for_engines(tcase, signals_do_not_disturb);
	return tcase;
}
