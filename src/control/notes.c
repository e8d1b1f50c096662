/* SPDX-License-Identifier: Apache-2.0 */
#include "control/notes.h"

#include "base/mem.h"

void notes_add(struct notes *notes, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	notes->lines = xrealloc(notes->lines, (size_t)notes->n + 1, sizeof(*notes->lines));
	notes->lines[notes->n++] = xstrdup(text);
}

void notes_fini(struct notes *notes)
{
	for (int i = 0; i < notes->n; i++)
		xfree(notes->lines[i]);
	xfree(notes->lines);
	*notes = (struct notes){ 0 };
}
