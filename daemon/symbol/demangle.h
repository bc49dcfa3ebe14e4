/* SPDX-License-Identifier: Apache-2.0 */
/* Human names of C++ (Itanium ABI) and Rust (legacy and v0) symbols, by libiberty. */
#ifndef MEMWATCH_SYMBOL_DEMANGLE_H
#define MEMWATCH_SYMBOL_DEMANGLE_H

/*
 * Returns a string the caller frees: demangled, or a copy where mangled is no mangled name or is
 * longer than is safe to demangle. NULL only when out of memory.
 */
char *symbol_demangle(const char *mangled);

#endif
