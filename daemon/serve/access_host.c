/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

/* The part of a Host header before the port, without the brackets of an IPv6 address. */
struct host_name {
	bool is_bracketed;
	char text[INET6_ADDRSTRLEN];
};

static bool is_port(const char *text)
{
	return text[0] == '\0' || (text[0] == ':' && text[1 + strspn(text + 1, "0123456789")] == 0);
}

static bool parse_host(const char *host, struct host_name *name)
{
	const char *start = host, *end;
	size_t length;

	name->is_bracketed = host[0] == '[';
	if (name->is_bracketed) {
		start = host + 1;
		end = strchr(start, ']');
		if (!end || !is_port(end + 1))
			return false;
	} else {
		end = start + strcspn(start, ":");
		if (!is_port(end))
			return false;
	}
	length = (size_t)(end - start);
	if (length == 0 || length >= sizeof(name->text))
		return false;
	memcpy(name->text, start, length);
	name->text[length] = '\0';
	return true;
}

static bool is_loopback(const struct in6_addr *address)
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		return address->s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(address);
}

/* IPv4 in its mapped form, so that a dual-stack listener's addresses compare equal. */
static void map_ipv4(const struct in_addr *from, struct in6_addr *to)
{
	*to = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
	memcpy(&to->s6_addr[12], from, sizeof(*from));
}

static bool parse_address(const struct host_name *name, struct in6_addr *address)
{
	struct in_addr ipv4;

	if (name->is_bracketed)
		return inet_pton(AF_INET6, name->text, address) == 1;
	if (inet_pton(AF_INET, name->text, &ipv4) != 1)
		return false;
	map_ipv4(&ipv4, address);
	return true;
}

static bool local_address(const struct sockaddr_storage *local, struct in6_addr *address)
{
	if (local->ss_family == AF_INET6)
		*address = ((const struct sockaddr_in6 *)local)->sin6_addr;
	else if (local->ss_family == AF_INET)
		map_ipv4(&((const struct sockaddr_in *)local)->sin_addr, address);
	else
		return false;
	return true;
}

bool access_allows_host(const char *host, const struct sockaddr_storage *local)
{
	struct host_name name;
	struct in6_addr address, ours;

	if (!host || !parse_host(host, &name))
		return false;
	if (!name.is_bracketed && strcasecmp(name.text, "localhost") == 0)
		return true;
	if (!parse_address(&name, &address))
		return false;
	if (is_loopback(&address))
		return true;
	return local_address(local, &ours) && memcmp(&address, &ours, sizeof(ours)) == 0;
}
