/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's own code in a process ([vdso]), which is in no file: named by what we have of it. */
#ifndef MEMWATCH_SYMBOL_VDSO_H
#define MEMWATCH_SYMBOL_VDSO_H

#include "symbol/address_space.h"

/* A module with the bytes of our own vDSO, referenced for the caller; NULL: we have none. */
struct module *vdso_module_get(struct module_cache *cache);
/* Whether a process (proc_fd is /proc/PID) has the same bytes in a range as we have. */
bool vdso_is_ours(int proc_fd, const struct address_range *range);

#endif
