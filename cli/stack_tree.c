/* SPDX-License-Identifier: Apache-2.0 */
#include "stack_tree.h"

#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const stack_value_names[] = {"outstanding", "allocated", "objects", NULL};

const char *stack_value_title(enum stack_value value)
{
	static const char *const titles[] = {"outstanding bytes", "allocated bytes",
					     "outstanding objects"};

	return titles[value];
}

enum stack_value stack_value_find(const char *name)
{
	int value = 0;

	while (stack_value_names[value + 1] && strcmp(stack_value_names[value], name) != 0)
		value++;
	return (enum stack_value)value;
}

double stack_value_of(const cJSON *site, enum stack_value value)
{
	static const char *const fields[] = {"outstanding_bytes", "allocated_bytes",
					     "outstanding_objects"};
	double number = json_number(site, fields[value]);

	return number > 0 ? number : 0;
}

bool stack_frame_is_python(const cJSON *frame)
{
	return strcmp(json_string_or(frame, "kind", "native"), "python") == 0;
}

const char *stack_frame_function(const cJSON *frame)
{
	return json_string_or(frame, "qualified_name", json_string(frame, "function"));
}

static char *python_frame_name(const cJSON *frame)
{
	const char *function = stack_frame_function(frame);
	const char *file = json_string_or(frame, "file", "?");

	if (!function)
		function = "?";
	if (!json_has_number(frame, "line"))
		return text_format("%s (%s)", function, file);
	return text_format("%s (%s:%.0f)", function, file, json_number(frame, "line"));
}

char *stack_frame_name(const cJSON *frame)
{
	const char *function = json_string(frame, "function");
	const char *module = json_string(frame, "module");
	double offset = json_number(frame, "offset");
	/* Beyond 2^64 the conversion would be undefined. */
	uint64_t whole = offset > 0 && offset < 0x1p64 ? (uint64_t)offset : 0;
	const char *slash = module ? strrchr(module, '/') : NULL;

	if (stack_frame_is_python(frame))
		return python_frame_name(frame);
	if (function)
		return text_format("%s", function);
	if (!module)
		return text_format("0x%" PRIx64, whole);
	return text_format("%s+0x%" PRIx64, slash && slash[1] ? slash + 1 : module, whole);
}

char *stack_beginning_name(const cJSON *site)
{
	const char *end = json_string_or(site, "stack_end", "root");

	/* What is whole begins where the thread did, however it was found. */
	if (strcmp(end, "root") == 0 || strcmp(end, "guessed_root") == 0)
		return NULL;
	return text_format("[%s]", end);
}

/* ---- The tree ---- */

static struct stack_node *node_new(char *name, const cJSON *frame)
{
	struct stack_node *node = calloc(1, sizeof(*node));

	if (!node)
		text_fail_out_of_memory();
	node->name = name;
	node->frame = frame;
	return node;
}

/* The child of that name, made if need be. Takes the name. */
static struct stack_node *node_child(struct stack_node *node, char *name, const cJSON *frame)
{
	struct stack_node **grown;

	for (size_t i = 0; i < node->child_count; i++) {
		if (strcmp(node->children[i]->name, name) == 0) {
			free(name);
			return node->children[i];
		}
	}
	grown = reallocarray(node->children, node->child_count + 1, sizeof(struct stack_node *));
	if (!grown)
		text_fail_out_of_memory();
	node->children = grown;
	grown[node->child_count++] = node_new(name, frame);
	return grown[node->child_count - 1];
}

static void add_site(struct stack_node *root, const cJSON *site, double value)
{
	const cJSON *stack = json_child(site, "stack");
	char *beginning = stack_beginning_name(site);
	struct stack_node *node = root;
	const cJSON *frame = stack ? stack->child : NULL;

	root->value += value;
	if (beginning) {
		node = node_child(node, beginning, NULL);
		node->value += value;
	}
	/* Outermost first; the first element's prev is the last one. */
	for (frame = frame ? frame->prev : NULL; frame;
	     frame = frame == stack->child ? NULL : frame->prev) {
		node = node_child(node, stack_frame_name(frame), frame);
		node->value += value;
	}
}

static int compare_nodes(const void *a, const void *b)
{
	const struct stack_node *left = *(struct stack_node *const *)a;
	const struct stack_node *right = *(struct stack_node *const *)b;

	if (left->value != right->value)
		return left->value < right->value ? 1 : -1;
	return strcmp(left->name, right->name);
}

/* Depth is bounded by that of the stacks, which the daemon bounds, and the answer's parser. */
static void sort_children(struct stack_node *node)
{
	if (node->child_count)
		qsort(node->children, node->child_count, sizeof(struct stack_node *),
		      compare_nodes);
	for (size_t i = 0; i < node->child_count; i++)
		sort_children(node->children[i]);
}

struct stack_node *stack_tree_new(const cJSON *answer, const char *name, enum stack_value value)
{
	struct stack_node *root = node_new(text_format("%s", name), NULL);
	const cJSON *site;

	cJSON_ArrayForEach(site, json_child(answer, "sites"))
	{
		double share = stack_value_of(site, value);

		if (share > 0)
			add_site(root, site, share);
	}
	sort_children(root);
	return root;
}

void stack_tree_free(struct stack_node *root)
{
	for (size_t i = 0; i < root->child_count; i++)
		stack_tree_free(root->children[i]);
	free(root->children);
	free(root->name);
	free(root);
}
