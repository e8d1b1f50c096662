/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/output.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>
#include <unistd.h>

#define PROGRESS_EVERY_NS (10 * NS_PER_S)

static const char *const words[] = {
	"USAGE",
	"CONFIRMATION_NEEDED",
	"NOT_FOUND",
	"EXISTS",
	"REFUSED",
	"SOURCE_UNREACHABLE",
	"DESTINATION_UNREACHABLE",
	"NOT_AUTHORIZED",
	"TIMED_OUT",
	"DIVERGED",
	"FAILED",
};

const char *const *error_words(size_t *n)
{
	*n = ARRAY_LEN(words);
	return words;
}

void output_init(struct output *o, bool json, FILE *out, FILE *err)
{
	*o = (struct output){ .json = json, .out = out, .err = err, .tty = isatty(fileno(err)) == 1 };
}

static void end_progress(struct output *o)
{
	if (o->progress_open_)
		fputc('\n', o->err);
	o->progress_open_ = false;
}

bool output_close(struct output *o)
{
	end_progress(o);
	fflush(o->err);
	return fflush(o->out) == 0 && ferror(o->out) == 0;
}

void output_say(struct output *o, const char *fmt, ...)
{
	va_list ap;

	if (o->json)
		return;
	end_progress(o);
	va_start(ap, fmt);
	vfprintf(o->out, fmt, ap);
	va_end(ap);
	fputc('\n', o->out);
}

static void put_message(struct output *o, const char *kind, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
static void put_message(struct output *o, const char *kind, const char *fmt, va_list ap)
{
	end_progress(o);
	fflush(o->out);
	fprintf(o->err, "krmirror: %s", kind);
	vfprintf(o->err, fmt, ap);
	fputc('\n', o->err);
}

void output_note(struct output *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_message(o, "", fmt, ap);
	va_end(ap);
}

void output_warn(struct output *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_message(o, "warning: ", fmt, ap);
	va_end(ap);
}

void output_progress(struct output *o, const char *fmt, ...)
{
	char text[sizeof(o->progress_)];
	int64_t now = clock_mono_ns();
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strcmp(text, o->progress_) == 0)
		return;
	if (!o->tty && o->progress_at_ns_ != 0 && now - o->progress_at_ns_ < PROGRESS_EVERY_NS)
		return;
	memcpy(o->progress_, text, sizeof(text));
	o->progress_at_ns_ = now;
	fprintf(o->err, o->tty ? "\r\033[Kkrmirror: %s" : "krmirror: %s\n", text);
	fflush(o->err);
	o->progress_open_ = o->tty;
}

void output_document(struct output *o, json_t *document)
{
	if (o->json) {
		CHECK(!o->documented_);
		end_progress(o);
		json_dumpf(document, o->out, JSON_INDENT(2) | JSON_ENCODE_ANY);
		fputc('\n', o->out);
		o->documented_ = true;
	}
	json_decref(document);
}

void output_failure(struct output *o, const char *word, const struct err *err)
{
	output_note(o, "%s", err->text);
	if (err->hint[0] != '\0')
		fprintf(o->err, "  %s\n", err->hint);
	if (!o->json || o->documented_)
		return;
	output_document(o, json_pack("{s:{s:s, s:o, s:o}}", "error", "code", word, "message",
				     json_text(err->text), "hint",
				     json_text(err->hint[0] != '\0' ? err->hint : NULL)));
}
