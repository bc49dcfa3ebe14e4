/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The call by which a session program learns whether it runs at the return. The kernel's function
 * takes no argument in 6.13 and the program's context in 7.2. libbpf compares prototypes, and
 * before 1.3 it gives up on one that differs, weak or not; the machine code, which passes the
 * context in any case, is right for both. So the call is resolved here.
 */
#ifndef MEMWATCH_PROBE_SESSION_CALL_H
#define MEMWATCH_PROBE_SESSION_CALL_H

#include <stdint.h>

struct bpf_program;

/*
 * Before the object is loaded: makes the program's calls of RECORD_SESSION_IS_RETURN calls of the
 * kernel's function of that BTF type id. 0 or -errno.
 */
int session_call_resolve(struct bpf_program *program, int32_t type_id);

#endif
