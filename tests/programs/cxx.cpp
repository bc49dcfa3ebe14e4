// SPDX-License-Identifier: Apache-2.0
// C++: templates and namespaces, operator new, containers and exceptions.
#include "program.h"

#include <cstdlib>
#include <exception>
#include <map>
#include <new>
#include <string>
#include <vector>

namespace
{
struct site operator_new_site = {"operator new(unsigned long)", 0, 0, 0, 0, 0, nullptr};
struct site shelf_site = {"shop::Shelf<int>::reserve(unsigned long)", 0, 0, 0, 0, 0, nullptr};

// Takes from operator new and books what was really asked for, which containers don't tell.
template <typename T> struct Booked {
	using value_type = T;

	Booked() = default;
	template <typename U> Booked(const Booked<U> &)
	{
	}

	T *allocate(std::size_t count)
	{
		void *memory = ::operator new(count * sizeof(T));

		site_allocated(&operator_new_site, count * sizeof(T));
		return static_cast<T *>(memory);
	}

	void deallocate(T *memory, std::size_t count)
	{
		site_freed(&operator_new_site, count * sizeof(T));
		::operator delete(memory);
	}

	bool operator==(const Booked &) const
	{
		return true;
	}
	bool operator!=(const Booked &) const
	{
		return false;
	}
};

using Text = std::basic_string<char, std::char_traits<char>, Booked<char>>;
using Numbers = std::vector<long, Booked<long>>;
using Index = std::map<int, Text, std::less<int>, Booked<std::pair<const int, Text>>>;
} // namespace

namespace shop
{
template <typename T> class Shelf
{
      public:
	CALL_SITE void reserve(unsigned long count)
	{
		items_ = static_cast<T *>(std::malloc(count * sizeof(T)));
		program_require(items_, "memory");
		site_allocated(&shelf_site, count * sizeof(T));
	}

      private:
	T *items_ = nullptr;
};

class Catalogue
{
      public:
	CALL_SITE void fill(int count)
	{
		for (int i = 0; i < count; i++)
			add(i);
	}

	CALL_SITE void clear()
	{
		Index().swap(index_);
		Numbers().swap(numbers_);
	}

      private:
	CALL_SITE void add(int number)
	{
		index_.emplace(number, Text(100 + number, 'x'));
		numbers_.push_back(number);
	}

	Index index_;
	Numbers numbers_;
};
} // namespace shop

static shop::Catalogue catalogue;

static void shelve(long count)
{
	shop::Shelf<int> shelf;

	while (count-- > 0)
		shelf.reserve(250);
}

static void fill(long count)
{
	catalogue.fill(static_cast<int>(count));
}

static void clear(long)
{
	catalogue.clear();
}

// Holds no memory of its own: only the runtime allocates, for the exception itself.
class Failure : public std::exception
{
};

CALL_SITE static void throw_through(int depth)
{
	Numbers held(10);

	if (!depth)
		throw Failure();
	throw_through(depth - 1);
}

// Exception objects come from malloc and go when they have been caught.
static void throw_and_catch(long count)
{
	while (count-- > 0) {
		try {
			throw_through(10);
			program_require(false, "it threw");
		} catch (const Failure &) {
			shop::Shelf<int>().reserve(1);
		}
	}
}

// operator new throws because malloc, inside of it, failed.
static void run_out(long count)
{
	while (count-- > 0) {
		try {
			::operator delete(::operator new (~std::size_t{0} / 2 - 4096));
			program_require(false, "it threw");
		} catch (const std::bad_alloc &) {
			ledger_count("failed_allocations", 1);
		}
	}
}

int main()
{
	static const struct command commands[] = {
		{"shelve", shelve},   {"fill", fill},
		{"clear", clear},     {"throw_and_catch", throw_and_catch},
		{"run_out", run_out}, {nullptr, nullptr},
	};

	return program_serve(commands);
}
