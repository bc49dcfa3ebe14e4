/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, on the Unix socket; and whether a TCP request was meant for us. */
#ifndef MEMWATCH_SERVE_ACCESS_H
#define MEMWATCH_SERVE_ACCESS_H

#include "view/view.h"

#include <sys/socket.h>

/* Whose members see all processes, besides root. */
struct access_group {
	bool exists;
	gid_t gid;
};

/* Resolved once: a lookup may ask the network, which no request should wait for. */
struct access_group access_find_group(const char *name);

/*
 * The peer of a connected Unix socket, as the kernel noted it at connect(): its effective uid, gid
 * and supplementary groups. What /etc/group says does not count: a process may have given up a
 * group or been started before it was added. 0 or -errno.
 */
int access_identify_peer(int fd, const struct access_group *group, struct view_viewer *viewer);

/*
 * Whether a Host header names us: localhost, a loopback address, or the address that the connection
 * came in at, with any port. A page that rebinds its own name to this host (DNS rebinding) makes
 * browsers send that name. host NULL: there was none.
 */
bool access_allows_host(const char *host, const struct sockaddr_storage *local);

#endif
