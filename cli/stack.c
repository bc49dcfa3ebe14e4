/* SPDX-License-Identifier: Apache-2.0 */
#include "stack.h"

#include "json.h"
#include "number.h"
#include "stack_tree.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STACK_INDENT 6
#define STACK_GAP    2
/* Longer names of functions push their own line's location to the right, and no other's. */
#define STACK_NAME_COLUMN_MAX 40
/* What a line that leads to another site has for the frame at least, in columns. */
#define STACK_ROOM_MIN 20

struct stack_line {
	enum render_style style; /* of the name */
	char *name;              /* escaped */
	char *location;          /* escaped; "" when the name says it all */
};

static char *stack_module_offset(const cJSON *frame)
{
	const char *module = json_string(frame, "module");
	double offset = json_number(frame, "offset");
	/* Beyond 2^64 the conversion would be undefined. */
	uint64_t whole = offset > 0 && offset < 0x1p64 ? (uint64_t)offset : 0;
	const char *slash;

	if (!module)
		return text_format("0x%" PRIx64 " (in no file)", whole);
	slash = strrchr(module, '/');
	return text_format("%s+0x%" PRIx64, slash && slash[1] ? slash + 1 : module, whole);
}

const cJSON *stack_python_frame(const cJSON *site)
{
	const cJSON *frame;

	cJSON_ArrayForEach(frame, json_child(site, "stack"))
	{
		if (stack_frame_is_python(frame))
			return frame;
	}
	return NULL;
}

void stack_show_python_line(const struct render *render, const cJSON *frame, size_t indent)
{
	const char *function = stack_frame_function(frame);

	render_paragraph(render, RENDER_BOLD, indent,
			 json_has_number(frame, "line") ? "%s (%s:%.0f)" : "%s (%s)",
			 function ? function : "?", json_string_or(frame, "file", "?"),
			 json_number(frame, "line"));
}

static struct stack_line stack_line_of(const cJSON *frame)
{
	bool is_python = stack_frame_is_python(frame);
	const char *function = stack_frame_function(frame);
	const char *file = json_string(frame, "file");
	double line = json_number(frame, "line");
	/* Python's lines are what a Python programmer can change. */
	struct stack_line result = {.style = is_python ? RENDER_BOLD : RENDER_PLAIN};
	char *where;

	if (file && line > 0)
		where = text_format("%s:%.0f", file, line);
	else if (file || is_python)
		where = text_format("%s", file ? file : "?");
	else
		where = stack_module_offset(frame);
	if (json_is_true(frame, "inlined") && function) {
		char *marked = text_format("%s (inlined)", function);

		result.name = text_escape(marked);
		free(marked);
	} else {
		result.name = text_escape(function ? function : where);
	}
	result.location = text_escape(function ? where : "");
	free(where);
	return result;
}

/* The location is what an editor needs: the name is cut first, and the location at its start. */
static struct stack_line stack_line_cut(const struct stack_line *line, size_t room)
{
	size_t name_width = text_width(line->name);
	/* One that is short leaves its room to the other. */
	size_t location_room = name_width < room / 2 ? room - name_width : room / 2;
	struct stack_line cut = {.style = line->style};

	cut.location = text_cut_start(line->location, location_room);
	cut.name = text_cut_end(line->name, room - text_width(cut.location));
	return cut;
}

static void stack_line_free(struct stack_line *line)
{
	free(line->name);
	free(line->location);
}

static void stack_print_line(const struct render *render, const struct stack_line *line,
			     size_t name_column)
{
	struct stack_line cut = stack_line_cut(line, render->width - STACK_INDENT - STACK_GAP);
	size_t name_width = text_width(cut.name);

	fprintf(render->stream, "%*s", STACK_INDENT, "");
	render_text(render, cut.style, "%s", cut.name);
	if (cut.location[0]) {
		int padding = name_width < name_column ? (int)(name_column - name_width) : 0;

		fprintf(render->stream, "%*s", padding + STACK_GAP, "");
		render_text(render, RENDER_DIM, "%s", cut.location);
	}
	render_end_line(render);
	stack_line_free(&cut);
}

/* "… 12 callers as in site 1, from main (app.c:30)" */
static void stack_show_shared(const struct render *render, const struct stack_shared *shared,
			      const cJSON *first)
{
	char *where = text_format("%s %zu callers as in site %zu, from ", text_ellipsis(),
				  shared->frames, shared->site);
	size_t taken = STACK_INDENT + text_width(where) + strlen(" ()");
	size_t room =
		render->width > taken + STACK_ROOM_MIN ? render->width - taken : STACK_ROOM_MIN;
	struct stack_line line = stack_line_of(first);
	struct stack_line cut = stack_line_cut(&line, room);

	render_paragraph(render, RENDER_PLAIN, STACK_INDENT,
			 cut.location[0] ? "%s%s (%s)" : "%s%s%s", where, cut.name, cut.location);
	stack_line_free(&cut);
	stack_line_free(&line);
	free(where);
}

static void stack_show_repeat(const struct render *render, const struct stack_repeat *repeat)
{
	if (repeat->length == 1)
		render_paragraph(render, RENDER_PLAIN, STACK_INDENT, "%s this frame %zu times more",
				 text_ellipsis(), repeat->times);
	else
		render_paragraph(render, RENDER_PLAIN, STACK_INDENT,
				 "%s these %zu frames %zu time%s more", text_ellipsis(),
				 repeat->length, repeat->times, repeat->times == 1 ? "" : "s");
}

