/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes machine code that calls malloc, and runs it: the caller is a function that is in no file.
 * Code is thrown away and other code written in its place.
 */
#include "program.h"

#include <fcntl.h>
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

/* Says in the map of compiled code what that code is. */
static void write_map(const char *name)
{
	char path[64];
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, "w");
	program_require(map != NULL, "a map of compiled code");
	fprintf(map, "%lx %x %s\n", (unsigned long)(uintptr_t)code_area, CODE_BYTES, name);
	program_require(!fclose(map), "its map to be written");
}

/* Keeps what compiled code allocates. */
static void run_named(long blocks)
{
	compiled_function function = compile(0);

	write_map("compiled::allocate(int) [tier 2]");
	for (long i = 0; i < blocks; i++)
		block_new(&jit_code_site, function(90), 90);
}

/* ---- A jitdump */

static int dump = -1;

static uint64_t pair(size_t low, uint32_t high)
{
	return (uint64_t)high << 32 | (uint32_t)low;
}

static void append(const void *bytes, size_t count)
{
	program_require(write(dump, bytes, count) == (ssize_t)count, "a jitdump that grows");
}

/* Opens the file of this process and maps it as code, as runtimes do at their start. */
static void open_dump(long unused)
{
	const uint64_t header[] = {pair(0x4a695444, 1), pair(40, 62), pair(0, (uint32_t)getpid()),
				   0, 0};
	char path[64];

	(void)unused;
	snprintf(path, sizeof(path), "/tmp/jit-%d.dump", (int)getpid());
	dump = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	program_require(dump >= 0, "a jitdump");
	append(header, sizeof(header));
	program_require(mmap(NULL, CODE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, dump, 0) !=
				MAP_FAILED,
			"a jitdump that is mapped");
}

/* Lines 41 and 42 are before and from the call on, which lies behind a push and two moves. */
static void append_code(const char *name, const char *file)
{
	const uint64_t address = (uint64_t)(uintptr_t)code_area;
	const uint64_t call = address + 14, entries = 2;
	const size_t name_bytes = strlen(name) + 1, file_bytes = strlen(file) + 1;
	const uint64_t lines[] = {pair(2, (uint32_t)(32 + 16 + file_bytes + 16 + 2)),
				  0,
				  address,
				  entries,
				  address,
				  pair(41, 0)};
	const uint64_t call_line[] = {call, pair(42, 0)};
	const uint64_t load[] = {pair(0, (uint32_t)(56 + name_bytes + CODE_BYTES)),
				 0,
				 pair((size_t)getpid(), (uint32_t)getpid()),
				 address,
				 address,
				 CODE_BYTES,
				 1};

	append(lines, sizeof(lines));
	append(file, file_bytes);
	append(call_line, sizeof(call_line));
	append("\xff", 2);
	append(load, sizeof(load));
	append(name, name_bytes);
	append(code_area, CODE_BYTES);
}

/* Keeps what compiled code allocates; the map of compiled code says less of it than the dump. */
static void run_dumped(long blocks)
{
	compiled_function function = compile(0);

	append_code("dumped::allocate(int) [tier 3]", "compiled.script");
	write_map("mapped::allocate(int)");
	for (long i = 0; i < blocks; i++)
		block_new(&jit_code_site, function(90), 90);
}

int main(void)
{
	static const struct command commands[] = {
		{"run", run_compiled},
		{"run_named", run_named},
		{"open_dump", open_dump},
		{"run_dumped", run_dumped},
		{NULL, NULL},
	};

	return program_serve(commands);
}
