/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops that the bench measures. One process runs many loops, so that a probe can come and go
 * between two of them: commands come on stdin, one a line, and each is answered by one line.
 *
 *   pairs SIZE DEPTH SECONDS   malloc(SIZE) and free at once, DEPTH calls below main
 *   once SIZE DEPTH            the first malloc(SIZE) and free DEPTH calls below main
 *   mixed DEPTH SECONDS        16 bytes to 8 KiB, 256 blocks outstanding, oldest freed first
 *   faults SECONDS             first touch of a page
 *   syscalls SECONDS           getppid
 *   execs SECONDS              fork, exec of this program with "exit", wait
 *   pace COUNT                 COUNT pairs of 64 bytes each 10 ms, until the next line; no answer
 *   fork COMMAND...            the same in a child that inherits this process's memory
 *
 * The answer is "COUNT ELAPSED_NS UNDISTURBED_NS": how many, how long, and the 10th percentile over
 * slices of 1 ms of the time per one. On a machine whose cores others share, what they take comes
 * and goes by the millisecond and only ever adds; the fast slices are the program's own time.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLICE_NS        1000000ULL
#define SLICES_MAX      16384
#define MIXED_BLOCKS    256
#define MIXED_SIZES     1024
#define FAULT_PAGES     4096
#define PACE_TICK_MS    10
#define PACE_SIZE_BYTES 64

struct loop {
	void (*run)(struct loop *loop, unsigned count);
	unsigned batch; /* iterations between two looks at the clock */
	unsigned depth;
	size_t size_bytes;
	double seconds;
};

static const char *program_path;
static double slices_ns[SLICES_MAX];
static size_t mixed_sizes_bytes[MIXED_SIZES];
static void *mixed_blocks[MIXED_BLOCKS];
static unsigned mixed_next;

static uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

/* Keeps the compiler from eliding a malloc whose block nobody uses. */
static inline void *escape(void *pointer)
{
	__asm__ volatile("" : "+r"(pointer) : : "memory");
	return pointer;
}

/* ---- The loops ---- */

static void loop_pairs(struct loop *loop, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		free(escape(malloc(loop->size_bytes)));
}

/* Sizes spread evenly over the powers of two: most are small, the large ones hold the bytes. */
static void mixed_prepare(void)
{
	uint32_t random = 2463534242;

	for (unsigned i = 0; i < MIXED_SIZES; i++) {
		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		size_t floor_bytes = (size_t)16 << random % 9;
		mixed_sizes_bytes[i] = floor_bytes + (random >> 8) % floor_bytes;
	}
}

static void loop_mixed(struct loop *loop, unsigned count)
{
	(void)loop;
	for (unsigned i = 0; i < count; i++) {
		void **block = &mixed_blocks[mixed_next % MIXED_BLOCKS];

		free(*block);
		*block = escape(malloc(mixed_sizes_bytes[mixed_next % MIXED_SIZES]));
		mixed_next++;
	}
}

static void loop_faults(struct loop *loop, unsigned count)
{
	static char *pages;
	static unsigned next;
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	(void)loop;
	if (!pages) {
		pages = mmap(NULL, FAULT_PAGES * page_bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pages == MAP_FAILED)
			abort();
		/* A huge page would be one fault for 512 pages. */
		madvise(pages, FAULT_PAGES * page_bytes, MADV_NOHUGEPAGE);
	}
	for (unsigned i = 0; i < count; i++) {
		if (next == FAULT_PAGES) {
			madvise(pages, FAULT_PAGES * page_bytes, MADV_DONTNEED);
			next = 0;
		}
		*(volatile char *)(pages + page_bytes * next++) = 1;
	}
}

static void loop_syscalls(struct loop *loop, unsigned count)
{
	(void)loop;
	for (unsigned i = 0; i < count; i++)
		syscall(SYS_getppid);
}

