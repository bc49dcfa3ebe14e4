/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Much to do for a compiler: containers of containers and a table of template instances. It is
 * never run; tests watch the compiler at work on it.
 */
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

template <std::size_t N> struct Shelf {
	std::map<std::string, std::array<double, N + 1>> books;
	std::unordered_map<std::size_t, std::vector<std::variant<int, std::string, Shelf<N / 2> *>>>
		index;

	double sum(const std::function<double(double)> &change) const
	{
		double total = 0;

		for (const auto &book : books)
			for (double value : book.second)
				total += change(value);
		return total;
	}
};

template <std::size_t... Ns> double sums(std::index_sequence<Ns...>)
{
	return (std::make_unique<Shelf<Ns>>()->sum([](double x) { return x * Ns; }) + ...);
}

double all_sums()
{
	return sums(std::make_index_sequence<24>());
}
