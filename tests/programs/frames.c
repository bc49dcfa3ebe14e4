/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block from the end of each way in which code can be called, and which way that was: every
 * function notes its own return address, which is right however it was compiled. At each "go" it
 * goes all the ways and prints them, having freed what it held; at any other line it ends.
 *
 * Built by each compiler at each level, with and without frame pointers: it shares nothing with
 * other programs.
 */
#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLERS_MAX 512
#define WAYS_MAX    32
#define DEEP        60
#define TOO_DEEP    200
#define BLOCK_BYTES 1000 /* of the first way; each next one is a byte larger */

#ifdef __clang__
#define FRAME __attribute__((noinline, used)) static
#else
#define FRAME __attribute__((noipa, used)) static
#endif

/* The functions that the thread is in, by their return addresses, outermost first. */
static __thread struct {
	void *volatile callers[CALLERS_MAX];
	volatile size_t depth;
} shadow;

#define ENTER() (shadow.callers[shadow.depth++] = __builtin_return_address(0))
/* Behind the last call, which thereby is no jump. */
#define LEAVE() (shadow.depth--)

static struct way {
	const char *name;
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
	way->name = way_name;
	way->bytes = BLOCK_BYTES + way_count++;
	way->depth = shadow.depth;
	for (size_t i = 0; i < way->depth; i++)
		way->callers[i] = shadow.callers[i];
	way->block = malloc(way->bytes);
	LEAVE();
}

/* Keeps the compiler from knowing what is there. */
static void use(volatile void *memory)
{
	__asm__ volatile("" : : "r"(memory) : "memory");
}

FRAME void plain(void)
{
	ENTER();
	allocate();
	LEAVE();
}

FRAME void deep(int more)
{
	volatile char room[40];

	ENTER();
	use(room);
	if (more)
		deep(more - 1);
	else
		allocate();
	LEAVE();
}

FRAME void with_alloca(size_t bytes)
{
	char *room;

	ENTER();
	room = alloca(bytes);
	use(room);
	allocate();
	use(room);
	LEAVE();
}

FRAME void with_array(size_t count)
{
	long room[count];

	ENTER();
	use(room);
	plain();
	use(room);
	LEAVE();
}

FRAME void with_large_frame(void)
{
	volatile char room[100000];

	ENTER();
	use(room);
	plain();
	use(room);
	LEAVE();
}

FRAME long with_arguments(long a, long b, long c, long d, long e, long f, long g, long h, long i,
			  long j)
{
	ENTER();
	plain();
	LEAVE();
	return a + b + c + d + e + f + g + h + i + j;
}

FRAME void pushes_arguments(void)
{
	ENTER();
	use((void *)with_arguments(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
	LEAVE();
}

/* A frame that is aligned to more than the stack is, with an array besides. */
FRAME void realigned(size_t count)
{
	volatile char aligned[64] __attribute__((aligned(64)));
	long room[count];

	ENTER();
	use(aligned);
	use(room);
	plain();
	use(room);
	LEAVE();
}

FRAME int compare(const void *a, const void *b)
{
	static int is_done;
	int result = *(const int *)a - *(const int *)b;

	ENTER();
	if (!is_done++)
		plain();
	LEAVE();
	return result;
}

FRAME void sorts(void)
{
	int numbers[] = {3, 1, 2, 5, 4};

	ENTER();
	qsort(numbers, 5, sizeof(numbers[0]), compare);
	use(numbers);
	LEAVE();
}

FRAME void on_signal(int number)
{
	ENTER();
	(void)number;
	plain();
	LEAVE();
}

FRAME void raises(int flags)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
	char other_stack[65536];
	stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};

	ENTER();
	if (flags & SA_ONSTACK)
		sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	LEAVE();
}

/* Interrupted in the midst of its own code, not in a call. */
FRAME void faults(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	ENTER();
	sigaction(SIGTRAP, &action, NULL);
	__asm__ volatile("int3");
	LEAVE();
}

/* The last call is a jump, and the function has left no frame: it doesn't stand in the truth. */
FRAME void jumps(void (*next)(void))
{
	use((void *)next);
	next();
}

static jmp_buf back;

__attribute__((noreturn)) FRAME void never_returns(void)
{
	ENTER();
	plain();
	longjmp(back, 1);
}

/* Its last instruction is the call: the return address lies behind the function. */
FRAME void calls_what_never_returns(void)
{
	ENTER();
	never_returns();
}

FRAME void comes_back(void)
{
	volatile size_t depth;

	ENTER();
	depth = shadow.depth;
	if (!setjmp(back))
		calls_what_never_returns();
	shadow.depth = depth;
	LEAVE();
}

#ifdef __x86_64__
/* Written by hand: with a frame pointer and no word of it in the tables; and the other way round.
 */
__asm__(".text\n"
	"by_frame_pointer:\n push %rbp\n mov %rsp, %rbp\n sub $48, %rsp\n call *%rdi\n leave\n "
	"ret\n"
	"by_table:\n .cfi_startproc\n push %rbx\n .cfi_adjust_cfa_offset 8\n .cfi_offset %rbx, "
	"-16\n"
	" sub $64, %rsp\n .cfi_adjust_cfa_offset 64\n call *%rdi\n add $64, %rsp\n"
	" .cfi_adjust_cfa_offset -64\n pop %rbx\n .cfi_adjust_cfa_offset -8\n ret\n "
	".cfi_endproc\n");
void by_frame_pointer(void (*next)(void));
void by_table(void (*next)(void));
#endif

FRAME void calls_assembly(void (*assembly)(void (*)(void)))
{
	ENTER();
	assembly(plain);
	LEAVE();
}

FRAME void *in_thread(void *unused)
{
	ENTER();
	plain();
	LEAVE();
	return unused;
}

static void starts_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, in_thread, NULL);
	pthread_join(thread, NULL);
}

#define GO(name, call)           \
	do {                     \
		way_name = name; \
		call;            \
	} while (0)

FRAME void go_all_ways(void)
{
	ENTER();
	GO("plain", plain());
	GO("deep", deep(DEEP));
	GO("truncated", deep(TOO_DEEP));
	GO("alloca", with_alloca(3000));
	GO("array", with_array(300));
	GO("large_frame", with_large_frame());
	GO("arguments", pushes_arguments());
	GO("realigned", realigned(20));
	GO("sort", sorts());
	GO("signal", raises(0));
	GO("signal_stack", raises(SA_ONSTACK));
	GO("interrupted", faults());
	GO("tail_call", jumps(plain));
	GO("never_returns", comes_back());
	GO("thread", starts_thread());
#ifdef __x86_64__
	GO("assembly_table", calls_assembly(by_table));
	GO("assembly_frame_pointer", calls_assembly(by_frame_pointer));
#endif
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
	print_ways();
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "go\n") == 0) {
		for (; way_count; way_count--)
			free(ways[way_count - 1].block);
		go_all_ways();
		print_ways();
	}
	LEAVE();
	return 0;
}