static void loop_execs(struct loop *loop, unsigned count)
{
	(void)loop;
	for (unsigned i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			execl(program_path, program_path, "exit", (char *)NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			abort();
	}
}

/* ---- Running one ---- */

static uint64_t once_ns;

/* A single pair, timed where it happens. */
static void loop_once(struct loop *loop, unsigned count)
{
	uint64_t start_ns = clock_now_ns();

	loop_pairs(loop, count);
	once_ns = clock_now_ns() - start_ns;
}

/* Each is called by the next one; what follows the call keeps it from becoming a jump. */
#define LEVEL(number, next)                                                                     \
	__attribute__((noinline)) static void level_##number(struct loop *loop, unsigned count) \
	{                                                                                       \
		level_##next(loop, count);                                                      \
		__asm__ volatile("" : : : "memory");                                            \
	}

__attribute__((noinline)) static void level_0(struct loop *loop, unsigned count)
{
	loop->run(loop, count);
	__asm__ volatile("" : : : "memory");
}

/* clang-format off */
LEVEL(1, 0) LEVEL(2, 1) LEVEL(3, 2) LEVEL(4, 3) LEVEL(5, 4)
LEVEL(6, 5) LEVEL(7, 6) LEVEL(8, 7) LEVEL(9, 8) LEVEL(10, 9)
LEVEL(11, 10) LEVEL(12, 11) LEVEL(13, 12) LEVEL(14, 13) LEVEL(15, 14)
LEVEL(16, 15) LEVEL(17, 16) LEVEL(18, 17) LEVEL(19, 18) LEVEL(20, 19)
LEVEL(21, 20) LEVEL(22, 21) LEVEL(23, 22) LEVEL(24, 23) LEVEL(25, 24)
LEVEL(26, 25) LEVEL(27, 26) LEVEL(28, 27) LEVEL(29, 28) LEVEL(30, 29)
LEVEL(31, 30) LEVEL(32, 31) LEVEL(33, 32) LEVEL(34, 33) LEVEL(35, 34)
LEVEL(36, 35) LEVEL(37, 36) LEVEL(38, 37) LEVEL(39, 38) LEVEL(40, 39)
	/* clang-format on */

	static void (*const levels[])(struct loop *, unsigned) = {
		level_0,  level_1,  level_2,  level_3,  level_4,  level_5,  level_6,
		level_7,  level_8,  level_9,  level_10, level_11, level_12, level_13,
		level_14, level_15, level_16, level_17, level_18, level_19, level_20,
		level_21, level_22, level_23, level_24, level_25, level_26, level_27,
		level_28, level_29, level_30, level_31, level_32, level_33, level_34,
		level_35, level_36, level_37, level_38, level_39, level_40};

#define DEPTH_MAX (sizeof(levels) / sizeof(levels[0]) - 1)

/* So many frames deeper, of as many functions: each malloc has a stack of known depth. */
static void descend(unsigned depth, struct loop *loop, unsigned count)
{
	levels[depth > DEPTH_MAX ? DEPTH_MAX : depth](loop, count);
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return (a > b) - (a < b);
}

static void loop_measure(struct loop *loop, FILE *answer)
{
	uint64_t start_ns = clock_now_ns();
	uint64_t end_ns = start_ns + (uint64_t)(loop->seconds * 1e9);
	uint64_t slice_start_ns = start_ns;
	uint64_t now_ns = start_ns;
	uint64_t count = 0;
	uint64_t slice_count = 0;
	size_t slices = 0;

	while (now_ns < end_ns || slices == 0) {
		descend(loop->depth, loop, loop->batch);
		count += loop->batch;
		slice_count += loop->batch;
		now_ns = clock_now_ns();
		if (now_ns - slice_start_ns < SLICE_NS || slices == SLICES_MAX)
			continue;
		slices_ns[slices++] = (double)(now_ns - slice_start_ns) / (double)slice_count;
		slice_start_ns = now_ns;
		slice_count = 0;
	}
	qsort(slices_ns, slices, sizeof(slices_ns[0]), compare_doubles);
	fprintf(answer, "%llu %llu %.3f\n", (unsigned long long)count,
		(unsigned long long)(now_ns - start_ns), slices_ns[slices / 10]);
	fflush(answer);
}

static int loop_parse(const char *line, struct loop *loop)
{
	*loop = (struct loop){.run = loop_pairs, .batch = 64};
	if (sscanf(line, "pairs %zu %u %lf", &loop->size_bytes, &loop->depth, &loop->seconds) == 3)
		return 0;
	loop->run = loop_mixed;
	if (sscanf(line, "mixed %u %lf", &loop->depth, &loop->seconds) == 2)
		return 0;
	loop->run = loop_faults;
	if (sscanf(line, "faults %lf", &loop->seconds) == 1)
		return 0;
	loop->run = loop_syscalls;
	if (sscanf(line, "syscalls %lf", &loop->seconds) == 1)
		return 0;
	loop->run = loop_execs;
	loop->batch = 1;
	if (sscanf(line, "execs %lf", &loop->seconds) == 1)
		return 0;
	return -EINVAL;
}

/* An allocating neighbour: steady, and mostly asleep. */
static void pace(unsigned count)
{
	struct loop loop = {.run = loop_pairs, .size_bytes = PACE_SIZE_BYTES};
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	while (poll(&input, 1, PACE_TICK_MS) == 0)
		loop_pairs(&loop, count);
}

static int command_run(const char *line)
{
	struct loop loop;
	unsigned count;

	if (sscanf(line, "pace %u", &count) == 1) {
		pace(count);
		return 0;
	}
	if (strncmp(line, "fork ", 5) == 0) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(command_run(line + 5) ? 1 : 0);
		return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : -ECHILD;
	}
	if (sscanf(line, "once %zu %u", &loop.size_bytes, &loop.depth) == 2) {
		loop.run = loop_once;
		descend(loop.depth, &loop, 1);
		printf("1 %llu %llu\n", (unsigned long long)once_ns, (unsigned long long)once_ns);
		fflush(stdout);
		return 0;
	}
	int error = loop_parse(line, &loop);
	if (!error)
		loop_measure(&loop, stdout);
	return error;
}

int main(int argc, char **argv)
{
	char line[128];

	if (argc > 1)
		return strcmp(argv[1], "exit") == 0 ? 0 : 2;
	program_path = argv[0];
	/* poll() must see every line that stdio has not yet handed out: read without a buffer. */
	setvbuf(stdin, NULL, _IONBF, 0);
	mixed_prepare();
	while (fgets(line, sizeof(line), stdin)) {
		int error = command_run(line);

		if (error) {
			fprintf(stderr, "loops: %s: %s", strerror(-error), line);
			return 1;
		}
	}
	return 0;
}
