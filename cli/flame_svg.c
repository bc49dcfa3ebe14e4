/* SPDX-License-Identifier: Apache-2.0 */
#include "flame.h"

#include "flame_script.h"
#include "json.h"
#include "number.h"
#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH       1200.0
#define LEFT        10.0
#define ROOM        (WIDTH - 2 * LEFT)
#define HEAD        64.0 /* titles above, details below */
#define FOOT        36.0
#define LEVEL       17.0
#define LETTER      6.6 /* the width of one, of the font below */
#define WIDTH_MIN   0.1 /* narrower frames are left out, and counted */
#define LETTERS_MIN 3

struct flame {
	FILE *out;
	enum stack_value value;
	double total;
	unsigned levels; /* that have frames wide enough */
	unsigned id;
	size_t left_out;
};

/* Into text or an attribute. What XML can't hold, or a reader can't see, is shown as text does. */
static void write_escaped(FILE *out, const char *hostile)
{
	char *safe = text_escape(hostile);

	for (const char *at = safe; *at; at++) {
		switch (*at) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*at, out);
		}
	}
	free(safe);
}

static struct number_text amount(const struct flame *flame, double value)
{
	return flame->value == STACK_VALUE_OBJECTS ? number_count(value) : number_bytes(value);
}

static bool is_wide_enough(const struct flame *flame, const struct stack_node *node)
{
	return flame->total > 0 && node->value / flame->total * ROOM >= WIDTH_MIN;
}

static void measure(struct flame *flame, const struct stack_node *node, unsigned level)
{
	if (!is_wide_enough(flame, node)) {
		flame->left_out++;
		return;
	}
	if (level + 1 > flame->levels)
		flame->levels = level + 1;
	for (size_t i = 0; i < node->child_count; i++)
		measure(flame, node->children[i], level + 1);
}

