/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocates on stacks that are not the thread's own, and switches between them from call to call:
 * coroutines of makecontext and swapcontext, and of the older trick with sigaltstack and setjmp.
 * Each stack ends at a page that can't be read, right above the coroutine's first frame.
 */
#include "program.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define COROUTINES  32
#define STACK_BYTES (64 << 10)
#define GUARD_BYTES 4096
#define SLOTS       8

SITE(coroutine_allocates);
SITE(coroutine_resizes);
SITE(deep_coroutine_allocates);
SITE(scheduler_allocates);

struct coroutine {
	char *stack;
	ucontext_t context;
	jmp_buf jump;
	struct block slots[SLOTS];
	long number;
};

static struct coroutine coroutines[COROUTINES];
static ucontext_t scheduler;
static jmp_buf scheduler_jump;
/* The one that runs. */
static struct coroutine *current;
static void (*give_way)(void);

static char *stack_new(void)
{
	char *stack = mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	program_require(stack != MAP_FAILED, "a stack");
	program_require(!mprotect(stack + STACK_BYTES, GUARD_BYTES, PROT_NONE), "a guard page");
	return stack;
}

CALL_SITE static struct block coroutine_allocates(size_t bytes)
{
	return block_new(&coroutine_allocates_site, malloc(bytes), bytes);
}

CALL_SITE static void coroutine_resizes(struct block *block, size_t bytes)
{
	site_freed(block->site, block->bytes);
	*block = block_new(&coroutine_resizes_site, realloc(block->address, bytes), bytes);
}

/* Switches in the midst of its frames, but never in the midst of an allocator's. */
CALL_SITE static struct block deep_coroutine_allocates(long depth)
{
	struct block block;

	give_way();
	if (depth > 0)
		return deep_coroutine_allocates(depth - 1);
	block = block_new(&deep_coroutine_allocates_site, malloc(700), 700);
	give_way();
	return block;
}

CALL_SITE static struct block scheduler_allocates(size_t bytes)
{
	return block_new(&scheduler_allocates_site, malloc(bytes), bytes);
}

/* A slot of any coroutine: blocks end on other stacks than they began on. */
static struct block *slot_of_another(const struct coroutine *self, long round)
{
	return &coroutines[(self->number + 7 * round) % COROUTINES].slots[round % SLOTS];
}

static void work_for_ever(void)
{
	struct coroutine *self = current;
	long round;

	for (round = 0;; round++) {
		struct block *slot = slot_of_another(self, round);

		block_free(slot);
		*slot = coroutine_allocates(100 + 8 * (size_t)self->number);
		give_way();
		/* Another may have freed and filled it meanwhile. */
		if (slot->address)
			coroutine_resizes(slot, 3000);
		if (round % 4 == 0) {
			struct block deep = deep_coroutine_allocates(self->number % 6);

			block_free(slot);
			*slot = deep;
		}
	}
}

/* ---- makecontext ---- */

static void swap_to_scheduler(void)
{
	struct coroutine *self = current;

	swapcontext(&self->context, &scheduler);
}

static void start_contexts(long unused)
{
	long i;

	(void)unused;
	give_way = swap_to_scheduler;
	for (i = 0; i < COROUTINES; i++) {
		struct coroutine *one = &coroutines[i];

		one->number = i;
		one->stack = stack_new();
		getcontext(&one->context);
		one->context.uc_stack.ss_sp = one->stack;
		one->context.uc_stack.ss_size = STACK_BYTES;
		makecontext(&one->context, work_for_ever, 0);
	}
}

static void run_contexts(long rounds)
{
	struct block block;

	for (; rounds > 0; rounds--) {
		current = &coroutines[rounds % COROUTINES];
		swapcontext(&scheduler, &current->context);
		block = scheduler_allocates(50);
		if (rounds % 16)
			block_free(&block);
	}
}

/* ---- sigaltstack and setjmp, as GNU Pth made its threads ---- */

static void jump_to_scheduler(void)
{
	struct coroutine *self = current;

	if (!setjmp(self->jump))
		longjmp(scheduler_jump, 1);
}

/* Runs as a signal handler on the new stack, and goes on there after the handler has returned. */
static void begin_on_new_stack(int signal)
{
	(void)signal;
	if (setjmp(current->jump))
		work_for_ever();
}

static void start_jumps(long unused)
{
	struct sigaction action = {.sa_handler = begin_on_new_stack, .sa_flags = SA_ONSTACK};
	long i;

	(void)unused;
	give_way = jump_to_scheduler;
	sigaction(SIGUSR1, &action, NULL);
	for (i = 0; i < COROUTINES; i++) {
		stack_t stack = {.ss_size = STACK_BYTES};
		stack_t none = {.ss_flags = SS_DISABLE};

		current = &coroutines[i];
		current->number = i;
		stack.ss_sp = current->stack = stack_new();
		program_require(!sigaltstack(&stack, NULL), "a signal stack");
		raise(SIGUSR1);
		program_require(!sigaltstack(&none, NULL), "no signal stack");
	}
}

static void run_jumps(long rounds)
{
	volatile long round;
	struct block block;

	for (round = rounds; round > 0; round--) {
		current = &coroutines[round % COROUTINES];
		if (!setjmp(scheduler_jump))
			longjmp(current->jump, 1);
		block = scheduler_allocates(50);
		if (round % 16)
			block_free(&block);
	}
}

int main(void)
{
	static const struct command commands[] = {
		{"start_contexts", start_contexts},
		{"run_contexts", run_contexts},
		{"start_jumps", start_jumps},
		{"run_jumps", run_jumps},
		{NULL, NULL},
	};

	return program_serve(commands);
}
