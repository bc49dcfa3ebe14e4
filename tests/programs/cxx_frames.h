// SPDX-License-Identifier: Apache-2.0
//
// What a function of cxx_frames.cpp notes, and where what it leads to is allocated.
#ifndef MEMWATCH_TESTS_CXX_FRAMES_H
#define MEMWATCH_TESTS_CXX_FRAMES_H

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <unwind.h>

#ifdef __clang__
#define FRAME __attribute__((noinline, used))
#else
#define FRAME __attribute__((noipa, used))
#endif
#define INLINED __attribute__((always_inline)) inline

namespace
{
constexpr std::size_t CALLERS_MAX = 128;
constexpr std::size_t WAYS_MAX = 64;
constexpr std::size_t BLOCK_BYTES = 1000;  // of the first way; each next one is a byte larger
constexpr std::size_t THROWN_BYTES = 5000; // of what is thrown, likewise
constexpr std::size_t HEADER_BYTES = 128;  // that libstdc++ puts before it

struct Place {
	const char *function;
	void *caller; // its return address
};

// The functions that the thread is in, outermost first.
thread_local Place shadow[CALLERS_MAX];
thread_local volatile std::size_t depth;

// In its function's first line; leaves when an exception does, too.
class Entered
{
      public:
	INLINED Entered(const char *function, void *caller) : before_(depth)
	{
		shadow[before_] = {function, caller};
		depth = before_ + 1;
	}
	INLINED ~Entered()
	{
		depth = before_;
	}

      private:
	const std::size_t before_;
};

#define NAME_OF_LINE_(name, line) name##line
#define NAME_OF_LINE(name, line)  NAME_OF_LINE_(name, line)
#define ENTER()                   Entered NAME_OF_LINE(entered, __LINE__)(__func__, __builtin_return_address(0))

struct Callers {
	std::size_t count;
	std::uintptr_t addresses[CALLERS_MAX];
};

// An interrupted place as if it had called: one byte further.
_Unwind_Reason_Code add_caller(_Unwind_Context *context, void *callers_)
{
	auto *callers = static_cast<Callers *>(callers_);
	int is_interrupted = 0;
	std::uintptr_t address = _Unwind_GetIPInfo(context, &is_interrupted);

	if (address && callers->count < CALLERS_MAX)
		callers->addresses[callers->count++] = address + (is_interrupted ? 1 : 0);
	return _URC_NO_REASON;
}

struct Way {
	const char *name;
	std::size_t bytes;
	std::size_t depth;
	Place places[CALLERS_MAX];
	Callers callers; // the first is the function that notes
	void *block;
	std::exception_ptr thrown;
};

Way ways[WAYS_MAX];
std::size_t way_count;
const char *way_name;

INLINED Way &note(std::size_t bytes)
{
	Way &way = ways[way_count];

	way.name = way_name;
	way.bytes = bytes;
	way.depth = depth;
	std::copy(shadow, shadow + depth, way.places);
	_Unwind_Backtrace(add_caller, &way.callers);
	return way;
}

FRAME void allocate()
{
	ENTER();
	Way &way = note(BLOCK_BYTES + way_count);

	way_count++;
	way.block = std::malloc(way.bytes);
}

FRAME void plain()
{
	ENTER();
	allocate();
}
} // namespace

#endif
