/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/programs.h"

#include "probe/uprobe_link.h"

#include <bpf/libbpf.h>

/* What the kernel wants to know of a program when it loads it; 0: nothing. */
static uint32_t attach_type_of(enum probe_program which, const struct probe_backend *backend)
{
	if (which == PROBE_PROGRAM_SESSION)
		return UPROBE_LINK_SESSION;
	return backend == &probe_backend_perf ? 0 : UPROBE_LINK_MULTI;
}

void probe_programs_configure(const struct probe_program_table *table,
			      const struct probe_backend *backend)
{
	for (unsigned which = 0; which < PROBE_PROGRAMS_COUNT; which++) {
		bool is_used = backend && backend->programs & 1U << which;
		uint32_t attach_type = is_used ? attach_type_of(which, backend) : 0;

		bpf_program__set_autoload(table->program[which], is_used);
		bpf_program__set_expected_attach_type(table->program[which],
						      (enum bpf_attach_type)attach_type);
	}
}

void probe_programs_note(const struct probe_program_table *table, struct probe_programs *programs)
{
	for (unsigned which = 0; which < PROBE_PROGRAMS_COUNT; which++) {
		int fd = bpf_program__fd(table->program[which]);

		programs->fd[which] = fd < 0 ? -1 : fd;
	}
}
