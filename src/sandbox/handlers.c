/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/handlers.h"

#include "wire/msg/add_offsets_to_txn.h"
#include "wire/msg/add_partitions_to_txn.h"
#include "wire/msg/api_versions.h"
#include "wire/msg/create_acls.h"
#include "wire/msg/create_partitions.h"
#include "wire/msg/create_topics.h"
#include "wire/msg/delete_acls.h"
#include "wire/msg/delete_groups.h"
#include "wire/msg/delete_records.h"
#include "wire/msg/delete_topics.h"
#include "wire/msg/describe_acls.h"
#include "wire/msg/describe_cluster.h"
#include "wire/msg/describe_configs.h"
#include "wire/msg/describe_groups.h"
#include "wire/msg/describe_producers.h"
#include "wire/msg/describe_transactions.h"
#include "wire/msg/end_txn.h"
#include "wire/msg/fetch.h"
#include "wire/msg/find_coordinator.h"
#include "wire/msg/heartbeat.h"
#include "wire/msg/incremental_alter_configs.h"
#include "wire/msg/init_producer_id.h"
#include "wire/msg/join_group.h"
#include "wire/msg/leave_group.h"
#include "wire/msg/list_groups.h"
#include "wire/msg/list_offsets.h"
#include "wire/msg/list_transactions.h"
#include "wire/msg/metadata.h"
#include "wire/msg/offset_commit.h"
#include "wire/msg/offset_fetch.h"
#include "wire/msg/offset_for_leader_epoch.h"
#include "wire/msg/produce.h"
#include "wire/msg/sync_group.h"
#include "wire/msg/txn_offset_commit.h"
#include "wire/msg/write_txn_markers.h"

/* What is advertised: the versions of 4.x, as far as the tables of protocol/ reach. Fetch ends at 16 because 17 and 18
 * are for followers. */
static const struct handler handlers[] = {
	{ &produce_api, produce_handle, 0, 13, 3, NULL },
	{ &fetch_api, fetch_handle, 4, 16, 4, NULL },
	{ &list_offsets_api, list_offsets_handle, 1, 10, 1, NULL },
	{ &metadata_api, metadata_handle, 0, 13, 0, NULL },
	{ &offset_commit_api, offset_commit_handle, 2, 9, 2, NULL },
	{ &offset_fetch_api, offset_fetch_handle, 1, 9, 1, NULL },
	{ &find_coordinator_api, find_coordinator_handle, 0, 6, 0, NULL },
	{ &join_group_api, join_group_handle, 0, 9, 0, NULL },
	{ &heartbeat_api, heartbeat_handle, 0, 4, 0, NULL },
	{ &leave_group_api, leave_group_handle, 0, 5, 0, NULL },
	{ &sync_group_api, sync_group_handle, 0, 5, 0, NULL },
	{ &describe_groups_api, describe_groups_handle, 0, 6, 0, NULL },
	{ &list_groups_api, list_groups_handle, 0, 5, 0, NULL },
	{ &api_versions_api, api_versions_handle, 0, 4, 0, api_versions_unserved },
	{ &create_topics_api, create_topics_handle, 2, 7, 2, NULL },
	{ &delete_topics_api, delete_topics_handle, 1, 6, 1, NULL },
	{ &delete_records_api, delete_records_handle, 0, 2, 0, NULL },
	{ &init_producer_id_api, init_producer_id_handle, 0, 4, 0, NULL },
	{ &offset_for_leader_epoch_api, offset_for_leader_epoch_handle, 2, 4, 2, NULL },
	{ &add_partitions_to_txn_api, add_partitions_to_txn_handle, 0, 3, 0, NULL },
	{ &add_offsets_to_txn_api, add_offsets_to_txn_handle, 0, 3, 0, NULL },
	{ &end_txn_api, end_txn_handle, 0, 4, 0, NULL },
	{ &write_txn_markers_api, write_txn_markers_handle, 1, 1, 1, NULL },
	{ &txn_offset_commit_api, txn_offset_commit_handle, 0, 3, 0, NULL },
	{ &describe_acls_api, describe_acls_handle, 1, 3, 1, NULL },
	{ &create_acls_api, create_acls_handle, 1, 3, 1, NULL },
	{ &delete_acls_api, delete_acls_handle, 1, 3, 1, NULL },
	{ &describe_configs_api, describe_configs_handle, 1, 4, 1, NULL },
	{ &create_partitions_api, create_partitions_handle, 0, 3, 0, NULL },
	{ &delete_groups_api, delete_groups_handle, 0, 2, 0, NULL },
	{ &incremental_alter_configs_api, incremental_alter_configs_handle, 0, 1, 0, NULL },
	{ &describe_cluster_api, describe_cluster_handle, 0, 2, 0, NULL },
	{ &describe_producers_api, describe_producers_handle, 0, 0, 0, NULL },
	{ &describe_transactions_api, describe_transactions_handle, 0, 0, 0, NULL },
	{ &list_transactions_api, list_transactions_handle, 0, 1, 0, NULL },
};

const struct handler *handler_table(int *n)
{
	*n = (int)ARRAY_LEN(handlers);
	return handlers;
}

const struct handler *handler_find(int16_t key)
{
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
		if (handlers[i].api->key == key)
			return &handlers[i];
	return NULL;
}
