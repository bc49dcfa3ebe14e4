// SPDX-License-Identifier: Apache-2.0
//
// frames.c's twin for C++: one block from the end of each way in which exceptions, objects and
// callables lead to code. Every function notes its name and its own return address; the callers by
// libgcc's unwinder are noted beside, the runtime's own functions among them. At the first line of
// input it goes all the ways and prints them; at the second it ends.
#include "cxx_frames_callables.h"

#include <cstdio>
#include <memory>
#include <unistd.h>

namespace
{
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
