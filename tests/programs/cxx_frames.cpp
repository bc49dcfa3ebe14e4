// SPDX-License-Identifier: Apache-2.0
//
// frames.c's twin for C++: one block from the end of each way in which exceptions, objects and
// callables lead to code. Every function notes its name and its own return address; the callers by
// libgcc's unwinder are noted beside, the runtime's own functions among them. At the first line of
// input it goes all the ways and prints them; at the second it ends.
#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <unistd.h>
#include <unwind.h>
#ifdef __cpp_impl_coroutine
#include <coroutine>
#endif

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

// ---- exceptions

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

// ---- callables and objects

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

// ---- all of them

FRAME void go_all_ways()
{
	static Derived derived;

	ENTER();
#define GO(name, call)           \
	do {                     \
		way_name = name; \
		call;            \
	} while (0)
	GO("plain", plain());
	GO("thrown", is_thrown());
	GO("constructed", is_constructed());
	GO("unwinding", unwinds());
	GO("caught", catches());
	GO("rethrowing", catches_what_was_caught());
	GO("unwinding_again", unwinds_again());
	GO("rethrown_pointer", rethrows_pointer());
	GO("nested", fails_within_failure());
	GO("exception_ends", ends_exception());
	GO("copied", catches_copy());
	GO("function_try", constructs());
	GO("in_a_handler", throws_out_of_a_handler());
	GO("new_handler", runs_out());
	GO("callback", calls_back(callback, nullptr));
	GO("function", calls_function());
	GO("virtual", calls_virtual(&derived));
	GO("second_base", calls_second_base(&derived));
	GO("member", calls_member(&derived, &Base::act));
	GO("sort", sorts());
	GO("once", once());
	GO("static", has_static());
	GO("deleted", deletes(std::make_unique<Allocates>()));
	GO("thread", starts_thread());
	GO("thread_local", ends_with_thread());
	GO("thread_exit", exits_thread());
#ifdef __cpp_impl_coroutine
	GO("coroutine", runs_coroutine());
#endif
	GO("terminate", terminates());
}

void print_way(const Way &way)
{
	const char *comma = "";

	std::printf("{\"name\": \"%s\", \"bytes\": %zu, \"places\": [", way.name, way.bytes);
	for (std::size_t i = way.depth; i-- > 0; comma = ", ")
		std::printf("%s[\"%s\", %llu]", comma, way.places[i].function,
			    static_cast<unsigned long long>(
				    reinterpret_cast<std::uintptr_t>(way.places[i].caller)));
	std::printf("], \"callers\": [");
	for (std::size_t i = 1; i < way.callers.count; i++)
		std::printf("%s%llu", i > 1 ? ", " : "",
			    static_cast<unsigned long long>(way.callers.addresses[i]));
	std::printf("]}");
}

// One line of JSON; innermost first.
void print_ways()
{
	std::printf("{\"pid\": %d, \"ways\": [", static_cast<int>(getpid()));
	for (std::size_t i = 0; i < way_count; i++) {
		std::printf("%s", i ? ", " : "");
		print_way(ways[i]);
	}
	std::printf("]}\n");
	std::fflush(stdout);
}
} // namespace

int main()
{
	char line[16];

	ENTER();
	print_ways();
	if (!std::fgets(line, sizeof(line), stdin))
		return 0;
	go_all_ways();
	print_ways();
	if (!std::fgets(line, sizeof(line), stdin))
		return 1;
	for (std::size_t i = 0; i < way_count; i++)
		std::free(ways[i].block);
	return 0;
}
