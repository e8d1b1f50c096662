/* SPDX-License-Identifier: Apache-2.0 */
/* Membership in one classic consumer group, as a static member: Kafka's coordinator decides who lives. The group is a
 * lease, not a fence (DESIGN 9): the lease runs session.timeout.ms from the sending of the last request of membership
 * that was answered without error, on CLOCK_BOOTTIME, and is never extended on doubt.
 *
 * Everything runs on the cluster's loop. The callbacks come from the loop, never from inside a call of this header;
 * they must not wait, and must not call group_destroy. */
#pragma once

#include "client/cluster.h"

struct group;

struct group_member {
	struct str member_id, instance_id;
	struct bytes metadata;
	struct bytes assignment;     /* set by the share callback; its memory is the arena's or outlives the callback's
	                              * return until the next one */
};

struct group_opts {
	const char *group_id;
	const char *instance_id;     /* group.instance.id: worker.id */
	const char *protocol;        /* the one protocol name; the protocol type is "krmirror" */
	int32_t session_timeout_ms;
	struct bytes metadata;       /* what the others, and DescribeGroups, see of this member */
	struct buf_pool *pool;       /* for its own connection; must outlive the group */
};

struct group_ops {
	/* This member leads: fill every member's assignment. */
	void (*share)(void *owner, struct group_member *members, int n, struct arena *arena);
	/* A new generation, with what it gives to this member; empty bytes when the leader gave nothing. What is lost
	 * by it must be given up before this returns, as far as that needs no waiting: the lease is extended after it. */
	void (*assigned)(void *owner, int32_t generation, struct bytes assignment);
	/* The lease: until when this member may act on what it was given. Never moves back. */
	void (*lease)(void *owner, int64_t until_boot_ns);
	/* The coordinator answers no more, or again; for logs and status. err NULL: it does. */
	void (*trouble)(void *owner, const struct err *err);
	/* Another process joined with the same instance id. The membership has ended; nothing else comes. err names the
	 * other as far as the coordinator knows it. */
	void (*fenced)(void *owner, const struct err *err);
	/* After group_leave: nothing else comes. */
	void (*left)(void *owner);
};

/* Starts joining. opts and what it points to is copied; ops must outlive the group. */
struct group *group_create(struct cluster *cluster, const struct group_opts *opts, const struct group_ops *ops,
			   void *owner);
/* Leaves the group (LeaveGroup), so that another may take over at once; ops->left comes within a session
 * timeout, whatever the coordinator answers. What was given must have been given up before. */
void group_leave(struct group *group);
/* Ends without a word to the coordinator, or after fenced or left. Frees itself when all is quiet. NULL is allowed. */
void group_destroy(struct group *group);

/* -1: not joined. */
int32_t group_generation(const struct group *group);
bool group_is_leader(const struct group *group);
/* "stable", "joining" ...: for logs and status. */
const char *group_state_name(const struct group *group);
