/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/outer_map.h"

#include <bpf/bpf.h>
#include <errno.h>

int outer_map_put(int map_fd, const uint32_t *keys, const int *fds, uint32_t count)
{
	/* Together they wait once, since 6.8, and before that not at all: so one comes by itself.
	 */
	uint32_t together = count - 1, done = 0;

	LIBBPF_OPTS(bpf_map_batch_opts, options);

	/* The kernel can't do it together, before 5.16. */
	if (together > 1 && !bpf_map_update_batch(map_fd, keys, fds, &together, &options))
		done = count - 1;
	for (; done < count; done++)
		if (bpf_map_update_elem(map_fd, &keys[done], &fds[done], BPF_ANY))
			return -errno;
	return 0;
}
