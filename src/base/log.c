/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Process-wide by nature: standard error is one. Set once before threads start. */
static struct {
	enum log_level level;
	enum log_format format;
} setup = { LOG_INFO, LOG_KV };

static const char *const level_names[] = { "error", "warn", "info", "debug", "trace" };

void log_setup(enum log_level level, enum log_format format)
{
	setup.level = level;
	setup.format = format;
}

bool log_level_parse(const char *word, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
		if (strcasecmp(word, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

bool log_format_parse(const char *word, enum log_format *format)
{
	if (strcmp(word, "kv") != 0 && strcmp(word, "json") != 0)
		return false;
	*format = word[0] == 'j' ? LOG_JSON : LOG_KV;
	return true;
}

bool log_on(enum log_level level)
{
	return level <= setup.level;
}

struct pair {
	const char *key, *value;
	size_t key_len, value_len;
	bool quoted;
};

enum { QUOTE_OPENS = '\002', QUOTE_CLOSES = '\003' };   /* LOG_Q */

/* Appends s with JSON escapes. Returns the new length; what does not fit is cut. */
static size_t put_json(char *line, size_t n, size_t size, const char *s, size_t len)
{
	for (size_t i = 0; i < len && n + 8 < size; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			n += (size_t)snprintf(line + n, size - n, "\\%c", c);
		else if (c < 0x20)
			n += (size_t)snprintf(line + n, size - n, "\\u%04x", c);
		else
			line[n++] = (char)c;
	}
	line[n] = '\0';
	return n;
}

/* The next pair: KEY=VALUE, the value marked by LOG_Q or without blanks. False: none is left. */
static bool next_pair(const char **pairs, struct pair *pair)
{
	const char *p = *pairs + strspn(*pairs, " ");

	pair->key = p;
	pair->key_len = strcspn(p, "= ");
	if (p[pair->key_len] != '=')
		return false;
	p += pair->key_len + 1;
	pair->quoted = *p == QUOTE_OPENS;
	pair->value = p += pair->quoted;
	pair->value_len = strcspn(p, pair->quoted ? (const char[]){ QUOTE_CLOSES, '\0' } : " ");
	p += pair->value_len;
	*pairs = p + (*p == QUOTE_CLOSES);
	return true;
}

static size_t put_pairs(char *line, size_t n, size_t size, const char *pairs)
{
	bool json = setup.format == LOG_JSON;
	struct pair pair;

	while (next_pair(&pairs, &pair) && n + 80 < size) {
		const char *quote = json || pair.quoted ? "\"" : "";

		n += (size_t)snprintf(line + n, size - n, json ? ",\"%.*s\":%s" : " %.*s=%s", (int)MIN(pair.key_len, 64),
				      pair.key, quote);
		n = put_json(line, n, size - 2, pair.value, pair.value_len);
		n += (size_t)snprintf(line + n, size - n, "%s", quote);
	}
	return n;
}

static size_t put_line(char *line, size_t size, enum log_level level, const char *subject, const char *sentence,
		       const char *pairs)
{
	char when[CLOCK_TEXT_MAX];
	size_t n;

	clock_wall_text(when);
	if (setup.format == LOG_KV) {
		n = (size_t)snprintf(line, size - 1, "%s %s [%s] %s", when, level_names[level], subject, sentence);
		return put_pairs(line, MIN(n, size - 2), size - 1, pairs);
	}
	n = (size_t)snprintf(line, size, "{\"ts\":\"%s\",\"level\":\"%s\",\"module\":\"", when, level_names[level]);
	n = put_json(line, n, size / 4, subject, strlen(subject));
	n += (size_t)snprintf(line + n, size - n, "\",\"msg\":\"");
	n = put_json(line, n, size / 2, sentence, strlen(sentence));
	n += (size_t)snprintf(line + n, size - n, "\"");
	n = put_pairs(line, n, size - 4, pairs);
	n += (size_t)snprintf(line + n, size - n, "}");
	return MIN(n, size - 2);
}

void log_line(enum log_level level, const char *subject, const char *sentence, const char *pairs, ...)
{
	char line[2048], text[1024];
	va_list ap;
	size_t n;

	va_start(ap, pairs);
	vsnprintf(text, sizeof(text), pairs, ap);
	va_end(ap);
	n = put_line(line, sizeof(line), level, subject, sentence, text);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return;  /* nowhere left to say it */
}
