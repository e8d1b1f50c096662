/* SPDX-License-Identifier: Apache-2.0 */
/* The server side: a listening socket that hands every accepted descriptor to its owner, who usually gives it to
 * conn_adopt. Belongs to one loop. */
#pragma once

#include "base/err.h"
#include "net/loop.h"

struct listener;

struct listener_ops {
	/* A connected descriptor (non-blocking, close-on-exec); the callee owns it and ends it with loop_close. */
	void (*accepted)(struct listener *listener, int fd);
	/* After listener_close: nothing is in flight any more and no callback follows. */
	void (*closed)(struct listener *listener);
};

/* Embedded in its owner, zeroed before its first use. */
struct listener {
	const struct listener_ops *ops;
	void *owner;
	/* private */
	struct loop *loop_;
	int fd_;
	bool closing_;
	struct op accept_;
	struct op close_;
	struct timer pause_;
	struct sockaddr_storage addr_;
};

/* Binds the first address of host ("" or NULL: all addresses) and listens; port 0: the system chooses. Blocks for a
 * host that is a name: for the start of a program. ops and owner must outlive the listener. */
MUST_USE int listener_open(struct listener *listener, struct loop *loop, const char *host, uint16_t port, struct err *err);
/* The same for owners with an event loop of their own: the listening descriptor, to be ended with listener_shut, and what
 * it is bound to as text. -1 with err set. */
MUST_USE int listener_bind(const char *host, uint16_t port, char *text, size_t size, struct err *err);
void listener_shut(int fd);
/* Both directions of a connection of theirs end: whoever reads it next finds that out. */
void listener_cut(int fd);
/* What it is bound to. */
uint16_t listener_port(const struct listener *listener);
void listener_text(const struct listener *listener, char *text, size_t size);
/* Ends it; ops->closed comes later. Nothing happens when it is not open. */
void listener_close(struct listener *listener);
