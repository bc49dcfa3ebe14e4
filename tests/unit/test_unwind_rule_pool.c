/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of unwind rules: shared by equals, given back, never more than there are. */
#include "unwind/rule_pool.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct record_unwind_rule rule_of(int32_t offset)
{
	return (struct record_unwind_rule){.kind = RECORD_UNWIND_STACK_POINTER,
					   .cfa_offset = offset};
}

static uint16_t take(struct rule_pool *pool, int32_t offset, bool is_new)
{
	const struct record_unwind_rule rule = rule_of(offset);
	uint16_t number;
	bool was_new;

	number = rule_pool_take(pool, &rule, &was_new);
	assert_int_equal(was_new, is_new);
	return number;
}

static void test_equal_rules_share_a_number(void **state)
{
	struct rule_pool *pool = rule_pool_new();
	uint16_t eight = take(pool, 8, true), sixteen = take(pool, 16, true);

	(void)state;
	assert_int_not_equal(eight, 0);
	assert_int_not_equal(eight, sixteen);
	assert_int_equal(take(pool, 8, false), eight);
	assert_int_equal(rule_pool_count(pool), 2);
	rule_pool_free(pool);
}

static void test_a_number_is_free_when_nobody_uses_it(void **state)
{
	struct rule_pool *pool = rule_pool_new();
	uint16_t eight = take(pool, 8, true);

	(void)state;
	take(pool, 8, false);
	rule_pool_give_back(pool, eight);
	assert_int_equal(take(pool, 8, false), eight);
	rule_pool_give_back(pool, eight);
	rule_pool_give_back(pool, eight);
	assert_int_equal(rule_pool_count(pool), 0);
	/* What nobody uses isn't given back any further. */
	rule_pool_give_back(pool, eight);
	assert_int_equal(rule_pool_count(pool), 0);
	assert_int_equal(take(pool, 24, true), eight);
	rule_pool_free(pool);
}

static void test_all_numbers_but_0_can_be_had_again_and_again(void **state)
{
	struct rule_pool *pool = rule_pool_new();
	const struct record_unwind_rule another = rule_of(-1);
	bool is_new;

	(void)state;
	for (int round = 0; round < 3; round++) {
		uint16_t last = 0;

		for (int32_t i = 1; i < RECORD_UNWIND_RULES_MAX; i++) {
			last = take(pool, i * 8, true);
			assert_int_not_equal(last, 0);
		}
		assert_int_equal(rule_pool_take(pool, &another, &is_new), 0);
		assert_int_equal(take(pool, 8 * (RECORD_UNWIND_RULES_MAX - 1), false), last);
		rule_pool_give_back(pool, last);
		for (uint32_t number = 1; number < RECORD_UNWIND_RULES_MAX; number++)
			rule_pool_give_back(pool, (uint16_t)number);
		assert_int_equal(rule_pool_count(pool), 0);
	}
	rule_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_rules_share_a_number),
		cmocka_unit_test(test_a_number_is_free_when_nobody_uses_it),
		cmocka_unit_test(test_all_numbers_but_0_can_be_had_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
