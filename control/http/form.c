/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes addresses and forms: bytes that anybody may have made up. A decoded
 * text is never longer than it was, so all is done where it lies. Runs in the
 * http process; knows no socket and no file.
 */
#include "control/http/form.h"

#include <string.h>

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%41" is "A" and, in forms, "+" a space. False if it is no text. */
static bool
decode(char *text, bool plus)
{
	char *to = text;

	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '%') {
			int high = hex(c[1]), low = high < 0 ? -1 : hex(c[2]);

			if (low < 0 || (high == 0 && low == 0))
				return false;
			*to++ = (char)(high << 4 | low);
			c += 2;
		} else {
			*to++ = plus && *c == '+' ? ' ' : *c;
		}
	}
	*to = '\0';
	return true;
}

/* No part of it leads out of where it begins. */
static bool
stays(const char *path)
{
	for (const char *at = path; at != NULL; at = strchr(at + 1, '/')) {
		const char *part = *at == '/' ? at + 1 : at;
		size_t len = strcspn(part, "/");

		if ((len == 1 && part[0] == '.') ||
		    (len == 2 && part[0] == '.' && part[1] == '.'))
			return false;
	}
	return strchr(path, '\\') == NULL;
}

bool
form_target(char *target, char **path, char **query)
{
	*path = target;
	*query = strchr(target, '?');
	if (*query != NULL)
		*(*query)++ = '\0';
	target[strcspn(target, "#")] = '\0';
	return decode(target, false) && *target != '\0' && stays(target);
}

bool
form_take(struct http_call *call, char *text, bool of_form)
{
	char *rest = text, *pair, *equals;

	while ((pair = strsep(&rest, "&")) != NULL) {
		if (*pair == '\0')
			continue;
		if (call->nfields == HTTP_FIELDS_MAX)
			return false;
		equals = strchr(pair, '=');
		if (equals != NULL)
			*equals++ = '\0';
		else
			equals = pair + strlen(pair);
		if (!decode(pair, true) || !decode(equals, true))
			return false;
		call->field[call->nfields++] =
		    (struct http_field){ pair, equals, of_form };
	}
	return true;
}
