/* SPDX-License-Identifier: Apache-2.0 */
/* Small pieces of text for people. */
#pragma once

#include <stdint.h>
#include <stdio.h>

/* "Label:            " in a fixed width. */
void text_label(FILE *out, const char *label);
/* A whole line; "-" for NULL and "". */
void text_field(FILE *out, const char *label, const char *value);
/* "3s ago", "2m ago"; "-" when negative. Returns text. */
const char *text_ago(int64_t ms, char *text, size_t size);
/* "2026-01-31 12:00:05Z"; "-" when not positive. Returns text. */
const char *text_time(int64_t wall_ms, char *text, size_t size);
/* The number, or "not known" when negative. Returns text. */
const char *text_known(int64_t value, char *text, size_t size);
