/* SPDX-License-Identifier: Apache-2.0 */
/* A connection under test and a record of its callbacks. */
#pragma once

#include "test_net.h"

#include "base/buf.h"
#include "net/conn.h"

enum { FRAME_MAX = 16 << 20 };

struct side {
	struct conn conn;
	struct loop *loop;
	struct buf_pool *pool;
	int fds_before;
	int peer;              /* the other end, played by hand */
	int n_ready, n_closed, n_frames, n_allocs;
	bool starved;          /* alloc says no */
	bool close_in_frame;   /* the frame callback closes */
	struct buf *frames[256];
	struct err why;
	void (*on_closed)(struct side *side);
};

/* Makes loop, pool and connection; closed. */
void side_init(struct side *side, int engine);
/* Closes what is open and checks that everything was given back: descriptors, buffers, callbacks. */
void side_down(struct side *side);
