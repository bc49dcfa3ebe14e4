// SPDX-License-Identifier: Apache-2.0
// Every form of operator new and delete, each from a function of its own, under an allocator that
// defines them itself.
#include "program.h"

#include <cstdlib>
#include <new>

namespace
{
constexpr std::size_t kBlocksEach = 50;
constexpr std::align_val_t kAligned{256};

struct Holding {
	void *address = nullptr;
	std::size_t bytes = 0;
};

void book(struct site *site, Holding *holding, void *address, std::size_t bytes)
{
	program_require(address, "memory");
	site_allocated(site, bytes);
	holding->address = address;
	holding->bytes = bytes;
}

struct Form {
	struct site *site;
	void (*allocate)(Holding *holding, std::size_t bytes);
	void (*release)(void *address, std::size_t bytes);
};
} // namespace

#define FORM(name, allocation, deletion)                                              \
	static struct site name##_site = {#name, 0, 0, 0, 0, 0, nullptr};             \
	extern "C" CALL_SITE void name(Holding *holding, std::size_t bytes)           \
	{                                                                             \
		book(&name##_site, holding, allocation, bytes);                       \
	}                                                                             \
	static void name##_release(void *address, [[maybe_unused]] std::size_t bytes) \
	{                                                                             \
		deletion;                                                             \
	}

FORM(by_new, ::operator new(bytes), ::operator delete(address))
FORM(by_new_sized, ::operator new(bytes), ::operator delete(address, bytes))
FORM(by_new_array, ::operator new[](bytes), ::operator delete[](address))
FORM(by_new_array_sized, ::operator new[](bytes), ::operator delete[](address, bytes))
FORM(by_new_nothrow, ::operator new(bytes, std::nothrow), ::operator delete(address, std::nothrow))
FORM(by_new_array_nothrow, ::operator new[](bytes, std::nothrow),
     ::operator delete[](address, std::nothrow))
FORM(by_new_aligned, ::operator new(bytes, kAligned), ::operator delete(address, kAligned))
FORM(by_new_aligned_sized, ::operator new(bytes, kAligned),
     ::operator delete(address, bytes, kAligned))
FORM(by_new_array_aligned, ::operator new[](bytes, kAligned),
     ::operator delete[](address, kAligned))
FORM(by_new_array_aligned_sized, ::operator new[](bytes, kAligned),
     ::operator delete[](address, bytes, kAligned))
FORM(by_new_aligned_nothrow, ::operator new(bytes, kAligned, std::nothrow),
     ::operator delete(address, kAligned, std::nothrow))
FORM(by_new_array_aligned_nothrow, ::operator new[](bytes, kAligned, std::nothrow),
     ::operator delete[](address, kAligned, std::nothrow))
FORM(by_malloc, std::malloc(bytes), std::free(address))

#define ENTRY(name)                                \
	{                                          \
		&name##_site, name, name##_release \
	}
static const Form forms[] = {
	ENTRY(by_new),
	ENTRY(by_new_sized),
	ENTRY(by_new_array),
	ENTRY(by_new_array_sized),
	ENTRY(by_new_nothrow),
	ENTRY(by_new_array_nothrow),
	ENTRY(by_new_aligned),
	ENTRY(by_new_aligned_sized),
	ENTRY(by_new_array_aligned),
	ENTRY(by_new_array_aligned_sized),
	ENTRY(by_new_aligned_nothrow),
	ENTRY(by_new_array_aligned_nothrow),
	ENTRY(by_malloc),
};
constexpr std::size_t kForms = sizeof(forms) / sizeof(forms[0]);
constexpr std::size_t kMany = 20000;

static Holding held[kForms][kBlocksEach];
static Holding many[kForms][kMany];

static void allocate(long)
{
	for (std::size_t i = 0; i < kForms; i++)
		for (std::size_t k = 0; k < kBlocksEach; k++)
			forms[i].allocate(&held[i][k], 1 + 97 * k);
}

static void allocate_many(long count)
{
	for (std::size_t i = 0; i < kForms; i++)
		for (long k = 0; k < count && k < static_cast<long>(kMany); k++)
			forms[i].allocate(&many[i][k], 1000);
}

static void release(const Form &form, Holding *holding)
{
	if (!holding->address)
		return;
	site_freed(form.site, holding->bytes);
	form.release(holding->address, holding->bytes);
	*holding = Holding();
}

static void free_all(long)
{
	for (std::size_t i = 0; i < kForms; i++) {
		for (auto &holding : held[i])
			release(forms[i], &holding);
		for (auto &holding : many[i])
			release(forms[i], &holding);
	}
}

static volatile std::size_t too_much = ~std::size_t{0} / 2 - 4096;

extern "C" CALL_SITE void *ask_too_much()
{
	return ::operator new(too_much);
}

extern "C" CALL_SITE void *ask_too_much_deeper(int depth)
{
	return depth ? ask_too_much_deeper(depth - 1) : ask_too_much();
}

// The exception leaves operator new, and some frames more.
static void run_out(long count)
{
	for (long i = 0; i < count; i++) {
		try {
			::operator delete(ask_too_much_deeper(static_cast<int>(i % 5)));
			program_require(false, "it threw");
		} catch (const std::bad_alloc &) {
			ledger_count("thrown", 1);
		}
		by_new(&held[0][i % kBlocksEach], 500);
		release(forms[0], &held[0][i % kBlocksEach]);
	}
}

// The exception is one of the program's own.
struct Refusal {
};

static void refuse()
{
	throw Refusal();
}

static void run_out_with_handler(long count)
{
	std::set_new_handler(refuse);
	for (long i = 0; i < count; i++) {
		try {
			::operator delete(ask_too_much_deeper(static_cast<int>(i % 5)));
			program_require(false, "it threw");
		} catch (const Refusal &) {
			ledger_count("thrown", 1);
		}
	}
	std::set_new_handler(nullptr);
}

int main()
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"allocate_many", allocate_many},
		{"free_all", free_all},
		{"run_out", run_out},
		{"run_out_with_handler", run_out_with_handler},
		{nullptr, nullptr},
	};

	return program_serve(commands);
}
