/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files with call frame information: every table that comes of one stays within its bounds. */
#include "unwind/table.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_page(const struct unwind_table *table, const struct unwind_page *page)
{
	const struct record_unwind_row *rows = &table->rows[page->first_row];

	if (page->first_row + (size_t)page->row_count > table->row_count)
		abort();
	for (uint32_t i = 0; i < page->row_count; i++)
		if (rows[i].rule >= table->rule_count ||
		    (i ? rows[i].low_address <= rows[i - 1].low_address : rows[i].low_address != 0))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unwind_table *table;

	if (unwind_table_build_image((const char *)data, size, &table))
		return 0;
	for (size_t i = 0; i < table->page_count; i++)
		check_page(table, &table->pages[i]);
	for (uint64_t i = 0; i < table->page_count; i++)
		unwind_table_find(table, table->first_address + (i << 16) + (i * 977 & 65535));
	unwind_table_free(table);
	return 0;
}
