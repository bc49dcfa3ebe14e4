/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes machine code that calls malloc, and runs it: the caller is a function that is in no file.
 * Code is thrown away and other code written in its place.
 */
#include "program.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CODE_BYTES 4096

SITE(jit_code);

typedef void *(*compiled_function)(size_t bytes);

static void *code_area;

static size_t emit(uint8_t *code, size_t at, const void *bytes, size_t count)
{
	memcpy(code + at, bytes, count);
	return at + count;
}

/* padding: so many bytes of nop first, so that each generation of code returns elsewhere. */
static compiled_function compile(size_t padding)
{
	/* push %rbp; mov %rsp,%rbp; mov $malloc,%rax; call *%rax; pop %rbp; ret */
	static const uint8_t prologue[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8};
	static const uint8_t call_and_return[] = {0xff, 0xd0, 0x5d, 0xc3};
	void *(*callee)(size_t) = malloc;
	uint8_t *code;
	size_t at;

	if (code_area)
		munmap(code_area, CODE_BYTES);
	code = mmap(code_area, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	program_require(code != MAP_FAILED, "memory for code");
	code_area = code;
	memset(code, 0x90, padding);
	at = emit(code, padding, prologue, sizeof(prologue));
	at = emit(code, at, &callee, sizeof(callee));
	emit(code, at, call_and_return, sizeof(call_and_return));
	program_require(!mprotect(code, CODE_BYTES, PROT_READ | PROT_EXEC), "code may run");
	return (compiled_function)(uintptr_t)code;
}

static void run_compiled(long generations)
{
	size_t generation, i;

	for (generation = 0; generation < (size_t)generations; generation++) {
		compiled_function function = compile(generation % 512);

		for (i = 0; i < 10; i++) {
			struct block block = block_new(&jit_code_site, function(90), 90);

			if (i % 2)
				block_free(&block);
		}
	}
}

/* Keeps what compiled code allocates, and says in the map of compiled code what that code is. */
static void run_named(long blocks)
{
	compiled_function function = compile(0);
	char path[64];
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, "w");
	program_require(map != NULL, "a map of compiled code");
	fprintf(map, "%lx %x compiled::allocate(int) [tier 2]\n",
		(unsigned long)(uintptr_t)code_area, CODE_BYTES);
	program_require(!fclose(map), "its map to be written");
	for (long i = 0; i < blocks; i++)
		block_new(&jit_code_site, function(90), 90);
}

int main(void)
{
	static const struct command commands[] = {
		{"run", run_compiled},
		{"run_named", run_named},
		{NULL, NULL},
	};

	return program_serve(commands);
}
