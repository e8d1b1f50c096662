/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated machine: a clock that moves only when nobody has anything to do, and a network between the loops of
 * the product and sandboxes. It is the third engine behind net/loop.h; the linker puts it in the place of the two of
 * the kernel (Makefile.inc). Bytes are late, cut, lost with their connection, or come after their sender is gone. */
#pragma once

#include "fiber.h"
#include "rng.h"
#include "sandbox/sandbox.h"

enum { NET_BROKERS = 2 };

/* A broker as the network sees it. */
struct net_broker {
	struct sandbox *sandbox;
	uint16_t port;
	int64_t down_until_ns;       /* connects are refused */
	int64_t paused_until_ns;     /* SIGSTOP: it takes bytes and does nothing */
	int64_t slow_ns;             /* added to each way */
};

/* One at a time: clock_mono_ns() has no argument. */
void net_open(struct rng *rng);
/* All loops must be gone. */
void net_close(void);
struct net_broker *net_add_broker(uint16_t port);

int64_t net_now_ns(void);
int64_t net_wall_ms(void);
/* Runs what is due until the time has come. False: something went round in circles. */
bool net_run_until(int64_t at_ns);

/* What of the bytes under way arrives when a connection ends. */
enum net_end {
	NET_END_CLEAN,       /* all of it */
	NET_END_CUT,         /* a random part of what went to the broker, nothing of what went to the client */
	NET_END_LATE         /* as with cut, but up to a minute later */
};
/* Ends the connections of a loop's fiber (NULL: any) to a broker (NULL: any): each, or one by chance. */
void net_reset(const struct fiber *fiber, const struct net_broker *broker, bool all, enum net_end how);
/* From now on nothing that was under way to a broker arrives after its connection has ended. */
void net_forget_late(void);
/* Nothing moves on one connection by chance for so long. */
void net_stall(int64_t for_ns);
/* From now on nothing of the fiber's goes out or comes in, and it can connect to nobody. */
void net_cut_off(struct fiber *fiber);
/* How many connections net_reset has ended. */
uint64_t net_resets(void);

/* ---- for those who speak to a broker's sandbox themselves ---- */

/* To be called before the sandbox is given anything. */
void net_tell_time(struct net_broker *broker);
/* For a frame of so many bytes. */
struct buf *net_frame(size_t len);
