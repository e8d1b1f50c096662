/* SPDX-License-Identifier: Apache-2.0 */
/* An error that a person will read: a code, a sentence, and what to do about it. The last parameter of
 * configuration, connection, control and command functions; the data path returns codes only. It says something only
 * where the function that was given it failed: what was tried again may have left its text in one that did not. */
#pragma once

#include "base/rc.h"

#include <stdarg.h>
#include <stdint.h>

/* Finer than the code, where one code has several causes that somebody must tell apart. */
enum err_cause {
	CAUSE_NONE, CAUSE_TLS_NAME, CAUSE_TLS_DATE, CAUSE_TLS_AUTHORITY, CAUSE_TLS_REFUSED, CAUSE_MECHANISM, CAUSE_LOGIN
};

struct err {
	int rc;
	int16_t kafka;    /* the Kafka error code when rc is RC_KAFKA, else 0 */
	int16_t cause;    /* enum err_cause: set after err_set, by who knows it */
	char text[512];
	char hint[256];   /* what to do; may be empty */
};

/* Sets code and text (cut at the size of the field), clears hint and cause; returns rc, for `return err_set(...)`. */
int err_set(struct err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_vset(struct err *err, int rc, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));

/* Puts "fmt: " before the text that is there. The code and hint stay. Returns err->rc. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sets the hint. Returns err->rc. */
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
