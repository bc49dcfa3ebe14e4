/* SPDX-License-Identifier: Apache-2.0 */
#include "stack.h"

#include "json.h"
#include "number.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STACK_INDENT 6
#define STACK_GAP    2
/* Longer names of functions push their own line's location to the right, and no other's. */
#define STACK_NAME_COLUMN_MAX 40
/* Of a deep stack, its innermost frames say what was allocated and its outermost who wanted it. */
#define STACK_FRAMES_INNER 20
#define STACK_FRAMES_OUTER 4

struct stack_line {
	char *name;     /* escaped */
	char *location; /* escaped; "" when the name says it all */
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

static struct stack_line stack_line_of(const cJSON *frame)
{
	const char *function = json_string(frame, "function");
	const char *file = json_string(frame, "file");
	double line = json_number(frame, "line");
	char *where;
	struct stack_line result;

	if (file && line > 0)
		where = text_format("%s:%.0f", file, line);
	else if (file)
		where = text_format("%s", file);
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
static void stack_print_line(const struct render *render, const struct stack_line *line,
			     size_t name_column)
{
	size_t room = render->width - STACK_INDENT - STACK_GAP;
	size_t name_width = text_width(line->name);
	/* One that is short leaves its room to the other. */
	size_t location_room = name_width < room / 2 ? room - name_width : room / 2;
	char *location = text_cut_start(line->location, location_room);
	char *name = text_cut_end(line->name, room - text_width(location));

	name_width = text_width(name);
	fprintf(render->stream, "%*s", STACK_INDENT, "");
	render_text(render, RENDER_PLAIN, "%s", name);
	if (location[0]) {
		int padding = name_width < name_column ? (int)(name_column - name_width) : 0;

		fprintf(render->stream, "%*s", padding + STACK_GAP, "");
		render_text(render, RENDER_DIM, "%s", location);
	}
	render_end_line(render);
	free(location);
	free(name);
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

static size_t stack_name_column(const struct render *render, const struct stack_line *lines,
				size_t count)
{
	size_t column = 0;
	size_t limit = (render->width - STACK_INDENT - STACK_GAP) / 2;

	if (limit > STACK_NAME_COLUMN_MAX)
		limit = STACK_NAME_COLUMN_MAX;
	for (size_t i = 0; i < count; i++) {
		size_t width = text_width(lines[i].name);

		if (lines[i].location[0] && width <= limit && width > column)
			column = width;
	}
	return column;
}

void stack_show(const struct render *render, const cJSON *site)
{
	const cJSON *stack = json_child(site, "stack");
	struct stack_line lines[STACK_FRAMES_INNER + STACK_FRAMES_OUTER];
	size_t total = (size_t)cJSON_GetArraySize(stack);
	size_t left_out = 0;
	size_t index = 0, count = 0, column;
	const cJSON *frame;

	if (total > STACK_FRAMES_INNER + STACK_FRAMES_OUTER)
		left_out = total - STACK_FRAMES_INNER - STACK_FRAMES_OUTER;
	cJSON_ArrayForEach(frame, stack)
	{
		if (index < STACK_FRAMES_INNER || index >= STACK_FRAMES_INNER + left_out)
			lines[count++] = stack_line_of(frame);
		index++;
	}
	column = stack_name_column(render, lines, count);
	for (size_t i = 0; i < count; i++) {
		if (i == STACK_FRAMES_INNER && left_out > 0)
			render_paragraph(render, RENDER_DIM, STACK_INDENT,
					 "%s %zu more frames, which --json shows", text_ellipsis(),
					 left_out);
		stack_print_line(render, &lines[i], column);
		free(lines[i].name);
		free(lines[i].location);
	}
	stack_show_end(render, json_string(site, "stack_end"));
}

void stack_complain_pending(const cJSON *answer)
{
	double pending = json_number(answer, "pending_frames");

	if (pending > 0)
		render_complain("the names of %s frames are still being looked up: ask again for "
				"all of them",
				number_count(pending).text);
}
