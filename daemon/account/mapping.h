/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process's outstanding mappings: disjoint address ranges, each with the site and generation it
 * was born at. It knows what mmap over an existing range, a partial munmap and a moving mremap
 * mean.
 *
 * Owned by one account, used under its lock.
 */
#ifndef MEMWATCH_ACCOUNT_MAPPING_H
#define MEMWATCH_ACCOUNT_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping_table;

/*
 * Called for each change of what is outstanding: bytes > 0 came into being, bytes < 0 went.
 * objects is +1 or -1 when a whole mapping came or its last piece went, else 0. Both go to the
 * generation to which they came: where the last piece was born later than its mapping (mremap), its
 * bytes and the object are reported one after the other, the object with 0 bytes.
 */
typedef void (*mapping_change_fn)(void *context, uint32_t site, uint32_t generation, int64_t bytes,
				  int objects);

/* ranges_max bounds the table; past it new mappings are refused, and where a hole makes two ranges
 * of one, the upper one is reported as gone: -ENOSPC says that something was lost, to be counted.
 */
struct mapping_table *mapping_table_new(size_t ranges_max, mapping_change_fn on_change,
					void *context);
void mapping_table_free(struct mapping_table *table);

/* Lengths are rounded up to whole 4096-byte pages, as the kernel does. All return 0 or -errno:
 * -EINVAL (empty, wrapping or not on a page), -ENOSPC (table full), -ENOMEM. */

/* mmap returned address: whatever was there before is gone (MAP_FIXED), the range is site's. */
int mapping_table_map(struct mapping_table *table, uint64_t address, uint64_t length_bytes,
		      uint32_t site, uint32_t generation);
/* munmap: takes away every covered piece, splitting ranges; unknown parts are ignored. */
int mapping_table_unmap(struct mapping_table *table, uint64_t address, uint64_t length_bytes);
/*
 * mremap from old to address: what was known of the old range moves with its site and generation;
 * a growing part is born now, at the old range's site (site is used when nothing was known of it:
 * then nothing is added, since the old mapping is from before we watched; returns 0).
 * keeps_old: MREMAP_DONTUNMAP; what stays at the old place is a new mapping of site. An old length
 * of 0 makes a second mapping of shared memory, of site.
 */
int mapping_table_remap(struct mapping_table *table, uint64_t old_address,
			uint64_t old_length_bytes, uint64_t address, uint64_t length_bytes,
			bool keeps_old, uint32_t site, uint32_t generation);
/*
 * After lost events: keeps only what lies inside the given ranges (sorted by start, disjoint:
 * the process's real mappings), reporting the rest as gone.
 */
struct mapping_range {
	uint64_t start;
	uint64_t end;
};
void mapping_table_intersect(struct mapping_table *table, const struct mapping_range *ranges,
			     size_t range_count);

/* Ranges, of which a mapping with holes has several. */
size_t mapping_table_count(const struct mapping_table *table);
uint64_t mapping_table_bytes(const struct mapping_table *table);

#endif
