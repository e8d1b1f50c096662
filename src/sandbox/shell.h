/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox on a socket: a listener and its connections on one loop, and the loop's clock for the core. */
#pragma once

#include "net/loop.h"
#include "sandbox/sandbox.h"

struct shell;

/* Listens at host and port (0: the system chooses; the sandbox is told what it became). sb and loop must outlive the
 * shell. NULL with err set when the address cannot be had. */
struct shell *shell_create(struct loop *loop, struct sandbox *sb, const char *host, uint16_t port, struct err *err);
uint16_t shell_port(const struct shell *shell);
/* Closes the listener and all connections, and stops the loop when nothing is in flight any more. */
void shell_stop(struct shell *shell);
/* After that. */
void shell_destroy(struct shell *shell);
