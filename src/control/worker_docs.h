/* SPDX-License-Identifier: Apache-2.0 */
/* What workers tell on /status: asked by the command line at the addresses that the control log has, and at http.listener
 * of its own configuration, all at once and for a moment only. What is no answer of a worker of this control log is no
 * answer. It is shown, and nothing is decided by it. */
#pragma once

#include "control/report.h"

struct worker_docs;

/* Asked once per session; the session frees it. */
const struct worker_docs *worker_docs_of(struct session *session);
/* NULL is allowed. */
void worker_docs_free(struct worker_docs *docs);

/* Fills in what only workers know, and what could not be measured from here though a worker knows it. */
void worker_docs_fill_mirrors(const struct worker_docs *docs, struct mirror_info *mirrors, int n);
/* The last contact of any worker with the source, where it is newer. */
void worker_docs_fill_link(const struct worker_docs *docs, struct link_info *link);
