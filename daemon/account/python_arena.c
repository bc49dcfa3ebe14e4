/* SPDX-License-Identifier: Apache-2.0 */
#include "account/python_arena.h"

#include <sys/mman.h>

/* ARENA_SIZE of Objects/obmalloc.c; larger since addresses are looked up in a radix tree. */
#define ARENA_BYTES_TO_3_9  (UINT64_C(256) << 10)
#define ARENA_BYTES         (UINT64_C(1) << 20)
#define VERSION_LARGE_ARENA 0x030a

bool python_arena_is_like(uint32_t version, const struct record_event_mapping *event)
{
	uint64_t arena_bytes = version < VERSION_LARGE_ARENA ? ARENA_BYTES_TO_3_9 : ARENA_BYTES;

	return event->operation == RECORD_OPERATION_MAP && event->length_bytes == arena_bytes &&
	       event->protection == (PROT_READ | PROT_WRITE) &&
	       event->flags == (MAP_PRIVATE | MAP_ANONYMOUS) && event->fd == -1;
}
