/* SPDX-License-Identifier: Apache-2.0 */
/* Return codes. 0 is success, negative system errors are -errno, krmirror's own begin at RC_FIRST.
 * Text is added only where a person reads it: see err.h. */
#pragma once

enum rc {
	RC_OK = 0,
	RC_FIRST = 1000,
	RC_USAGE = RC_FIRST,  /* wrong command line or configuration */
	RC_PROTO,             /* the peer sent what the protocol does not allow */
	RC_UNSUPPORTED,       /* no common version of an API */
	RC_CLOSED,            /* the connection closed, or the owner closed it */
	RC_TIMEOUT,           /* a deadline passed */
	RC_RESOLVE,           /* a host name does not resolve */
	RC_CONNECT,           /* no address of a host accepted a connection */
	RC_AUTH,              /* authentication or authorization refused */
	RC_KAFKA,             /* a Kafka error code; the code is kept beside it */
	RC_NOT_FOUND,
	RC_EXISTS,
	RC_REFUSED,           /* a safety check said no */
	RC_DIVERGED,          /* the destination is not what it must be */
	RC_CANCELLED,
	RC_CORRUPT,           /* data that does not hold its own checks */
	RC_LAST
};

#define MUST_USE __attribute__((warn_unused_result))

/* The constant name of a code, "ok", "timeout"; for -errno the system's text. Never NULL. */
const char *rc_str(int rc);
