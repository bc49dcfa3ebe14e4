/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: columns as wide as what is in them, and one that gives way when the terminal is narrow.
 */
#ifndef MEMWATCH_CLI_TABLE_H
#define MEMWATCH_CLI_TABLE_H

#include "render.h"

struct table_column {
	const char *title;
	bool is_right_aligned; /* numbers */
	bool gives_way;        /* cut at its end when the table is too wide */
};

struct table;

/* The columns are borrowed. */
struct table *table_new(const struct table_column *columns, size_t column_count);
/* The next cell, row by row; any text, it is escaped. */
void table_add(struct table *table, enum render_style style, const char *text);
/* Prints and frees. */
void table_finish(struct table *table, const struct render *render);

#endif
