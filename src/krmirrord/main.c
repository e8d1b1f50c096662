/* SPDX-License-Identifier: Apache-2.0 */
/* krmirrord(8): options, configuration, and the worker's runs. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "krmirrord/notify.h"

#include <getopt.h>

#ifndef KRM_SYSCONFDIR
#define KRM_SYSCONFDIR "/etc"
#endif
#define CONFIG_DEFAULT KRM_SYSCONFDIR "/krmirror/krmirror.properties"

struct options {
	const char *config;
	bool check, help, version;
};

/* The configuration that runs, and the one that SIGHUP brought. */
struct configs {
	struct conf_files files;
	struct conf *now, *next;
	struct ledger ledger;
};

static const char usage_text[] =
	"usage: krmirrord [-c FILE] [--foreground] [--check]\n"
	"\n"
	"Runs the links of one destination cluster; several share its partitions.\n"
	"\n"
	"  -c, --config FILE   krmirror.properties; default: $KRMIRROR_CONFIG, then " CONFIG_DEFAULT "\n"
	"      --foreground    stay in the foreground, as it always does\n"
	"      --check         check the configuration and the destination, and end\n"
	"  -V, --version       print the version\n"
	"  -h, --help          print this\n"
	"\n"
	"See krmirrord(8).\n";

static bool parse_options(int argc, char **argv, struct options *options)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' }, { "foreground", no_argument, NULL, 'f' },
		{ "check", no_argument, NULL, 'k' }, { "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:Vh", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->config = optarg;
			break;
		case 'f':
			break;
		case 'k':
			options->check = true;
			break;
		case 'V':
			options->version = true;
			break;
		case 'h':
			options->help = true;
			break;
		default:
			return false;
		}
	}
	if (optind < argc)
		fprintf(stderr, "krmirrord: unexpected argument: %s\n", argv[optind]);
	return optind == argc;
}

static const char *config_path(const struct options *options)
{
	const char *env = getenv("KRMIRROR_CONFIG");

	if (options->config != NULL)
		return options->config;
	return env != NULL && env[0] != '\0' ? env : CONFIG_DEFAULT;
}

/* NULL with err set when it cannot be used. */
static struct conf *read_conf(const struct conf_files *files, struct notes *notes, struct err *err)
{
	struct conf *conf = xcalloc(1, sizeof(*conf));

	if (conf_load(conf, files, notes, err) == RC_OK)
		return conf;
	conf_fini(conf);
	xfree(conf);
	return NULL;
}

static void free_conf(struct conf *conf)
{
	if (conf != NULL)
		conf_fini(conf);
	xfree(conf);
}

static void log_notes(struct notes *notes)
{
	for (int i = 0; i < notes->n; i++)
		log_warn("configuration", "note", "text=" LOG_Q, notes->lines[i]);
	notes_fini(notes);
}

static bool same_key(const struct secret_key *a, const struct secret_key *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a->id, b->id) == 0;
}

static bool on_reload(struct worker *worker)
{
	struct configs *configs = worker->owner;
	struct notes notes = { 0 };
	struct err err;

	notify_reloading();
	free_conf(configs->next);
	configs->next = read_conf(&configs->files, &notes, &err);
	log_notes(&notes);
	if (configs->next == NULL) {
		log_error("configuration", "it cannot be used; the old one stays", "error=" ERR_PAIRS, ERR_ARGS(err));
	} else if (props_equal(&configs->next->props, &configs->now->props) &&
		   same_key(configs->next->secret_key, configs->now->secret_key)) {
		log_info("configuration", "read again, unchanged", "file=%s", configs->files.config);
		free_conf(configs->next);
		configs->next = NULL;
	} else {
		log_info("configuration", "read again; lanes are opened anew with it", "file=%s",
			 configs->files.config);
		return true;
	}
	notify_ready();
	return false;
}

/* ---- runs ---- */

static int fail(const struct err *err, int code)
{
	fprintf(stderr, "krmirrord: %s\n", err->text);
	if (err->hint[0] != '\0')
		fprintf(stderr, "krmirrord: %s\n", err->hint);
	return code;
}

static int check(struct worker *worker)
{
	struct err err;
	enum outcome outcome = worker_check(worker, &err);

	if (outcome != OUTCOME_DONE)
		return fail(&err, outcome == OUTCOME_TIMED_OUT ? OUTCOME_DESTINATION_UNREACHABLE : (int)outcome);
	printf("The configuration is good, and destination cluster %s answers (%s).\n",
	       cluster_id(worker->session.destination),
	       control_log_exists(worker->session.log) ? "it has a control log" : "it has no control log yet");
	return OUTCOME_DONE;
}

static int exit_code(enum worker_end end)
{
	switch (end) {
	case WORKER_STOPPED:
		return OUTCOME_DONE;
	case WORKER_FENCED:
		return OUTCOME_REFUSED;
	case WORKER_GOES_ON:
	case WORKER_RELOAD:
	case WORKER_FAILED:
		break;
	}
	return OUTCOME_FAILED;
}

/* One run with one configuration; WORKER_RELOAD: run again with configs->next. */
static enum worker_end run_once(struct configs *configs, struct notes *notes, bool told_first, int *code)
{
	struct worker worker = {
		.conf = configs->now, .reload = on_reload, .owner = configs, .told_first = told_first,
		.ledger = &configs->ledger,
	};
	enum worker_end end = WORKER_FAILED;
	struct err err;

	log_setup(configs->now->log_level, configs->now->log_format);
	*code = OUTCOME_FAILED;
	if (worker_open(&worker, &err) != RC_OK) {
		fail(&err, 0);
	} else if (notes == NULL) {
		*code = check(&worker);
	} else {
		worker.notes = notes;
		end = worker_run(&worker);
		*code = exit_code(end);
	}
	worker_close(&worker);
	return end;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct configs configs = { 0 };
	struct notes notes = { 0 };
	struct err err;
	bool again = false;
	int code;

	if (!parse_options(argc, argv, &options)) {
		fputs("krmirrord: see krmirrord --help\n", stderr);
		return OUTCOME_USAGE;
	}
	if (options.help || options.version) {
		fputs(options.help ? usage_text : "krmirrord " PACKAGE_VERSION "\n", stdout);
		return OUTCOME_DONE;
	}
	signals_block();
	configs.files.config = config_path(&options);
	configs.ledger.started_ms = clock_wall_ms();
	configs.now = read_conf(&configs.files, &notes, &err);
	if (configs.now == NULL)
		return fail(&err, OUTCOME_USAGE);
	while (run_once(&configs, options.check ? NULL : &notes, again, &code) == WORKER_RELOAD) {
		again = true;
		free_conf(configs.now);
		configs.now = configs.next;
		configs.next = NULL;
	}
	free_conf(configs.now);
	free_conf(configs.next);
	notes_fini(&notes);
	ledger_fini(&configs.ledger);
	return code;
}
