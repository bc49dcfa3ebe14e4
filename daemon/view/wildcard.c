/* SPDX-License-Identifier: Apache-2.0 */
#include "view/wildcard.h"

#include <stddef.h>
#include <string.h>

bool wildcard_matches(const char *pattern, const char *text)
{
	/* Where to go on when what follows the last star doesn't fit: it then stands for more. */
	const char *star = NULL, *star_text = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			star_text = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++star_text;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool wildcard_matches_path(const char *pattern, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (wildcard_matches(pattern, path))
		return true;
	return slash && !strchr(pattern, '/') && wildcard_matches(pattern, slash + 1);
}
