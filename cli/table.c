/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_GAP "  "
/* A column that gives way still shows so much: a process name. */
#define TABLE_COLUMN_MIN 12

struct table_cell {
	char *text; /* escaped */
	enum render_style style;
};

struct table {
	const struct table_column *columns;
	size_t column_count;
	struct table_cell *cells;
	size_t cell_count;
	size_t cell_capacity;
};

struct table *table_new(const struct table_column *columns, size_t column_count)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		text_fail_out_of_memory();
	table->columns = columns;
	table->column_count = column_count;
	for (size_t i = 0; i < column_count; i++)
		table_add(table, RENDER_BOLD, columns[i].title);
	return table;
}

void table_add(struct table *table, enum render_style style, const char *text)
{
	if (table->cell_count == table->cell_capacity) {
		table->cell_capacity = 2 * table->cell_capacity + table->column_count;
		table->cells =
			reallocarray(table->cells, table->cell_capacity, sizeof(*table->cells));
		if (!table->cells)
			text_fail_out_of_memory();
	}
	table->cells[table->cell_count++] =
		(struct table_cell){.text = text_escape(text), .style = style};
}

/* Width of each column, so that the table fits if it can. */
static size_t *table_measure(const struct table *table, size_t width)
{
	size_t *widths = calloc(table->column_count, sizeof(*widths));
	size_t total = strlen(TABLE_GAP) * (table->column_count - 1);

	if (!widths)
		text_fail_out_of_memory();
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t *column = &widths[i % table->column_count];
		size_t cell = text_width(table->cells[i].text);

		if (cell > *column)
			*column = cell;
	}
	for (size_t i = 0; i < table->column_count; i++)
		total += widths[i];
	for (size_t i = table->column_count; i-- > 0 && total > width;) {
		size_t spare;

		if (!table->columns[i].gives_way || widths[i] <= TABLE_COLUMN_MIN)
			continue;
		spare = widths[i] - TABLE_COLUMN_MIN;
		if (spare > total - width)
			spare = total - width;
		widths[i] -= spare;
		total -= spare;
	}
	return widths;
}

static void table_print_cell(const struct table *table, const struct render *render, size_t index,
			     size_t width)
{
	const struct table_cell *cell = &table->cells[index];
	size_t column = index % table->column_count;
	char *text = text_cut_end(cell->text, width);
	int padding = (int)(width - text_width(text));
	bool is_last = column + 1 == table->column_count;

	if (table->columns[column].is_right_aligned)
		fprintf(render->stream, "%*s", padding, "");
	render_text(render, cell->style, "%s", text);
	if (is_last) {
		render_end_line(render);
	} else {
		if (!table->columns[column].is_right_aligned)
			fprintf(render->stream, "%*s", padding, "");
		fputs(TABLE_GAP, render->stream);
	}
	free(text);
}

void table_finish(struct table *table, const struct render *render)
{
	size_t *widths = table_measure(table, render->width);

	for (size_t i = 0; i < table->cell_count; i++)
		table_print_cell(table, render, i, widths[i % table->column_count]);
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(widths);
	free(table);
}
