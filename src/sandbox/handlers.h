/* SPDX-License-Identifier: Apache-2.0 */
/* One handler per API key; each stands in its own file NN_name.c. */
#pragma once

#include "sandbox/state.h"

handler_fn produce_handle, fetch_handle, list_offsets_handle, metadata_handle, offset_commit_handle,
	offset_fetch_handle, find_coordinator_handle, join_group_handle, heartbeat_handle, leave_group_handle,
	sync_group_handle, describe_groups_handle, list_groups_handle, api_versions_handle,
	api_versions_unserved, create_topics_handle, add_partitions_to_txn_handle, add_offsets_to_txn_handle,
	end_txn_handle, txn_offset_commit_handle, describe_transactions_handle, list_transactions_handle,
	delete_topics_handle, delete_records_handle, init_producer_id_handle, offset_for_leader_epoch_handle,
	write_txn_markers_handle, describe_acls_handle, create_acls_handle, delete_acls_handle,
	describe_configs_handle, create_partitions_handle, delete_groups_handle,
	incremental_alter_configs_handle, describe_cluster_handle, describe_producers_handle;

/* Where a setting comes from, in answers. */
enum { SOURCE_TOPIC = 1, SOURCE_DYNAMIC_DEFAULT = 3, SOURCE_STATIC = 4, SOURCE_DEFAULT = 5 };
/* What a resource is, in DescribeConfigs and IncrementalAlterConfigs. */
enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };
/* Bit fields of operations, as a broker without an authorizer tells them: all that the resource knows. */
enum { OPERATIONS_TOPIC = 0xdf8, OPERATIONS_CLUSTER = 0x1fa0, OPERATIONS_GROUP = 0x148 };

/* A setting of the broker itself. */
struct broker_setting {
	const char *name;
	int64_t value;
	int8_t source;
};
/* The node's id, or "" for the cluster's defaults. */
bool broker_resource_ok(const struct request *req, struct str name);
