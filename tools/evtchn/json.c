/* SPDX-License-Identifier: MIT */
/* Strings in JSON documents on stdout. */
#include <stdio.h>

#include "json.h"

/* Bytes that are not plain ASCII become \u00XX: valid whatever they are. */
void json_string(const char *text, size_t max)
{
	putchar('"');
	for (; max && *text; max--, text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c > '~')
			printf("\\u%04x", c);
		else if (c == '"' || c == '\\')
			printf("\\%c", c);
		else
			putchar(c);
	}
	putchar('"');
}
