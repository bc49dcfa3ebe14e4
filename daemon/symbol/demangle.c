/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * libiberty keeps about 72 bytes of stack for every byte of input and bounds its own recursion;
 * what it prints can be exponential in the input, because substitutions may name substitutions. Its
 * callback interface prints as it goes and keeps nothing on the heap, so that it can be left by a
 * jump when the output has become absurd.
 */
#define DEMANGLE_INPUT_MAX_BYTES  4096
#define DEMANGLE_OUTPUT_MAX_BYTES 8192

struct demangle_output {
	jmp_buf too_long;
	size_t length;
	char text[DEMANGLE_OUTPUT_MAX_BYTES];
};

static void output_append(const char *text, size_t length, void *opaque)
{
	struct demangle_output *output = opaque;

	if (length >= sizeof(output->text) - output->length)
		longjmp(output->too_long, 1);
	memcpy(output->text + output->length, text, length);
	output->length += length;
}

/* In Rust's legacy scheme a name is a C++ name that ends in a hash: Rust has to be asked first. */
static bool demangle_to(struct demangle_output *output, const char *mangled)
{
	const int options = DMGL_PARAMS | DMGL_ANSI;

	output->length = 0;
	if (rust_demangle_callback(mangled, options, output_append, output))
		return true;
	output->length = 0;
	return cplus_demangle_v3_callback(mangled, options, output_append, output);
}

static bool is_mangled(const char *name)
{
	return !strncmp(name, "_Z", 2) || !strncmp(name, "_R", 2) || !strncmp(name, "_GLOBAL_", 8);
}

char *symbol_demangle(const char *mangled)
{
	struct demangle_output *output;
	char *name = NULL;

	if (!is_mangled(mangled) ||
	    strnlen(mangled, DEMANGLE_INPUT_MAX_BYTES + 1) > DEMANGLE_INPUT_MAX_BYTES)
		return strdup(mangled);
	output = malloc(sizeof(*output));
	if (!output)
		return NULL;
	if (!setjmp(output->too_long) && demangle_to(output, mangled))
		name = strndup(output->text, output->length);
	else
		name = strdup(mangled);
	free(output);
	return name;
}
