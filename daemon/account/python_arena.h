/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arenas in which CPython keeps small objects (of 512 bytes at most): told from other mappings
 * by how they are made.
 */
#ifndef MEMWATCH_ACCOUNT_PYTHON_ARENA_H
#define MEMWATCH_ACCOUNT_PYTHON_ARENA_H

#include "record.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether an interpreter of that version (major << 8 | minor) asks for its arenas with such a call
 * of mmap. Code of the interpreter's that makes private memory of that very size on a program's
 * behalf (the mmap module, where it is built in and told to) looks the same.
 */
bool python_arena_is_like(uint32_t version, const struct record_event_mapping *event);

#endif
