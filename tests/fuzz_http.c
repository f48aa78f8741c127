/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the head of a request over HTTP, and as its address and form.
 * Where a head ends does not depend on how its bytes came; what is taken is
 * text within what came, and no path leads out.
 *
 * Needs: control/http/head.c control/http/form.c
 */

#include <stdlib.h>
#include <string.h>

#include "control/http/form.h"
#include "control/http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* Text that lies in a piece of memory, its NUL included. */
static void
lies_in(const char *text, const char *from, size_t len)
{
	must(text >= from && text < from + len);
	must(strnlen(text, (size_t)(from + len - text)) <
	    (size_t)(from + len - text));
}

static size_t
end_in_steps(const char *text, size_t len)
{
	size_t seen = 0, end = 0;

	for (size_t have = 1; have <= len && end == 0; have++)
		end = head_end(text, have, &seen);
	return end;
}

static void
try_target(char *target)
{
	static struct http_call call;
	char *path, *query;

	call.nfields = 0;
	if (!form_target(target, &path, &query))
		return;
	must(strstr(path, "/../") == NULL && strstr(path, "/./") == NULL);
	must(strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/..") != 0);
	if (query == NULL || !form_take(&call, query, true))
		return;
	for (unsigned i = 0; i < call.nfields; i++)
		must(call.field[i].name != NULL && call.field[i].value != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	const char *why = NULL;
	struct head h;
	size_t seen = 0, end;

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	end = head_end(text, size, &seen);
	must(end <= size && end == end_in_steps(text, size));
	if (end > 0) {
		int status = head_parse(text, end, &h, &why);

		must(status == 0 || (status >= 400 && why != NULL));
		if (status == 0) {
			lies_in(h.method, text, end + 1);
			lies_in(h.target, text, end + 1);
			must(h.target[0] == '/' || h.target[0] == '*');
			must(strpbrk(h.target, " \r\n") == NULL);
			for (unsigned i = 0; i < h.n; i++) {
				lies_in(h.header[i].name, text, end + 1);
				lies_in(h.header[i].value, text, end + 1);
				must(
				    strpbrk(h.header[i].value, "\r\n") == NULL);
			}
			try_target(h.target);
		}
	} else {
		try_target(text);
	}
	free(text);
	return 0;
}
