/* SPDX-License-Identifier: Apache-2.0 */
/* krsandbox(1). */
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "sandbox/shell.h"
#include "wire/kerr.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
	const char *host, *topics;
	long port;
	struct sandbox_opts sandbox;
	const char **faults;
	int n_faults;
};

static void usage(FILE *to)
{
	fputs("usage: krsandbox [--port P] [--host H] [--topics name:partitions,...] [--seed N] [--memory SIZE]\n"
	      "                 [--cleaner-backoff DURATION] [--fault API:ERROR[:COUNT][:DELAY]]...\n", to);
}

static bool number(const char *text, long long min, long long max, long long *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	return *text != '\0' && *end == '\0' && errno == 0 && *value >= min && *value <= max;
}

static int wrong(const char *what, const char *text)
{
	fprintf(stderr, "krsandbox: %s: \"%s\"\n", what, text);
	return EXIT_USAGE;
}

static int take_option(int option, const char *value, struct options *opts)
{
	long long n = 0;
	uint64_t size;
	int64_t ms;

	switch (option) {
	case 'p':
		if (!number(value, 0, 65535, &n))
			return wrong("not a port", value);
		opts->port = (long)n;
		return EXIT_OK;
	case 'H':
		opts->host = value;
		return EXIT_OK;
	case 't':
		opts->topics = value;
		return EXIT_OK;
	case 's':
		if (!number(value, 0, INT64_MAX, &n))
			return wrong("not a seed", value);
		opts->sandbox.seed = (uint64_t)n;
		return EXIT_OK;
	case 'm':
		if (!size_parse(value, &size) || size == 0)
			return wrong("not a size", value);
		opts->sandbox.memory_limit = size;
		return EXIT_OK;
	case 'c':
		if (!duration_parse(value, &ms) || ms <= 0 || ms > INT32_MAX)
			return wrong("not a duration", value);
		opts->sandbox.cleaner_backoff_ms = (int32_t)ms;
		return EXIT_OK;
	case 'f':
		opts->faults = xrealloc(opts->faults, (size_t)opts->n_faults + 1, sizeof(*opts->faults));
		opts->faults[opts->n_faults++] = value;
		return EXIT_OK;
	default:
		usage(stderr);
		return EXIT_USAGE;
	}
}

/* -1: go on; otherwise the exit code. */
static int read_options(int argc, char **argv, struct options *opts)
{
	static const struct option known[] = {
		{ "port", required_argument, NULL, 'p' },   { "host", required_argument, NULL, 'H' },
		{ "topics", required_argument, NULL, 't' }, { "seed", required_argument, NULL, 's' },
		{ "memory", required_argument, NULL, 'm' }, { "fault", required_argument, NULL, 'f' },
		{ "cleaner-backoff", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },	    { "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option, code;

	for (option = getopt_long(argc, argv, "h", known, NULL); option != -1;
	     option = getopt_long(argc, argv, "h", known, NULL)) {
		if (option == 'h') {
			usage(stdout);
			return EXIT_OK;
		}
		if (option == 'V') {
			puts("krsandbox " PACKAGE_VERSION);
			return EXIT_OK;
		}
		code = take_option(option, optarg, opts);
		if (code != EXIT_OK)
			return code;
	}
	if (optind < argc)
		return wrong("not expected", argv[optind]);
	return -1;
}

/* name:partitions,... */
static int make_topics(struct sandbox *sb, const char *topics)
{
	char *copy = xstrdup(topics), *at = copy;
	int code = EXIT_OK;

	while (at != NULL && code == EXIT_OK) {
		char *item = strsep(&at, ","), *colon = strrchr(item, ':');
		long long n = 1;
		int16_t error;

		if (colon != NULL)
			*colon = '\0';
		if (colon != NULL && !number(colon + 1, 1, INT32_MAX, &n)) {
			code = wrong("not a number of partitions", colon + 1);
			break;
		}
		error = sandbox_topic_create(sb, item, (int32_t)n);
		if (error != 0) {
			fprintf(stderr, "krsandbox: topic \"%s\": %s\n", item, kerr_name(error));
			code = EXIT_USAGE;
		}
	}
	xfree(copy);
	return code;
}

static int prepare(struct sandbox *sb, const struct options *opts)
{
	struct err err;

	for (int i = 0; i < opts->n_faults; i++)
		if (sandbox_fault_add(sb, opts->faults[i], &err) != RC_OK) {
			fprintf(stderr, "krsandbox: %s\n", err.text);
			return EXIT_USAGE;
		}
	return opts->topics != NULL ? make_topics(sb, opts->topics) : EXIT_OK;
}

/* SIGTERM and SIGINT are taken by a thread of their own, which tells the loop. */
struct stopper {
	struct loop *loop;
	struct shell *shell;
	struct post post;
	sigset_t signals;
};

static void stop_now(struct post *post)
{
	shell_stop(container_of(post, struct stopper, post)->shell);
}

static void *wait_for_signal(void *arg)
{
	struct stopper *stopper = arg;
	int signal;

	sigwait(&stopper->signals, &signal);
	loop_post(stopper->loop, &stopper->post);
	return NULL;
}

static int serve(struct loop *loop, struct sandbox *sb, const struct options *opts)
{
	struct stopper stopper = { .loop = loop, .post.run = stop_now };
	pthread_t thread;
	struct err err;

	stopper.shell = shell_create(loop, sb, opts->host, (uint16_t)opts->port, &err);
	if (stopper.shell == NULL) {
		fprintf(stderr, "krsandbox: %s\n", err.text);
		return EXIT_FAILED;
	}
	sigemptyset(&stopper.signals);
	sigaddset(&stopper.signals, SIGTERM);
	sigaddset(&stopper.signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &stopper.signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	CHECK(pthread_create(&thread, NULL, wait_for_signal, &stopper) == 0);
	printf("ready %s:%u %s\n", opts->host, shell_port(stopper.shell), sandbox_cluster_id(sb));
	fflush(stdout);
	loop_run(loop);
	pthread_join(thread, NULL);
	shell_destroy(stopper.shell);
	return EXIT_OK;
}

static int run(struct options *opts)
{
	struct sandbox *sb;
	struct loop *loop;
	struct err err;
	int code;

	loop = loop_create(LOOP_AUTO, &err);
	if (loop == NULL) {
		fprintf(stderr, "krsandbox: %s\n", err.text);
		return EXIT_FAILED;
	}
	opts->sandbox.host = opts->host;
	opts->sandbox.now_ms = clock_mono_ns() / NS_PER_MS;
	opts->sandbox.wall_ms = clock_wall_ms();
	sb = sandbox_create(&opts->sandbox);
	code = prepare(sb, opts);
	if (code == EXIT_OK)
		code = serve(loop, sb, opts);
	sandbox_destroy(sb);
	loop_destroy(loop);
	return code;
}

int main(int argc, char **argv)
{
	struct options opts = { .host = "127.0.0.1", .sandbox = { .node_id = 1 } };
	int code;

	/* Two sandboxes are two clusters, unless somebody wants the same one again. */
	if (getrandom(&opts.sandbox.seed, sizeof(opts.sandbox.seed), 0) != sizeof(opts.sandbox.seed))
		opts.sandbox.seed = (uint64_t)clock_mono_ns();
	code = read_options(argc, argv, &opts);
	if (code < 0)
		code = run(&opts);
	xfree(opts.faults);
	return code;
}
