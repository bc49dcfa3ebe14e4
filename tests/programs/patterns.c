/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight threads that fill every block with a pattern of its own and look at it again before it is
 * freed: a block that is handed out twice, or a register that is not what it was, is noticed.
 */
#include "program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS   8
#define KEPT      64
#define WORDS_MAX 64

SITE(pattern_allocates);
SITE(pattern_resizes);

struct kept {
	struct block block;
	uint64_t pattern;
};

static pthread_t threads[THREADS];
static atomic_bool is_stopping;
static atomic_long checks;

static void fill(const struct kept *kept)
{
	uint64_t *words = kept->block.address;
	size_t i;

	for (i = 0; i < kept->block.bytes / sizeof(*words); i++)
		words[i] = kept->pattern + i;
}

static void check(const struct kept *kept, size_t bytes)
{
	const uint64_t *words = kept->block.address;
	size_t i;

	for (i = 0; i < bytes / sizeof(*words); i++)
		program_require(words[i] == kept->pattern + i, "a block keeps what is written");
	checks++;
}

CALL_SITE static struct block pattern_allocates(size_t bytes)
{
	return block_new(&pattern_allocates_site, malloc(bytes), bytes);
}

CALL_SITE static struct block pattern_resizes(struct block block, size_t bytes)
{
	site_freed(block.site, block.bytes);
	return block_new(&pattern_resizes_site, realloc(block.address, bytes), bytes);
}

static void replace(struct kept *kept, uint32_t random)
{
	size_t old_bytes = kept->block.bytes;
	size_t bytes = sizeof(uint64_t) * (1 + random % WORDS_MAX);

	if (kept->block.address)
		check(kept, old_bytes);
	if (kept->block.address && random & 0x10000) {
		kept->block = pattern_resizes(kept->block, bytes);
		check(kept, bytes < old_bytes ? bytes : old_bytes);
	} else {
		block_free(&kept->block);
		kept->block = pattern_allocates(bytes);
	}
	kept->pattern = (uint64_t)random << 20;
	fill(kept);
}

static void *work(void *number)
{
	struct kept kept[KEPT] = {0};
	uint32_t random = 88172645u + (uint32_t)(uintptr_t)number * 99991;
	size_t i;

	while (!is_stopping) {
		/* Leaves something of the CPUs to those who attach and detach meanwhile. */
		if (random % 64 == 0)
			usleep(100);
		/* xorshift32 */
		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		replace(&kept[random >> 26], random);
	}
	for (i = 0; i < KEPT; i++) {
		if (kept[i].block.address)
			check(&kept[i], kept[i].block.bytes);
		block_free(&kept[i].block);
	}
	return NULL;
}

static void start(long unused)
{
	uintptr_t i;

	(void)unused;
	is_stopping = false;
	for (i = 0; i < THREADS; i++)
		program_require(!pthread_create(&threads[i], NULL, work, (void *)i), "a thread");
}

static void stop(long unused)
{
	size_t i;

	(void)unused;
	is_stopping = true;
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	program_require(checks > 0, "blocks were looked at");
}

int main(void)
{
	static const struct command commands[] = {
		{"start", start},
		{"stop", stop},
		{NULL, NULL},
	};

	return program_serve(commands);
}
