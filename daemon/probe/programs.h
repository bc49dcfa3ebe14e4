/* SPDX-License-Identifier: Apache-2.0 */
/* Of an object's programs those that one attach back end needs. */
#ifndef MEMWATCH_PROBE_PROGRAMS_H
#define MEMWATCH_PROBE_PROGRAMS_H

#include "probe/object.h"

struct bpf_program;

/* An object's programs, by enum probe_program. */
struct probe_program_table {
	struct bpf_program *program[PROBE_PROGRAMS_COUNT];
};

/* Before the load. Verifying takes time: those of other back ends (NULL: of all) are left out. */
void probe_programs_configure(const struct probe_program_table *table,
			      const struct probe_backend *backend);
/* After the load. */
void probe_programs_note(const struct probe_program_table *table, struct probe_programs *programs);

#endif
