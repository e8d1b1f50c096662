/* SPDX-License-Identifier: Apache-2.0 */
#include "control/canary.h"

#include <string.h>

bool canary_is(const char *name)
{
	return strncmp(name, CANARY_PREFIX, strlen(CANARY_PREFIX)) == 0;
}
