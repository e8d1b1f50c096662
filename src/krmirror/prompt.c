/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/prompt.h"

#include <string.h>
#include <unistd.h>

int prompt_delete(struct output *o, bool yes, struct err *err, const char *what, const char *name)
{
	char answer[16] = "";

	if (yes)
		return RC_OK;
	if (isatty(STDIN_FILENO) != 1 || !o->tty) {
		err_set(err, RC_REFUSED,
			"deleting %s '%s' needs a confirmation, and there is no terminal to ask on", what,
			name);
		return err_hint(err, "add --yes");
	}
	fprintf(o->err, "Delete %s '%s'? (y/n): ", what, name);
	fflush(o->err);
	if (fgets(answer, sizeof(answer), stdin) != NULL &&
	    (strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0))
		return RC_OK;
	return err_set(err, RC_CANCELLED, "nothing was deleted");
}

enum outcome prompt_fail(struct output *o, const struct err *err)
{
	output_failure(o, "CONFIRMATION_NEEDED", err);
	return OUTCOME_REFUSED;
}
