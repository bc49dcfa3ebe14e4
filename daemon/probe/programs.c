/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/programs.h"

#include "probe/uprobe_link.h"

#include <bpf/libbpf.h>

void probe_programs_configure(const struct probe_program_table *table,
			      const struct probe_backend *backend)
{
	for (unsigned which = 0; which < PROBE_PROGRAMS_COUNT; which++) {
		bool is_used = backend && backend->programs & 1U << which;
		uint32_t attach_type = is_used ? backend->expected_attach_type : 0;

		if (which == PROBE_PROGRAM_SWEEP)
			attach_type = UPROBE_LINK_MULTI;
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
