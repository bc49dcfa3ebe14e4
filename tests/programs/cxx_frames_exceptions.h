// SPDX-License-Identifier: Apache-2.0
//
// The ways of cxx_frames.cpp that lead through exceptions.
#ifndef MEMWATCH_TESTS_CXX_FRAMES_EXCEPTIONS_H
#define MEMWATCH_TESTS_CXX_FRAMES_EXCEPTIONS_H

#include "cxx_frames.h"

#include <csetjmp>
#include <csignal>
#include <new>

namespace
{

struct Failure {
	int number;
};

FRAME void fails()
{
	ENTER();
	throw Failure{1};
}

FRAME void fails_deep(int more)
{
	ENTER();
	if (more)
		fails_deep(more - 1);
	else
		fails();
}

struct Allocates {
	FRAME ~Allocates()
	{
		ENTER();
		plain();
	}
};

// What the runtime allocates for an exception, and keeps as long as it is pointed at.
template <std::size_t BYTES> struct Large {
	char bytes[BYTES];
};

template <std::size_t BYTES> FRAME void throws_large()
{
	ENTER();
	note(BYTES + HEADER_BYTES);
	throw Large<BYTES>();
}

FRAME void is_thrown()
{
	ENTER();
	try {
		throws_large<THROWN_BYTES>();
	} catch (const Large<THROWN_BYTES> &) {
		ways[way_count++].thrown = std::current_exception();
	}
}

struct AllocatesAtThrow {
	FRAME AllocatesAtThrow()
	{
		ENTER();
		plain();
	}
};

FRAME void is_constructed()
{
	ENTER();
	try {
		throw AllocatesAtThrow();
	} catch (const AllocatesAtThrow &) {
	}
}

FRAME void has_destructor(int more)
{
	ENTER();
	Allocates allocates;

	fails_deep(more);
}

FRAME void unwinds()
{
	ENTER();
	try {
		has_destructor(10);
	} catch (const Failure &) {
	}
}

FRAME void catches()
{
	ENTER();
	try {
		fails_deep(10);
	} catch (const Failure &) {
		plain();
	}
}

FRAME void catches_all()
{
	ENTER();
	try {
		fails();
	} catch (...) {
		plain();
		throw;
	}
}

FRAME void catches_what_was_caught()
{
	ENTER();
	try {
		catches_all();
	} catch (const Failure &) {
		way_name = "rethrown";
		plain();
	}
}

FRAME void rethrows()
{
	ENTER();
	try {
		fails();
	} catch (const Failure &) {
		throw;
	}
}

FRAME void unwinds_again()
{
	ENTER();
	try {
		Allocates allocates;

		rethrows();
	} catch (const Failure &) {
	}
}

FRAME void rethrows_pointer()
{
	std::exception_ptr pointer;

	ENTER();
	try {
		fails();
	} catch (...) {
		pointer = std::current_exception();
	}
	try {
		std::rethrow_exception(pointer);
	} catch (const Failure &) {
		plain();
	}
}

struct CatchesItself {
	FRAME ~CatchesItself()
	{
		ENTER();
		catches();
	}
};

FRAME void fails_within_failure()
{
	ENTER();
	try {
		CatchesItself catches_itself;

		fails();
	} catch (const Failure &) {
	}
}

struct AllocatesAtEnd {
	Failure failure;
	FRAME ~AllocatesAtEnd()
	{
		ENTER();
		plain();
	}
};

FRAME void ends_exception()
{
	ENTER();
	try {
		throw AllocatesAtEnd{{2}};
	} catch (const AllocatesAtEnd &) {
	}
}

struct AllocatesCopied {
	AllocatesCopied() = default;
	FRAME AllocatesCopied(const AllocatesCopied &)
	{
		ENTER();
		plain();
	}
};

FRAME void throws_copied()
{
	ENTER();
	throw AllocatesCopied();
}

FRAME void catches_copy()
{
	ENTER();
	try {
		throws_copied();
	} catch (AllocatesCopied copy) { // NOLINT: by value
	}
}

struct Member {
	FRAME Member()
	{
		ENTER();
		fails();
	}
};

struct Whole {
	FRAME Whole();
	Member member;
};

Whole::Whole()
try : member() {
} catch (const Failure &) {
	ENTER();
	plain();
}

FRAME void constructs()
{
	ENTER();
	try {
		Whole whole;
	} catch (const Failure &) {
	}
}

FRAME void on_trap(int)
{
	ENTER();
	Allocates allocates;

	throw Failure{3};
}

// Notes nothing, which would have to be undone: compilers take a trap for something that can't
// throw.
FRAME void is_interrupted()
{
	__asm__ volatile("int3");
}

FRAME void throws_out_of_a_handler()
{
	void (*volatile interrupted)() = is_interrupted;
	struct sigaction action = {};
	sigset_t trap;

	ENTER();
	action.sa_handler = on_trap;
	sigaction(SIGTRAP, &action, nullptr);
	try {
		interrupted();
	} catch (const Failure &) {
		way_name = "out_of_a_handler";
		plain();
	}
	sigemptyset(&trap);
	sigaddset(&trap, SIGTRAP);
	sigprocmask(SIG_UNBLOCK, &trap, nullptr);
}

[[noreturn]] FRAME void new_handler()
{
	ENTER();
	plain();
	throw std::bad_alloc();
}

FRAME void runs_out()
{
	ENTER();
	std::set_new_handler(new_handler);
	try {
		::operator delete(::operator new (~std::size_t{0} / 2 - 4096));
	} catch (const std::bad_alloc &) {
	}
	std::set_new_handler(nullptr);
}

FRAME void must_not_fail() noexcept
{
	ENTER();
	fails_deep(3);
}

std::jmp_buf back;

[[noreturn]] FRAME void at_terminate()
{
	ENTER();
	plain();
	std::longjmp(back, 1);
}

FRAME void terminates()
{
	volatile std::size_t before;

	ENTER();
	before = depth;
	std::set_terminate(at_terminate);
	if (!setjmp(back))
		must_not_fail();
	depth = before;
}
} // namespace

#endif
