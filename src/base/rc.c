/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rc.h"

#include <string.h>

static const char *const names[] = {
	[RC_USAGE - RC_FIRST] = "usage",
	[RC_PROTO - RC_FIRST] = "protocol violation",
	[RC_UNSUPPORTED - RC_FIRST] = "no common API version",
	[RC_CLOSED - RC_FIRST] = "connection closed",
	[RC_TIMEOUT - RC_FIRST] = "timed out",
	[RC_RESOLVE - RC_FIRST] = "name does not resolve",
	[RC_CONNECT - RC_FIRST] = "connection refused or unreachable",
	[RC_AUTH - RC_FIRST] = "not authorized",
	[RC_KAFKA - RC_FIRST] = "Kafka error",
	[RC_NOT_FOUND - RC_FIRST] = "not found",
	[RC_EXISTS - RC_FIRST] = "exists",
	[RC_REFUSED - RC_FIRST] = "refused",
	[RC_DIVERGED - RC_FIRST] = "diverged",
	[RC_CANCELLED - RC_FIRST] = "cancelled",
	[RC_CORRUPT - RC_FIRST] = "corrupt data",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == RC_LAST - RC_FIRST, "every code has a name");

const char *rc_str(int rc)
{
	if (rc == RC_OK)
		return "ok";
	if (rc >= RC_FIRST && rc < RC_LAST)
		return names[rc - RC_FIRST];
	return strerror(rc < 0 ? -rc : rc);
}
