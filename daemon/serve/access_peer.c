/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/access.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>

#define GROUP_RECORD_BYTES_MAX (1 << 20)

struct access_group access_find_group(const char *name)
{
	struct access_group group = {0};
	struct group record, *found = NULL;
	size_t size = 4096;
	char *buffer = NULL;
	int err = ERANGE;

	/* A group with many members does not fit the first time. */
	while (name && name[0] && err == ERANGE && size <= GROUP_RECORD_BYTES_MAX) {
		free(buffer);
		buffer = malloc(size);
		if (!buffer)
			break;
		err = getgrnam_r(name, &record, buffer, size, &found);
		size *= 2;
	}
	if (found) {
		group.exists = true;
		group.gid = found->gr_gid;
	}
	free(buffer);
	return group;
}

/* Whether the peer has the group among its supplementary ones; no when the kernel does not say. */
static bool has_supplementary_group(int fd, gid_t gid)
{
	gid_t few[64], *groups = few;
	socklen_t size = sizeof(few);
	bool is_member = false;

	/* When they don't fit, the kernel says how much room they need. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) {
		if (errno != ERANGE)
			return false;
		groups = malloc(size);
		if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
			size = 0;
	}
	for (size_t i = 0; i < size / sizeof(gid_t) && !is_member; i++)
		is_member = groups[i] == gid;
	if (groups != few)
		free(groups);
	return is_member;
}

int access_identify_peer(int fd, const struct access_group *group, struct view_viewer *viewer)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return -errno;
	viewer->uid = peer.uid;
	viewer->sees_all = peer.uid == 0;
	if (!viewer->sees_all && group->exists)
		viewer->sees_all =
			peer.gid == group->gid || has_supplementary_group(fd, group->gid);
	return 0;
}