/* What is said of a stack that doesn't end where the thread began. */
static const struct stack_ending {
	const char *name;
	const char *text;
} stack_endings[] = {
	{"truncated", "deeper than what is recorded: its outermost callers are missing"},
	{"tables_pending",
	 "taken by frame pointers, before the unwind tables were ready: callers may "
	 "be missing"},
	{"frame_pointer_guess", "a caller was found by the frame pointer alone: others may be "
				"missing"},
	{"guessed_root", "on the way to where the thread began, a caller was found by the frame "
			 "pointer alone"},
	{"unknown_code", "called by code in no file, as JIT compilers make it"},
	{"no_table",
	 "the file of the last one says nothing about its frames: what called it is not "
	 "known"},
	{"unsupported_rule", "what called the last one can't be found in the way its file says"},
	{"unreadable", "the rest of the stack could not be read"},
	{"corrupt", "what lies on the stack there is no frame"},
	{"shortened", "cut here, as the table of sites is nearly full (raise sites_max)"},
	{"lost", "the stack could not be taken"},
};

static void stack_show_end(const struct render *render, const char *stack_end)
{
	if (!stack_end || strcmp(stack_end, "root") == 0)
		return;
	for (size_t i = 0; i < sizeof(stack_endings) / sizeof(stack_endings[0]); i++) {
		if (strcmp(stack_end, stack_endings[i].name) == 0) {
			render_paragraph(render, RENDER_WARNING, STACK_INDENT, "(%s)",
					 stack_endings[i].text);
			return;
		}
	}
	render_paragraph(render, RENDER_WARNING, STACK_INDENT, "(the stack stops here: %s)",
			 stack_end);
}

/* ---- The whole */

/* A line, and what is said behind it of frames that are the same again. */
struct stack_row {
	struct stack_line line;
	struct stack_repeat repeat; /* times is 0 where nothing is */
};

/* To free. count: set to how many they are. */
static const cJSON **stack_frames(const cJSON *stack, size_t *count)
{
	/* One more, for there may be none. */
	const cJSON **frames = calloc((size_t)cJSON_GetArraySize(stack) + 1, sizeof(const cJSON *));
	const cJSON *frame;

	if (!frames)
		text_fail_out_of_memory();
	*count = 0;
	cJSON_ArrayForEach(frame, stack)
	{
		frames[(*count)++] = frame;
	}
	return frames;
}

/* rows: as many as there are frames, at least. How many it takes. */
static size_t stack_fill_rows(struct stack_row *rows, const cJSON *const *frames, size_t count,
			      bool is_folded)
{
	size_t filled = 0;
	size_t index = 0;

	while (index < count) {
		struct stack_repeat repeat = {.length = 1};

		if (is_folded)
			repeat = stack_repeat_at(frames + index, count - index);
		for (size_t i = 0; i < repeat.length; i++)
			rows[filled++] = (struct stack_row){stack_line_of(frames[index + i]), {0}};
		rows[filled - 1].repeat = repeat;
		index += repeat.length * (1 + repeat.times);
	}
	return filled;
}

static size_t stack_name_column(const struct render *render, const struct stack_row *rows,
				size_t count)
{
	size_t column = 0;
	size_t limit = (render->width - STACK_INDENT - STACK_GAP) / 2;

	if (limit > STACK_NAME_COLUMN_MAX)
		limit = STACK_NAME_COLUMN_MAX;
	for (size_t i = 0; i < count; i++) {
		size_t width = text_width(rows[i].line.name);

		if (rows[i].line.location[0] && width <= limit && width > column)
			column = width;
	}
	return column;
}

static void stack_show_frames(const struct render *render, const cJSON *const *frames, size_t count,
			      bool is_folded)
{
	struct stack_row *rows = calloc(count + 1, sizeof(*rows));
	size_t row_count, column;

	if (!rows)
		text_fail_out_of_memory();
	row_count = stack_fill_rows(rows, frames, count, is_folded);
	column = stack_name_column(render, rows, row_count);
	for (size_t i = 0; i < row_count; i++) {
		stack_print_line(render, &rows[i].line, column);
		if (rows[i].repeat.times > 0)
			stack_show_repeat(render, &rows[i].repeat);
		stack_line_free(&rows[i].line);
	}
	free(rows);
}

void stack_show(const struct render *render, const cJSON *site)
{
	size_t count;
	const cJSON **frames = stack_frames(json_child(site, "stack"), &count);

	stack_show_frames(render, frames, count, false);
	stack_show_end(render, json_string(site, "stack_end"));
	free(frames);
}

void stack_show_folded(const struct render *render, const cJSON *site, struct stack_fold *fold,
		       size_t number)
{
	size_t count;
	const cJSON **frames = stack_frames(json_child(site, "stack"), &count);
	struct stack_shared shared = stack_fold_add(fold, site, number);
	size_t own = count - shared.frames;

	stack_show_frames(render, frames, own, true);
	if (shared.frames > 0)
		stack_show_shared(render, &shared, frames[own]);
	stack_show_end(render, json_string(site, "stack_end"));
	free(frames);
}

void stack_complain_pending(const cJSON *answer)
{
	double pending = json_number(answer, "pending_frames");

	if (pending > 0)
		render_complain("the names of %s frames are still being looked up: ask again for "
				"all of them",
				number_count(pending).text);
}
