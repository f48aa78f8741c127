/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives out the files of the page. Runs in the http process. What is built in
 * is found by its whole name in a table; in http.web_root a name has only
 * letters, digits and "._-/", and no part of it leads up or begins with a dot.
 */
#include "control/http/assets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/http/server.h"
#include "shm/plain.h"

enum { FILE_MAX = 8 << 20 };

static const char *
web_root(const struct http_call *call)
{
	return call->control->proc->conf->http.web_root;
}

/* "/" is "/index.html". */
static const char *
name_of(const struct http_call *call)
{
	return strcmp(call->path, "/") == 0 ? "/index.html" : call->path;
}

static const struct asset *
find(const char *name)
{
	for (unsigned i = 0; i < nassets; i++)
		if (strcmp(assets[i].path, name) == 0)
			return &assets[i];
	return NULL;
}

/* ---- from a directory ---- */

static bool
may_open(const char *name)
{
	return name[strspn(name,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789._-/")] == '\0' &&
	    strstr(name, "/.") == NULL && strstr(name, "//") == NULL;
}

/* The file, or -1; it may be none that can be read. */
static int
open_file(const struct http_call *call)
{
	const char *name = name_of(call);
	int dir, fd = -1;

	if (!may_open(name))
		return -1;
	dir = open(web_root(call), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		fd = openat(dir, name + 1,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (dir >= 0)
		close(dir);
	return fd;
}

static const char *
type_of(const char *name)
{
	static const struct {
		const char *end, *type;
	} types[] = {
		{ ".html", HTTP_HTML },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".mjs", "text/javascript; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".json", HTTP_JSON },
		{ ".webmanifest", "application/manifest+json" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".ico", "image/x-icon" },
		{ ".woff2", "font/woff2" },
		{ ".txt", HTTP_TEXT },
	};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]);
	     i++)
		if (strcmp(types[i].end, dot) == 0)
			return types[i].type;
	return "application/octet-stream";
}

/* Whoever edits the page wants to see each change at once: nothing is kept. */
static void
serve_file(struct http_call *call)
{
	size_t len = 0;
	void *data = plain_take(open_file(call), FILE_MAX, &len);

	if (data == NULL)
		http_fail(call, 404, "no_path", "There is nothing at %.200s.",
		    call->path);
	else
		http_reply(call, 200, type_of(name_of(call)), data, len);
	free(data);
}

/* ---- from the program ---- */

bool
assets_have(const struct http_call *call)
{
	struct stat st;
	bool plain;
	int fd;

	if (web_root(call) == NULL)
		return find(name_of(call)) != NULL;
	fd = open_file(call);
	if (fd < 0)
		return false;
	plain = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	close(fd);
	return plain;
}

void
assets_serve(struct http_call *call)
{
	const struct asset *a;
	const char *accept = http_header(call, "accept-encoding");
	const char *known = http_header(call, "if-none-match");

	if (web_root(call) != NULL) {
		serve_file(call);
		return;
	}
	a = find(name_of(call));
	if (a == NULL) {
		http_fail(call, 404, "no_path", "There is nothing at %.200s.",
		    call->path);
		return;
	}
	http_add(call, "ETag", a->etag);
	http_add(call, "Cache-Control", "no-cache");
	http_add(call, "Vary", "Accept-Encoding");
	if (known != NULL && strstr(known, a->etag) != NULL) {
		http_reply(call, 304, NULL, "", 0);
	} else if (accept != NULL && head_lists(accept, "gzip") &&
	    a->gz_len < a->len) {
		http_add(call, "Content-Encoding", "gzip");
		http_reply(call, 200, a->type, (const char *)a->gz, a->gz_len);
	} else {
		http_reply(call, 200, a->type, (const char *)a->data, a->len);
	}
}
