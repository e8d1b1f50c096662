/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for the verbs of control, so that the commands run without a cluster: each verb gives what the test put
 * here, and notes that it was called. */
#pragma once

#include "control/group_report.h"
#include "control/inspect.h"
#include "control/links.h"
#include "control/mirrors.h"
#include "control/stop.h"
#include "control/task_report.h"

struct fake_control {
	/* what the verbs give */
	enum outcome connect, verb;        /* of session_connect; of every verb */
	struct err err;                    /* for those that fail */
	int n_workers;
	const char *unknown_topic;         /* session_resolve does not find it */
	bool unchanged, no_worker;
	const char *note;                  /* noted by every verb */
	struct link_info *links;
	int n_links;
	struct mirror_info *mirrors;
	int n_mirrors;
	struct stop_result *results;
	int n_results;
	struct status_info status;
	const struct inspection *inspection;   /* its items, flows, grants and grantees */

	/* what was called */
	int n_calls;
	char calls[16][64];                /* "link_delete east" */
	char bootstrap[128];               /* of the link that was made */
	bool measured;
	char status_asked[32];             /* report_opts.status */
	bool wait, all, dry_run, no_validate;
	int n_topics;
	int64_t wait_ns;                   /* that promote_topics may wait */
};

extern struct fake_control fake;

/* Runs a command line, cut at blanks, against the fake. Its output is in cli_out and cli_err. Returns the exit code. */
int run_cli(const char *line);
extern char cli_out[16384], cli_err[16384];
/* True when the verb was called with these words. */
bool fake_called(const char *call);
