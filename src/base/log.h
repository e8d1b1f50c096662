/* SPDX-License-Identifier: Apache-2.0 */
/* One line per event on standard error: time, level, subject, a constant sentence, key=value pairs.
 *
 *   log_info("lane orders/3", "opened", "end=%lld", (long long)end);
 *
 * With LOG_JSON a line is one object: ts, level, module (the subject), msg (the sentence), and the pairs as strings.
 * The subject is a short printable owner; the sentence never varies; the pairs are separated by blanks, and values
 * that may hold blanks or quotes are marked by the caller with LOG_Q: they come out in double quotes, escaped. Format
 * and level are process-wide and set once, before threads start. A line is written with one write(2), so threads do
 * not mix. */
#pragma once

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };
enum log_format { LOG_KV, LOG_JSON };

void log_setup(enum log_level level, enum log_format format);
/* False when the word is no level / format. */
bool log_level_parse(const char *word, enum log_level *level);
bool log_format_parse(const char *word, enum log_format *format);
bool log_on(enum log_level level);

void log_line(enum log_level level, const char *subject, const char *sentence, const char *pairs, ...)
	__attribute__((format(printf, 4, 5)));

/* The marks are no printable characters, so that a quote in a value does not end it. */
#define LOG_Q "\002%s\003"
#define log_at(level, ...) (log_on(level) ? log_line(level, __VA_ARGS__) : (void)0)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) log_at(LOG_TRACE, __VA_ARGS__)
