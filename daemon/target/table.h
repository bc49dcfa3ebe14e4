/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the target table, shared by the files of this room alone. */
#ifndef MEMWATCH_TARGET_TABLE_H
#define MEMWATCH_TARGET_TABLE_H

#include "target/target.h"

struct target_table {
	struct probe_object *object;
	struct module_cache *module_cache;
	const struct probe_backend *backend;
	struct target **slots;
	size_t slot_count;
	uint64_t last_lease_id;
	struct target_links *orphans; /* of targets that are over; NULL: none */
};

/* Looks at what is mapped now and probes what isn't probed yet. 0 or -errno (-ESRCH: it is gone).
 */
int target_attach(struct target_table *table, struct target *target);
/* Takes all probes out. */
void target_detach(struct target_table *table, struct target *target);

#endif
