/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block from each place that the first call of a library's function leads through: the loader,
 * while it looks for the function, and each instruction of the stub in the procedure linkage table,
 * by stepping through it. At the first line of input it goes all the ways and prints them; at the
 * second it ends. The return addresses are noted as by frames.c.
 */
#include "plt.h"

#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define CALLERS_MAX 32
#define WAYS_MAX    64
#define BLOCK_BYTES 1000 /* of the first way; each next one is a byte larger */
#define TRAP_FLAG   0x100

#ifdef __clang__
#define FRAME __attribute__((noinline, used)) static
#else
#define FRAME __attribute__((noipa, used)) static
#endif

/* The functions that the program is in, by their return addresses, outermost first. */
static void *volatile shadow[CALLERS_MAX];
static volatile size_t depth;

#define ENTER() (shadow[depth++] = __builtin_return_address(0))
#define LEAVE() (depth--)

static struct way {
	char name[32];
	size_t bytes;
	size_t depth;
	void *callers[CALLERS_MAX];
	void *block;
} ways[WAYS_MAX];

static size_t way_count;
static const char *way_name;

FRAME void allocate(void)
{
	struct way *way = &ways[way_count];

	ENTER();
	snprintf(way->name, sizeof(way->name), "%s_%zu", way_name, way_count);
	way->bytes = BLOCK_BYTES + way_count++;
	way->depth = depth;
	for (size_t i = 0; i < way->depth; i++)
		way->callers[i] = shadow[i];
	way->block = malloc(way->bytes);
	LEAVE();
}

/* ---- Within the loader ---- */

FRAME void on_choice(void)
{
	ENTER();
	allocate();
	LEAVE();
}

FRAME void calls_chosen(void)
{
	ENTER();
	plt_chosen();
	LEAVE();
}

/* ---- Step by step ---- */

static struct {
	uintptr_t start, end;
} code;

static int find_code(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];

		if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
			continue;
		code.start = info->dlpi_addr + header->p_vaddr;
		code.end = code.start + header->p_memsz;
	}
	return 1; /* the program itself comes first */
}

/* Calls next with the trap flag set, from a known place in a frame of a known size. */
__asm__(".text\n"
	".type steps_into, @function\n"
	"steps_into: .cfi_startproc\n"
	" endbr64\n"
	" push %rbx\n .cfi_adjust_cfa_offset 8\n .cfi_offset %rbx, -16\n"
	" mov 8(%rsp), %rax\n mov %rax, steps_into_caller(%rip)\n"
	" pushf\n .cfi_adjust_cfa_offset 8\n"
	" orq $0x100, (%rsp)\n"
	" popf\n .cfi_adjust_cfa_offset -8\n"
	" nop\n"
	" call plt_plain@PLT\n"
	"steps_into_called:\n"
	" pop %rbx\n .cfi_adjust_cfa_offset -8\n"
	" ret\n"
	".cfi_endproc\n"
	"steps_into_end:\n"
	".size steps_into, . - steps_into\n");
void steps_into(void);
extern const char steps_into_called[], steps_into_end[];
uintptr_t steps_into_caller;

/* Of a stub, with what it was called by; the place itself as if it had called. */
FRAME void on_step(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	uintptr_t place = (uintptr_t)registers[REG_RIP];

	(void)number;
	(void)info;
	if (place >= (uintptr_t)steps_into && place < (uintptr_t)steps_into_end)
		return;
	if (place < code.start || place >= code.end) {
		registers[REG_EFL] &= ~TRAP_FLAG;
		return;
	}
	shadow[depth] = (void *)steps_into_caller;
	shadow[depth + 1] = (void *)steps_into_called;
	shadow[depth + 2] = (void *)(place + 1);
	depth += 3;
	allocate();
	depth -= 3;
}

FRAME void steps(void)
{
	ENTER();
	steps_into();
	LEAVE();
}

FRAME void go_all_ways(void)
{
	struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

	ENTER();
	plt_on_choice = on_choice;
	way_name = "choosing";
	calls_chosen();
	sigaction(SIGTRAP, &action, NULL);
	way_name = "first_call";
	steps();
	way_name = "later_call";
	steps();
	LEAVE();
}

/* One line of JSON; callers innermost first. */
static void print_ways(void)
{
	printf("{\"pid\": %d, \"ways\": [", (int)getpid());
	for (size_t i = 0; i < way_count; i++) {
		printf("%s{\"name\": \"%s\", \"bytes\": %zu, \"callers\": [", i ? ", " : "",
		       ways[i].name, ways[i].bytes);
		for (size_t j = ways[i].depth; j-- > 0;)
			printf("%llu%s", (unsigned long long)(uintptr_t)ways[i].callers[j],
			       j ? ", " : "");
		printf("]}");
	}
	printf("]}\n");
	fflush(stdout);
}

int main(void)
{
	char line[16];

	ENTER();
	dl_iterate_phdr(find_code, NULL);
	print_ways();
	if (fgets(line, sizeof(line), stdin)) {
		go_all_ways();
		print_ways();
		if (!fgets(line, sizeof(line), stdin))
			return 1;
		for (size_t i = 0; i < way_count; i++)
			free(ways[i].block);
	}
	LEAVE();
	return 0;
}
