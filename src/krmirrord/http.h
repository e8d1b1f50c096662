/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP side of a worker: one thread that answers GET with what hangs on the board, and touches nothing else.
 * /metrics, /status, /healthz, /readyz. What comes in is bounded: connections, bytes of a request, and the time that one
 * may take; an answer is made at most once a second, however often it is asked for. */
#pragma once

#include "client/endpoint.h"
#include "krmirrord/page.h"

struct http;

/* Listens and starts the thread; the board must outlive it. NULL with err set: the address cannot be had. */
struct http *http_open(const struct endpoint *at, struct board *board, struct err *err);
/* "127.0.0.1:9474": what it is bound to. */
const char *http_address(const struct http *http);
/* Cuts what is open, ends the thread. NULL is allowed. */
void http_close(struct http *http);
