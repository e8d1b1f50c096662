/* SPDX-License-Identifier: Apache-2.0 */
/* link.mode and connection.mode: which cluster the settings of a link are for, and who dials. Pure.
 *
 * Cluster Linking has a link at the destination (DESTINATION) that dials the source, or, where nothing may come in at the
 * source, two of one name: one at the destination that waits (DESTINATION, INBOUND), made first, and one at the source
 * (SOURCE) that dials both: its settings are the destination's, those behind "local." the source's. krmirror keeps all
 * links at the destination and always dials: the second of a pair takes the place of the first. */
#pragma once

#include "control/props.h"
#include "control/record.h"

enum link_mode { LINK_MODE_DESTINATION, LINK_MODE_SOURCE };

enum link_mode link_mode_of(const struct props *props);
/* connection.mode=INBOUND: nothing is dialled. */
bool link_inbound(const struct props *props);
bool link_wish_inbound(const struct link_wish *wish);
/* Whether this version has the modes, and they go together. RC_USAGE. */
int link_mode_check(const struct props *props, struct err *err) MUST_USE;

/* The key under which the source's servers stand. */
const char *link_servers_key(const struct props *props);
/* Splits SOURCE's settings: own, without what is the source's; and that, without "local.". */
void link_mode_split(const struct props *props, struct props *own, struct props *local);
/* Adds to a SOURCE link's settings what the INBOUND link of its name says of mirroring, and it does not say itself. */
void link_mode_join(struct props *props, const struct props *inbound);
