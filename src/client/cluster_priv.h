/* SPDX-License-Identifier: Apache-2.0 */
/* What brokers tell their cluster. Only for client/. */
#pragma once

#include "client/cluster.h"

void cluster_broker_made(struct cluster *cluster);
void cluster_broker_gone(struct cluster *cluster);
/* A response came. */
void cluster_contact(struct cluster *cluster);
/* A connection could not be made or was lost. */
void cluster_connection_failed(struct cluster *cluster, const struct err *why);
