/* SPDX-License-Identifier: Apache-2.0 */
/* The read-only guard of a topic, as a decision: from what is recorded and what the brokers say to the next step. Pure.
 *
 *   NONE -> PROBING -> ENFORCED                   everyone is denied WRITE, and krmirror, a super user, still may
 *              |
 *              +-----> LISTING -> ENFORCED        krmirror is an ordinary one: the others alone are kept out
 *              |          |
 *              +----------+----> WITHDRAWING -> UNENFORCED
 *   NONE -> FORBIDDEN                             the right to change ACLs is missing; tried again at a worker's start
 *
 * Each is recorded before its ACLs are made, so whoever comes after a crash goes on from there. The guard only adds what
 * the topic does not have, and notes what it takes away: what others change meanwhile stays at its end. */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum guard_state {
	GUARD_NONE, GUARD_PROBING, GUARD_LISTING, GUARD_WITHDRAWING, GUARD_ENFORCED, GUARD_UNENFORCED, GUARD_FORBIDDEN
};

/* Why it is not enforced. */
enum guard_why {
	GUARD_WHY_NONE,
	GUARD_WHY_NOT_TOLD,       /* the brokers do not tell what krmirror may do */
	GUARD_WHY_NO_WRITE,
	GUARD_WHY_FORBIDDEN,      /* ACLs may not be changed */
	GUARD_WHY_READERS,        /* the first ACL of the topic would shut its readers out */
	GUARD_WHY_UNNAMED,        /* krmirror does not know its principal */
	GUARD_WHY_MISNAMED,       /* the brokers know it by another than guard.principal */
	GUARD_WHY_WIDE_ALLOW,     /* everyone is allowed by an ACL that reaches beyond the topic */
	GUARD_WHY_SHUT_OUT        /* it would shut krmirror out */
};

/* Lists of ACLs are arrays of objects: resource, pattern, principal, host, operation, permission. */
struct guard {
	enum guard_state state;
	bool bare;                /* no ACL matched the topic before */
	bool allow_list;
	enum guard_why why;
	char *principal;          /* of GUARD_WHY_MISNAMED; else NULL */
	json_t *intended;         /* what matched before */
	json_t *added;            /* ours: removed at the end */
	json_t *removed;          /* the topic's own: made again at the end */
	json_t *undo;             /* ours of an earlier step: to be removed now */
};

struct guard_seen {
	const char *topic;
	const char *self;         /* krmirror's principal; NULL: not known */
	const json_t *acls;       /* what matches now; NULL: krmirror may not ask */
	uint32_t guarded;         /* bits of operations: WRITE, or READ and WRITE, which keep readers out too */
	int32_t operations;       /* krmirror's own, with the ACLs that settled says; INT32_MIN: not told */
	bool settled;             /* every broker has `added`, and neither `removed` nor `undo`; WITHDRAWING: the reverse */
	bool refused;             /* ACLs may not be changed */
	bool fresh;               /* nobody reads the topic yet */
	bool again;               /* what was forbidden is tried again */
	bool readers_everyone;    /* mirror.readers.everyone */
};

enum guard_action {
	GUARD_DONE,
	GUARD_APPLY,              /* make and remove what the record says */
	GUARD_RECORD              /* record `next` first */
};

/* next is only filled for GUARD_RECORD; the caller ends it with guard_fini. */
enum guard_action guard_step(const struct guard *now, const struct guard_seen *seen, struct guard *next);

/* Why it is not enforced, as a sentence without an end; the caller frees it. */
char *guard_sentence(const struct guard *guard);
/* Whether what kept it from being enforced is another now: somebody has said who krmirror is, or lets everyone read. */
bool guard_has_news(const struct guard *guard, const char *self, bool readers_everyone);

/* What is to stand and what is not, by the record; new references. */
void guard_wants(const struct guard *guard, json_t **present, json_t **absent);
/* The same at the end of the guard. */
void guard_ends(const struct guard *guard, json_t **present, json_t **absent);
/* value NULL: GUARD_NONE. RC_PROTO; guard_fini is right after a failure too. */
int guard_decode(struct guard *guard, const json_t *value, struct err *err) MUST_USE;
/* NULL for GUARD_NONE. */
json_t *guard_encode(const struct guard *guard);
void guard_fini(struct guard *guard);
