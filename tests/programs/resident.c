/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Touches memory in known shares, each by a function of its own, and gives it back. What the ledger
 * calls outstanding is what is resident by that function.
 */
#include "program.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define HUGE_BYTES (2UL << 20)
#define MIB        (1UL << 20)

/* Shares of 100: none is another's half. */
#define LARGE_SHARE  62
#define MIDDLE_SHARE 26
#define SMALL_SHARE  12

SITE(touch_large);
SITE(touch_middle);
SITE(touch_small);
SITE(read_into);
SITE(touch_shared);

static char *memory;
static size_t memory_bytes;

/* Loops of their own: a function that all of them call would be the place that touches. */
#define TOUCH(name)                                          \
	CALL_SITE static void name(char *from, size_t bytes) \
	{                                                    \
		size_t i;                                    \
                                                             \
		for (i = 0; i < bytes; i += PAGE_BYTES)      \
			*(volatile char *)(from + i) = 1;    \
		site_allocated(&name##_site, bytes);         \
	}

TOUCH(touch_large)
TOUCH(touch_middle)
TOUCH(touch_small)
TOUCH(touch_shared)

CALL_SITE static void read_into(char *to, size_t bytes)
{
	int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	size_t got = 0;

	program_require(zeros >= 0, "/dev/zero");
	while (got < bytes) {
		ssize_t part = read(zeros, to + got, bytes - got);

		program_require(part > 0, "zeros");
		got += (size_t)part;
	}
	close(zeros);
	site_allocated(&read_into_site, bytes);
}

/* Aligned, so that no huge page belongs to two functions. */
static void map(size_t bytes, int advice, int fd)
{
	char *mapped = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
			    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	program_require(mapped != MAP_FAILED, "a mapping");
	madvise(mapped, bytes + HUGE_BYTES, advice);
	memory = (char *)(((unsigned long)mapped + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES);
	memory_bytes = bytes;
}

static size_t share_bytes(long mib, unsigned long share)
{
	return (size_t)mib * MIB * share / 100 / HUGE_BYTES * HUGE_BYTES;
}

static void touch_shares(long mib)
{
	size_t large = share_bytes(mib, LARGE_SHARE), middle = share_bytes(mib, MIDDLE_SHARE);

	touch_large(memory, large);
	touch_middle(memory + large, middle);
	touch_small(memory + large + middle, share_bytes(mib, SMALL_SHARE));
}

static void touch(long mib)
{
	map((size_t)mib * MIB, MADV_NOHUGEPAGE, -1);
	touch_shares(mib);
}

static void touch_huge(long mib)
{
	map((size_t)mib * MIB, MADV_HUGEPAGE, -1);
	touch_shares(mib);
}

/* In short runs, which fit into any regular distance between samples. */
static void alternate(long mib)
{
	size_t i;

	map((size_t)mib * MIB, MADV_NOHUGEPAGE, -1);
	for (i = 0; i < memory_bytes; i += 32 * PAGE_BYTES) {
		touch_large(memory + i, 20 * PAGE_BYTES);
		touch_middle(memory + i + 20 * PAGE_BYTES, 8 * PAGE_BYTES);
		touch_small(memory + i + 28 * PAGE_BYTES, 4 * PAGE_BYTES);
	}
}

/* ---- Several threads at once */

static void *thread_large(void *mib)
{
	touch_large(memory, share_bytes((long)mib, LARGE_SHARE));
	return NULL;
}

static void *thread_middle(void *mib)
{
	touch_middle(memory + share_bytes((long)mib, LARGE_SHARE),
		     share_bytes((long)mib, MIDDLE_SHARE));
	return NULL;
}

static void *thread_small(void *mib)
{
	touch_small(memory + share_bytes((long)mib, LARGE_SHARE + MIDDLE_SHARE),
		    share_bytes((long)mib, SMALL_SHARE));
	return NULL;
}

static void touch_by_threads(long mib)
{
	void *(*const starts[])(void *) = {thread_large, thread_middle, thread_small};
	pthread_t threads[3];
	int i;

	map((size_t)mib * MIB, MADV_NOHUGEPAGE, -1);
	for (i = 0; i < 3; i++)
		program_require(!pthread_create(&threads[i], NULL, starts[i], (void *)mib),
				"a thread");
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

/* ---- By the kernel, elsewhere, by others */

static void fill_by_kernel(long mib)
{
	map((size_t)mib * MIB, MADV_NOHUGEPAGE, -1);
	read_into(memory, memory_bytes);
}

static void share(long mib)
{
	int fd = memfd_create("resident", MFD_CLOEXEC);

	program_require(fd >= 0 && !ftruncate(fd, (off_t)((size_t)mib * MIB + HUGE_BYTES)),
			"shared memory");
	map((size_t)mib * MIB, MADV_NOHUGEPAGE, fd);
	touch_shared(memory, memory_bytes);
	close(fd);
}

/* The child touches memory of its own, and pages that it shares with its parent. */
static void fork_and_touch(long mib)
{
	pid_t child = fork();

	program_require(child >= 0, "a child");
	if (!child) {
		map((size_t)mib * MIB, MADV_NOHUGEPAGE, -1);
		touch_shares(mib);
		_exit(0);
	}
	program_require(waitpid(child, NULL, 0) == child, "the child's end");
}

/* ---- Back */

CALL_SITE static void give_back(long mib)
{
	size_t bytes = mib ? (size_t)mib * MIB : memory_bytes;

	madvise(memory, bytes, MADV_DONTNEED);
	ledger_count("given_back_bytes", (long long)bytes);
}

CALL_SITE static void take_down(long unused)
{
	(void)unused;
	munmap(memory, memory_bytes);
	ledger_count("taken_down_bytes", (long long)memory_bytes);
}

/* ---- For as long as it takes */

static pthread_t churner;
static atomic_bool is_churning;

static void *churn_on(void *unused)
{
	(void)unused;
	while (is_churning) {
		touch_shares((long)(memory_bytes / MIB));
		madvise(memory, memory_bytes, MADV_DONTNEED);
	}
	return NULL;
}

static void churn(long unused)
{
	(void)unused;
	map(64 * MIB, MADV_NOHUGEPAGE, -1);
	is_churning = true;
	program_require(!pthread_create(&churner, NULL, churn_on, NULL), "a thread");
}

static void stop(long unused)
{
	(void)unused;
	is_churning = false;
	pthread_join(churner, NULL);
}

int main(void)
{
	static const struct command commands[] = {
		{"touch", touch},
		{"touch_huge", touch_huge},
		{"alternate", alternate},
		{"touch_by_threads", touch_by_threads},
		{"fill_by_kernel", fill_by_kernel},
		{"share", share},
		{"fork_and_touch", fork_and_touch},
		{"churn", churn},
		{"stop", stop},
		{"give_back", give_back},
		{"take_down", take_down},
		{NULL, NULL},
	};

	return program_serve(commands);
}
