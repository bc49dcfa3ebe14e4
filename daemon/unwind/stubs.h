/* SPDX-License-Identifier: Apache-2.0 */
/* The stubs of a file's procedure linkage table, where its call frame information has no word of
 * it. */
#ifndef MEMWATCH_UNWIND_STUBS_H
#define MEMWATCH_UNWIND_STUBS_H

#include "unwind/elf_cfi.h"
#include "unwind/rule_set.h"
#include "unwind/span_list.h"

/*
 * Adds those that lie before or behind all other spans of their segment, where linkers put them.
 * The spans are in order, before and afterwards. Returns 0 or -ENOMEM.
 */
int stubs_add(const struct elf_cfi *cfi, struct span_list *spans, struct rule_set *rules);

#endif
