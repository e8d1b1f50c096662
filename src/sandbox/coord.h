/* SPDX-License-Identifier: Apache-2.0 */
/* The group coordinator: classic groups (KIP-62, KIP-345, KIP-394) and their committed offsets.
 *
 *   EMPTY --join--> PREPARING --all joined, or time--> COMPLETING --leader's sync--> STABLE
 *     ^                 ^                                   |                          |
 *     |                 +-- join, leave, a member's silence +--------------------------+
 *     +-- PREPARING ends without members
 *
 * A join waits until the generation is complete, a sync until the leader has sent the assignment; both are parked
 * requests which the member holds. */
#pragma once

#include "sandbox/state.h"

enum coord_state { COORD_EMPTY, COORD_PREPARING, COORD_COMPLETING, COORD_STABLE };

struct coord_protocol {
	char *name;
	struct bytes metadata;          /* its own memory */
};

struct coord_member {
	struct coord_group *group;
	struct list node;               /* in group.members, in the order of joining */
	char *id;
	char *instance;                 /* NULL: a dynamic member */
	char *client_id, *client_host;
	int32_t session_ms, rebalance_ms;
	struct coord_protocol *protocols;
	int32_t n_protocols;
	struct bytes assignment;        /* its own memory */
	struct request *join, *sync;    /* parked, or NULL */
	bool synced;                    /* in this generation */
	struct tick session;
};

/* A member id that was handed out with 79 and has not come back. */
struct coord_pending {
	struct coord_group *group;
	struct list node;
	char *id;
	struct tick expiry;
};

struct coord_offset {
	char *topic;
	int32_t partition;
	int64_t offset;
	int32_t leader_epoch;
	char *metadata;
	size_t key_len;
	uint8_t key[];
};

struct coord_group {
	struct sandbox *sb;
	char *id;
	enum coord_state state;
	int32_t generation;
	char *protocol_type;            /* NULL: none yet, a group of offsets only */
	char *protocol;                 /* of the generation, or NULL */
	struct coord_member *leader;
	struct list members, pending;
	int32_t n_members;
	struct tick timer;              /* until when joins are waited for, or syncs */
	bool delayed;                   /* PREPARING: the first generation waits for more members */
	struct map offsets;
};

/* "Stable" and so on; "Dead" for NULL. */
const char *coord_state_name(const struct coord_group *group);
/* NULL: there is none. */
struct coord_group *coord_find(struct sandbox *sb, struct str id);
/* Found or made; NULL when memory is out or the id is no text. */
struct coord_group *coord_open(struct sandbox *sb, struct str id);
/* Answers whoever waits with 15 and forgets the group with its offsets. */
void coord_remove(struct coord_group *group);
void coord_fini(struct sandbox *sb);

struct coord_member *coord_member(const struct coord_group *group, struct str id);
struct coord_member *coord_instance(const struct coord_group *group, struct str instance);
struct coord_pending *coord_pending(const struct coord_group *group, struct str id);
/* What every request of a member is checked for first: 0, 25 or 82. *member is set with 0. */
int16_t coord_check_member(const struct coord_group *group, struct str id, struct str instance,
			   struct coord_member **member);

struct join_group_request;
/* A member from its request; NULL when memory is out. */
struct coord_member *coord_member_add(struct coord_group *group, struct str id, const struct request *req);
/* Takes over what a member says of itself anew. */
void coord_member_update(struct coord_member *member, const struct join_group_request *body);
void coord_assign(struct coord_member *member, struct bytes assignment);
/* NULL: the member does not support it. */
const struct coord_protocol *coord_protocol(const struct coord_member *member, struct str name);
/* True when a protocol of the request is one that all members support, and the type is theirs. */
bool coord_supports(const struct coord_group *group, const struct join_group_request *body);
/* The protocol that the members' votes would choose; NULL: none. */
const char *coord_elected_protocol(const struct coord_group *group);
/* A new id, from the instance or client id and a uuid. The caller frees it. */
char *coord_member_id(struct sandbox *sb, struct str prefix);
void coord_pending_add(struct coord_group *group, const char *id, int32_t session_ms);
void coord_pending_remove(struct coord_pending *pending);

/* The member's next heartbeat is due within its session timeout from now. */
void coord_alive(struct coord_member *member);
/* Begins a new generation; joins are waited for. */
void coord_rebalance(struct coord_group *group);
/* Completes the generation when everybody is there. */
void coord_try_complete(struct coord_group *group);
/* The member is gone: left or silent. Requests of it that wait get 25. */
void coord_member_remove(struct coord_member *member);
/* Gives all waiting syncs their assignment (code 0), or an error. */
void coord_settle_syncs(struct coord_group *group, int16_t code);

/* The answers to parked requests, by their own files. code 0: the generation's. */
void join_group_answer(struct coord_member *member, int16_t code);
void sync_group_answer(struct coord_member *member, int16_t code);

/* NULL: nothing is committed. */
struct coord_offset *coord_offset(const struct coord_group *group, struct str topic, int32_t partition);
void coord_offsets_fini(struct coord_group *group);
/* False when memory is out. */
bool coord_offset_put(struct coord_group *group, struct str topic, int32_t partition,
		      const struct coord_offset *value);
/* All of them in the order of topic and partition; free with xfree. */
struct coord_offset **coord_offsets(const struct coord_group *group, size_t *n);
