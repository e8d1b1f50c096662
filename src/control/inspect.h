/* SPDX-License-Identifier: Apache-2.0 */
/* What `link check` finds, and `link create` before it records: one item for each door of both clusters, each right, and
 * who else may write to the control log. Asks brokers only, changes nothing. */
#pragma once

#include "control/rights.h"
#include "control/session.h"

enum inspect_status { INSPECT_OK, INSPECT_UNKNOWN, INSPECT_WARNING, INSPECT_FAILED };
/* "OK", "UNKNOWN", "WARNING", "FAILED". */
const char *inspect_status_name(enum inspect_status status);

struct inspect_item {
	enum side side;
	int32_t broker;              /* -1: a bootstrap server, or none in particular */
	const char *address;         /* "host:port"; NULL */
	const char *name;            /* LISTENER, CERTIFICATE, LINK, AUTHORIZER, RIGHT, WRITERS */
	enum inspect_status status;  /* FAILED: only where it is needed */
	bool needed;
	const char *reason;          /* a word of krmirror-link(1); NULL: nothing is wrong */
	const char *detail, *hint;   /* sentences; NULL */
	int rc;                      /* of a failure */
	enum outcome outcome;        /* and what it is as an exit code */
	int64_t expiry_ms;           /* of the certificate that was shown; -1 */
	const struct right *right;   /* of a RIGHT; NULL */
};

/* What a firewall must let through. */
struct inspect_flow {
	const char *from;            /* "worker", "command line" */
	const char *side;            /* "source", "destination"; NULL: neither */
	int32_t broker;              /* -1 */
	const char *host;            /* NULL: what says where it is is elsewhere, see use */
	uint16_t port;
	const char *use;
};

struct inspection {
	struct arena *arena;         /* what items point into; the caller's */
	struct inspect_item *items;
	int n;
	struct inspect_flow *flows;
	int n_flows;
	struct rights rights;        /* that were looked at */
	struct rights grants;        /* the same as ACLs would grant them: by prefix where the link has one */
	struct rights_grantee grantee[2];   /* by enum side */
};

/* *inspection is zeroed but for its arena before the first use. */
void inspection_fini(struct inspection *inspection);
/* The first present of CLI.md's order; OUTCOME_DONE: nothing that is needed is missing. */
enum outcome inspection_outcome(const struct inspection *inspection);
/* The worst first. */
void inspection_sort(struct inspection *inspection);

/* Dials every listener of one side. want (may be NULL): the cluster id that it must have. *id (may be NULL): the id that
 * it has, in the arena, or NULL. False: no server answered. */
bool inspect_listeners(struct session *session, struct inspection *inspection, enum side side,
		       const struct client_conf *conf, const char *want, const char **id);

/* Everything, of a link. Only what ends it before anything was found is an error: no such link. The session is open and
 * need not be connected. */
enum outcome inspect_link(struct session *session, const char *link, struct inspection *inspection,
			  struct err *err) MUST_USE;
