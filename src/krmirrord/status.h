/* SPDX-License-Identifier: Apache-2.0 */
/* /status: the document of `krmirror status` as this worker knows it, with itself and its partitions besides; and what
 * /healthz and /readyz say. */
#pragma once

#include "base/doc.h"
#include "krmirrord/page.h"

void status_write(struct doc *doc, const struct page *page, int64_t wall_ms);
/* True: all loops turn. Says which do not. now_ns: monotonic. */
bool status_healthy(struct doc *doc, const struct page *page, int64_t now_ns);
bool status_ready(struct doc *doc, const struct page *page);
