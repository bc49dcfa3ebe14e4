/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void assert_demangles(const char *mangled, const char *expected)
{
	char *name = symbol_demangle(mangled);

	assert_non_null(name);
	assert_string_equal(name, expected);
	free(name);
}

static void test_cxx_names_read_like_source(void **state)
{
	(void)state;
	assert_demangles("_ZN5store6Shards4loadEi", "store::Shards::load(int)");
	assert_demangles("_ZNKSt6vectorIiSaIiEE4sizeEv",
			 "std::vector<int, std::allocator<int> >::size() const");
	assert_demangles("_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()() const");
	assert_demangles("_Znwm", "operator new(unsigned long)");
	assert_demangles("_ZN3foo3barEv.constprop.0", "foo::bar() [clone .constprop.0]");
}

static void test_legacy_rust_names_lose_their_hash(void **state)
{
	(void)state;
	assert_demangles("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE",
			 "core::fmt::Formatter::pad");
	assert_demangles("_ZN63_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..clone..Clone$GT$"
			 "5clone17h0123456789abcdefE",
			 "<alloc::vec::Vec<T> as core::clone::Clone>::clone");
}

static void test_v0_rust_names_lose_their_disambiguators(void **state)
{
	(void)state;
	assert_demangles("_RNvCskwGfYPst2Cb_3foo16example_function", "foo::example_function");
	assert_demangles("_RNvNtCs6GSVXm7oiwY_4core3mem4swap", "core::mem::swap");
}

static void test_plain_names_stay(void **state)
{
	(void)state;
	assert_demangles("", "");
	assert_demangles("malloc", "malloc");
	assert_demangles("i", "i");
	assert_demangles("_start", "_start");
	assert_demangles("main.cold", "main.cold");
	assert_demangles("_Z", "_Z");
	assert_demangles("_ZN", "_ZN");
	assert_demangles("_R", "_R");
	assert_demangles("_ZN5store6Shards4loadEi_and_more$", "_ZN5store6Shards4loadEi_and_more$");
}

static void test_overlong_names_stay_mangled(void **state)
{
	size_t length = 100000;
	char *name = malloc(length + 1);

	(void)state;
	assert_non_null(name);
	memset(name, 'P', length);
	memcpy(name, "_Z1f", 4);
	name[length - 1] = 'i';
	name[length] = '\0';
	assert_demangles(name, name);
	name[1000] = '\0';
	name[999] = 'i';
	{
		char *demangled = symbol_demangle(name);

		assert_non_null(demangled);
		assert_int_equal(strncmp(demangled, "f(int****", 9), 0);
		free(demangled);
	}
	free(name);
}

/* Each type is a function that takes the one before it twice: 2^34 parameters in 250 bytes. */
static void test_names_that_explode_stay_mangled(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char name[512] = "_Z1fFvvEFvS_S_E";

	(void)state;
	for (int i = 0; i < 34; i++) {
		char type[] = "FvS?_S?_E";

		type[3] = type[6] = digits[i];
		strcat(name, type);
	}
	assert_demangles(name, name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cxx_names_read_like_source),
		cmocka_unit_test(test_legacy_rust_names_lose_their_hash),
		cmocka_unit_test(test_v0_rust_names_lose_their_disambiguators),
		cmocka_unit_test(test_plain_names_stay),
		cmocka_unit_test(test_overlong_names_stay_mangled),
		cmocka_unit_test(test_names_that_explode_stay_mangled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
