// SPDX-License-Identifier: Apache-2.0
//
// The ways of cxx_frames.cpp that lead through objects, callables, threads and coroutines.
#ifndef MEMWATCH_TESTS_CXX_FRAMES_CALLABLES_H
#define MEMWATCH_TESTS_CXX_FRAMES_CALLABLES_H

#include "cxx_frames_exceptions.h"

#include <functional>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <thread>
#ifdef __cpp_impl_coroutine
#include <coroutine>
#endif

namespace
{

FRAME void callback(void *) noexcept
{
	ENTER();
	plain();
}

FRAME void calls_back(void (*function)(void *) noexcept, void *argument)
{
	ENTER();
	function(argument);
}

FRAME void calls_function()
{
	int captured[] = {1, 2, 3, 4, 5, 6, 7, 8};

	ENTER();
	std::function<void()> function = [captured]() FRAME {
		ENTER();
		plain();
		shadow[CALLERS_MAX - 1].function = captured[0] ? "" : nullptr;
	};
	function();
}

struct Base {
	virtual ~Base() = default;
	virtual void act() = 0;
	long base = 1;
};

struct Other {
	virtual ~Other() = default;
	virtual void act_otherwise() = 0;
	long other = 2;
};

// Called through its second base, and through a virtual one, it is reached by thunks.
struct Derived final : virtual Base, Other {
	FRAME void act() override
	{
		ENTER();
		plain();
	}
	FRAME void act_otherwise() override
	{
		ENTER();
		plain();
	}
};

FRAME void calls_virtual(Base *object)
{
	ENTER();
	object->act();
}

FRAME void calls_second_base(Other *object)
{
	ENTER();
	object->act_otherwise();
}

FRAME void calls_member(Base *object, void (Base::*member)())
{
	ENTER();
	(object->*member)();
}

FRAME void sorts()
{
	int numbers[40];
	bool is_done = false;

	ENTER();
	for (int i = 0; i < 40; i++)
		numbers[i] = i * 7 % 40;
	std::sort(numbers, numbers + 40, [&is_done](int a, int b) FRAME {
		ENTER();
		if (!is_done)
			plain();
		is_done = true;
		return a < b;
	});
}

FRAME void once()
{
	std::once_flag flag;

	ENTER();
	std::call_once(flag, callback, nullptr);
}

struct AllocatesMade {
	FRAME AllocatesMade()
	{
		ENTER();
		plain();
	}
};

FRAME void has_static()
{
	ENTER();
	static AllocatesMade made;
}

FRAME void deletes(std::unique_ptr<Allocates> object)
{
	ENTER();
	object.reset();
}

FRAME void in_thread(int)
{
	ENTER();
	unwinds();
}

// Some compilers make all of a file's for each thread that uses one of them.
struct EndsThread {
	bool is_used = false;
	FRAME ~EndsThread()
	{
		ENTER();
		if (is_used)
			plain();
	}
};
thread_local EndsThread ends_thread;

FRAME void *leaves_thread(void *)
{
	ENTER();
	Allocates allocates;

	pthread_exit(nullptr);
}

void starts_thread()
{
	std::thread(in_thread, 1).join();
}

void ends_with_thread()
{
	std::thread([]() FRAME { ends_thread.is_used = true; }).join();
}

void exits_thread()
{
	pthread_t thread;

	pthread_create(&thread, nullptr, leaves_thread, nullptr);
	pthread_join(thread, nullptr);
}

#ifdef __cpp_impl_coroutine
struct Task {
	struct promise_type {
		Task get_return_object()
		{
			return {std::coroutine_handle<promise_type>::from_promise(*this)};
		}
		std::suspend_always initial_suspend() noexcept
		{
			return {};
		}
		std::suspend_always final_suspend() noexcept
		{
			return {};
		}
		void return_void()
		{
		}
		void unhandled_exception()
		{
			std::rethrow_exception(std::current_exception());
		}
	};
	std::coroutine_handle<promise_type> handle;
};

Task works_later(int kept)
{
	co_await std::suspend_always();
	plain();
	shadow[CALLERS_MAX - 1].function = kept ? "" : nullptr;
	fails();
}

FRAME void resumes(std::coroutine_handle<> handle)
{
	ENTER();
	handle.resume();
}

FRAME void runs_coroutine()
{
	ENTER();
	Task task = works_later(1);

	task.handle.resume();
	try {
		resumes(task.handle);
	} catch (const Failure &) {
		way_name = "out_of_a_coroutine";
		plain();
	}
	task.handle.destroy();
}
#endif
} // namespace

#endif
