/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRANGER_UID 65534
#define GROUP_GID    4242

static struct sockaddr_storage local_ipv4(const char *text)
{
	struct sockaddr_storage local = {0};
	struct sockaddr_in *address = (struct sockaddr_in *)&local;

	address->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, text, &address->sin_addr), 1);
	return local;
}

static struct sockaddr_storage local_ipv6(const char *text)
{
	struct sockaddr_storage local = {0};
	struct sockaddr_in6 *address = (struct sockaddr_in6 *)&local;

	address->sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &address->sin6_addr), 1);
	return local;
}

static void test_hosts_that_name_us_are_allowed(void **state)
{
	static const char *const allowed[] = {
		"localhost", "LocalHost:9735", "127.0.0.1",  "127.0.0.1:1",
		"127.8.8.8", "[::1]",          "[::1]:80",   "[::ffff:127.0.0.1]:80",
		"10.1.2.3",  "10.1.2.3:9735",  "localhost:",
	};
	struct sockaddr_storage local = local_ipv4("10.1.2.3");

	(void)state;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if (!access_allows_host(allowed[i], &local))
			fail_msg("%s was refused", allowed[i]);
	}
}

static void test_hosts_that_name_others_are_refused(void **state)
{
	static const char *const refused[] = {
		"",
		":9735",
		"evil.example",
		"localhost.evil.example",
		"127.0.0.1.evil.example",
		"evil.example:9735",
		"10.1.2.4",
		"0.0.0.0",
		"[::]",
		"[::1",
		"[localhost]",
		"::1",
		"[::1]x",
		"localhost:80x",
		"localhost@evil.example",
		"2130706433",
		"0x7f.1",
		"127.1",
		" localhost",
		"localhost, evil.example",
		"a-name-that-is-much-longer-than-any-address-in-text-form-could-ever-be",
	};
	struct sockaddr_storage local = local_ipv4("10.1.2.3");

	(void)state;
	assert_false(access_allows_host(NULL, &local));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (access_allows_host(refused[i], &local))
			fail_msg("%s was allowed", refused[i]);
	}
}

static void test_a_dual_stack_address_equals_its_ipv4_form(void **state)
{
	struct sockaddr_storage mapped = local_ipv6("::ffff:10.1.2.3");
	struct sockaddr_storage ipv6 = local_ipv6("fd00::1");

	(void)state;
	assert_true(access_allows_host("10.1.2.3:9735", &mapped));
	assert_false(access_allows_host("10.1.2.4:9735", &mapped));
	assert_true(access_allows_host("[FD00:0::1]:9735", &ipv6));
	assert_false(access_allows_host("[fd00::2]:9735", &ipv6));
}

/* Who the kernel says a child is that took these identities and then connected. */
static struct view_viewer identify_child(uid_t uid, gid_t gid, size_t group_count,
					 const gid_t *groups, const struct access_group *group)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(address);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), peer, status;
	struct view_viewer viewer = {.uid = 1};
	pid_t child;

	/* A bare family: the kernel picks an abstract name. */
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	child = fork();
	if (child == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		_exit(setgroups(group_count, groups) || setresgid(gid, gid, gid) ||
		      setresuid(uid, uid, uid) || connect(fd, (struct sockaddr *)&address, size));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	peer = accept(listener, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(access_identify_peer(peer, group, &viewer), 0);
	close(peer);
	close(listener);
	return viewer;
}

static const struct access_group the_group = {.exists = true, .gid = GROUP_GID};

static void test_root_sees_all(void **state)
{
	struct access_group none = {0};

	(void)state;
	assert_true(identify_child(0, 0, 0, NULL, &none).sees_all);
}

static void test_a_stranger_sees_its_own_alone(void **state)
{
	gid_t others[] = {1, 2, 3};
	struct view_viewer viewer = identify_child(STRANGER_UID, 1, 3, others, &the_group);

	(void)state;
	assert_int_equal(viewer.uid, STRANGER_UID);
	assert_false(viewer.sees_all);
}

static void test_the_primary_group_counts(void **state)
{
	(void)state;
	assert_true(identify_child(STRANGER_UID, GROUP_GID, 0, NULL, &the_group).sees_all);
}

static void test_supplementary_groups_count_however_many(void **state)
{
	gid_t groups[1000];

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		groups[i] = 100000 + (gid_t)i;
	assert_false(identify_child(STRANGER_UID, 1, 1000, groups, &the_group).sees_all);
	groups[999] = GROUP_GID;
	assert_true(identify_child(STRANGER_UID, 1, 1000, groups, &the_group).sees_all);
	assert_true(identify_child(STRANGER_UID, 1, 1, groups + 999, &the_group).sees_all);
}

static void test_a_group_that_does_not_exist_has_no_members(void **state)
{
	struct access_group none = access_find_group("no-such-group-here");

	(void)state;
	assert_false(none.exists);
	assert_false(access_find_group("").exists);
	assert_false(access_find_group(NULL).exists);
	/* Its gid of 0 means nothing: root's group is not made a door by it. */
	assert_false(identify_child(STRANGER_UID, 0, 0, NULL, &none).sees_all);
}

static void test_a_group_is_found_by_its_name(void **state)
{
	struct access_group group = access_find_group("daemon");

	(void)state;
	assert_true(group.exists);
	assert_int_equal(group.gid, getgrnam("daemon")->gr_gid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_that_name_us_are_allowed),
		cmocka_unit_test(test_hosts_that_name_others_are_refused),
		cmocka_unit_test(test_a_dual_stack_address_equals_its_ipv4_form),
		cmocka_unit_test(test_root_sees_all),
		cmocka_unit_test(test_a_stranger_sees_its_own_alone),
		cmocka_unit_test(test_the_primary_group_counts),
		cmocka_unit_test(test_supplementary_groups_count_however_many),
		cmocka_unit_test(test_a_group_that_does_not_exist_has_no_members),
		cmocka_unit_test(test_a_group_is_found_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
