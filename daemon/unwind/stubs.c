/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/stubs.h"

#include "unwind/machine.h"

/* Room for 65,536 stubs; the largest programs have some thousands. */
#define SEARCHED_BYTES_MAX (1ULL << 20)

static int add_stub(uint64_t address, const struct machine_stub *stub, struct span_list *spans,
		    struct rule_set *rules)
{
	int error = span_list_begin(spans, address, address + stub->bytes);

	for (size_t i = 0; i < stub->row_count && !error; i++)
		error = span_list_add_row(spans, address + stub->rows[i].offset,
					  rule_set_add(rules, &stub->rows[i].rule));
	return error;
}

/* All that lie in [start, end), which is code that no span speaks of. */
static int add_between(const struct elf_cfi *cfi, uint64_t start, uint64_t end,
		       struct span_list *spans, struct rule_set *rules)
{
	uint64_t skipped = -start & (MACHINE_STUB_ALIGNMENT - 1);
	struct cfi_section code;
	struct machine_stub stub;
	int error = 0;

	if (start >= end || end - start <= skipped)
		return 0;
	start += skipped;
	code = elf_cfi_read(cfi, start,
			    end - start < SEARCHED_BYTES_MAX ? end - start : SEARCHED_BYTES_MAX);
	for (size_t at = 0; at < code.size && !error; at += stub.bytes)
		if (machine_stub(code.bytes + at, code.size - at, &stub))
			error = add_stub(start + at, &stub, spans, rules);
		else
			stub.bytes = MACHINE_STUB_ALIGNMENT;
	return error;
}

/* Of a segment, what lies before its first span and behind its last one; all of it without any. */
static int add_around(const struct elf_cfi *cfi, const struct elf_cfi_segment *segment,
		      size_t count, struct span_list *spans, struct rule_set *rules)
{
	uint64_t behind = segment->start;
	int error;

	for (size_t i = 0; i < count; i++) {
		struct span span = spans->spans[i];

		if (span.end <= segment->start || span.start >= segment->end)
			continue;
		if (behind == segment->start) {
			error = add_between(cfi, segment->start, span.start, spans, rules);
			if (error)
				return error;
		}
		behind = span.end;
	}
	return add_between(cfi, behind, segment->end, spans, rules);
}

int stubs_add(const struct elf_cfi *cfi, struct span_list *spans, struct rule_set *rules)
{
	size_t count = spans->count;
	int error = 0;

	for (size_t i = 0; i < cfi->segment_count && !error; i++)
		error = add_around(cfi, &cfi->segments[i], count, spans, rules);
	span_list_sort(spans);
	return error;
}