/* Warm colours, as flames have; one module has one hue, so that borders between them are seen. */
static void write_colour(FILE *out, const struct stack_node *node)
{
	const char *module = node->frame ? json_string(node->frame, "module") : NULL;
	uint32_t hash = 2166136261U;

	if (!node->frame) {
		fputs("#d0d0d0", out);
		return;
	}
	for (const char *at = module ? module : ""; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619U;
	hash ^= hash >> 16;
	fprintf(out, "hsl(%u,%u%%,%u%%)", hash % 60, 65 + hash / 60 % 25, 62 + hash / 1500 % 10);
}

static void write_title(const struct flame *flame, const struct stack_node *node)
{
	const char *module = node->frame ? json_string(node->frame, "module") : NULL;
	const char *file = node->frame ? json_string(node->frame, "file") : NULL;

	fputs("<title>", flame->out);
	write_escaped(flame->out, node->name);
	if (file) {
		fputs(", ", flame->out);
		write_escaped(flame->out, file);
		fprintf(flame->out, ":%.0f", json_number(node->frame, "line"));
	}
	if (module) {
		fputs(" in ", flame->out);
		write_escaped(flame->out, module);
	}
	fprintf(flame->out, ": %s, %.2f%%</title>", amount(flame, node->value).text,
		100 * node->value / flame->total);
}

/* As much of the name as fits; the script does the same when it zooms. */
static void write_label(const struct flame *flame, const char *name, double width)
{
	double letters = (width - 6) / LETTER;
	char *safe, *cut;

	if (letters < LETTERS_MIN)
		return;
	safe = text_escape(name);
	cut = text_cut_end(safe, (size_t)letters);
	write_escaped(flame->out, cut);
	free(cut);
	free(safe);
}

static void write_node(struct flame *flame, const struct stack_node *node, unsigned level,
		       double start)
{
	double share = node->value / flame->total;
	double y = HEAD + (flame->levels - 1 - level) * LEVEL;

	if (!is_wide_enough(flame, node))
		return;
	fprintf(flame->out,
		"<g class=\"frame\" id=\"frame%u\" data-start=\"%.9f\" data-width=\"%.9f\" "
		"data-level=\"%u\" data-name=\"",
		flame->id++, start, share, level);
	write_escaped(flame->out, node->name);
	fputs("\">", flame->out);
	write_title(flame, node);
	fprintf(flame->out,
		"<rect x=\"%.3f\" y=\"%.1f\" width=\"%.3f\" height=\"%.1f\" rx=\"2\" fill=\"",
		LEFT + start * ROOM, y, share * ROOM, LEVEL - 1);
	write_colour(flame->out, node);
	fprintf(flame->out, "\"/><text x=\"%.3f\" y=\"%.1f\">", LEFT + start * ROOM + 3, y + 12);
	write_label(flame, node->name, share * ROOM);
	fputs("</text></g>\n", flame->out);
	for (size_t i = 0; i < node->child_count; i++) {
		write_node(flame, node->children[i], level + 1, start);
		start += node->children[i]->value / flame->total;
	}
}

/* What the numbers are, and how well they are known. */
static void write_account(const struct flame *flame, const cJSON *answer)
{
	double interval = json_number(answer, "sampling_interval_bytes");
	const char *reason = json_string(answer, "incomplete_reason");

	fprintf(flame->out, "%s of %s", amount(flame, flame->total).text,
		stack_value_title(flame->value));
	if (interval > 1)
		fprintf(flame->out, ", estimated from one sample every %s",
			number_bytes(interval).text);
	else if (interval > 0)
		fputs(", every allocation counted", flame->out);
	else
		fputs(", from samples of its own", flame->out);
	fprintf(flame->out, ", observed for %s",
		number_seconds(json_number(answer, "observed_seconds")).text);
	if (flame->left_out)
		fprintf(flame->out, "; %zu frames too narrow to be drawn", flame->left_out);
	if (reason) {
		fputs("; incomplete: ", flame->out);
		write_escaped(flame->out, reason);
	}
}

static void write_heading(const struct flame *flame, const cJSON *answer, const char *process)
{
	fputs("<text class=\"heading\" x=\"10\" y=\"20\">", flame->out);
	write_escaped(flame->out, process);
	fputs("</text>\n<text class=\"account\" x=\"10\" y=\"38\">", flame->out);
	write_account(flame, answer);
	fputs("</text>\n<text id=\"search\" class=\"button\" x=\"1190\" y=\"20\">Search</text>\n"
	      "<text id=\"reset\" class=\"button hidden\" x=\"1130\" y=\"20\">Reset zoom</text>\n",
	      flame->out);
	fputs("<text id=\"matched\" class=\"right\" x=\"1190\" y=\"54\"></text>\n", flame->out);
}

static void write_picture(struct flame *flame, const cJSON *answer, const char *process,
			  const struct stack_node *root)
{
	double height = HEAD + flame->levels * LEVEL + FOOT;

	fprintf(flame->out,
		"<svg id=\"memwatch-flame\" xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
		"height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" data-left=\"%.0f\" data-room=\"%.0f\" "
		"data-letter=\"%.1f\">\n",
		WIDTH, height, WIDTH, height, LEFT, ROOM, LETTER);
	fputs("<style>\n"
	      "text { font: 11px monospace; fill: #202020; }\n"
	      ".heading { font: bold 15px sans-serif; } .account, .button, .right { font: 12px "
	      "sans-serif; }\n"
	      ".button, .right { text-anchor: end; } .button { cursor: pointer; fill: #0050a0; }\n"
	      ".hidden { visibility: hidden; } .frame { cursor: pointer; } .frame text { "
	      "pointer-events: none; }\n"
	      ".frame:hover rect { stroke: #202020; } .caller { opacity: 0.55; } .match rect { "
	      "fill: #b060e0; }\n"
	      "</style>\n",
	      flame->out);
	fprintf(flame->out, "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fcfaf6\"/>\n", WIDTH,
		height);
	write_heading(flame, answer, process);
	if (flame->levels)
		write_node(flame, root, 0, 0);
	else
		fprintf(flame->out,
			"<text x=\"10\" y=\"%.0f\">It holds nothing that was seen.</text>\n",
			HEAD + 12);
	fprintf(flame->out, "<text id=\"details\" x=\"10\" y=\"%.0f\"></text>\n", height - 12);
	fprintf(flame->out, "<script><![CDATA[\n%s]]></script>\n</svg>\n", flame_script);
}

void flame_write(FILE *out, const cJSON *answer, enum stack_value value, bool is_page)
{
	const char *comm = json_string_or(answer, "comm", "?");
	char *process = text_format("%s (pid %.0f)", comm, json_number(answer, "pid"));
	struct stack_node *root = stack_tree_new(answer, comm, value);
	struct flame flame = {.out = out, .value = value, .total = root->value};

	if (root->value > 0)
		measure(&flame, root, 0);
	if (is_page) {
		fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta "
		      "charset=\"utf-8\">\n<title>",
		      out);
		write_escaped(out, process);
		fputs("</title>\n</head>\n<body>\n", out);
	} else {
		fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
	}
	write_picture(&flame, answer, process, root);
	if (is_page)
		fputs("</body>\n</html>\n", out);
	stack_tree_free(root);
	free(process);
}
