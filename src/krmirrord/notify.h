/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager is told; without libsystemd, or not under a service manager, nothing happens. */
#pragma once

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
