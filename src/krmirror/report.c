/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/report.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int report_append(const char *path, const json_t *json, struct err *err)
{
	char *text = json_dumps(json, JSON_COMPACT);
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	int rc = RC_OK;
	ssize_t n;

	text[len] = '\n';   /* in place of its end, which write does not need */
	n = fd >= 0 ? write(fd, text, len + 1) : -1;
	if (n < 0)
		rc = err_set(err, -errno, "cannot append to %s: %s", path, strerror(errno));
	else if ((size_t)n != len + 1)
		rc = err_set(err, -EIO, "cannot append to %s: it took a part of the line only", path);
	if (fd >= 0)
		close(fd);
	xfree(text);
	return rc;
}
