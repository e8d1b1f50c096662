/* SPDX-License-Identifier: Apache-2.0 */
/* The control log of a source cluster, where somebody else's krmirror mirrors into it: which of its topics are mirrors.
 * Sequential code over client/wait.h. */
#pragma once

#include "control/session.h"

#define SOURCE_LOG_TOPIC "_krmirror"
#define SOURCE_LOG_RIGHT "grant DESCRIBE and READ on Topic " SOURCE_LOG_TOPIC " to krmirror's principal on the source cluster"

/* Of those logs, the default's and the one by our own log's name, an object of topic -> {"source_cluster", "source_topic",
 * "link", "stopped"}: where the mirror's records come from. A log that does not exist is empty. OUTCOME_AUTH with
 * err->kafka set: one may not be read. *mirrors is NULL but for OUTCOME_DONE. */
enum outcome source_log_mirrors(struct session *session, struct cluster *source, int64_t deadline_ns, json_t **mirrors,
				struct err *err) MUST_USE;
