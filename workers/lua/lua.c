/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part "lua": scripts as actions, and their lives. A script is loaded, run
 * for as long as it does what it may, put aside when it does not, and loaded
 * anew when its file has changed. Runs in the workers, on the request path of
 * values with such actions alone, and in the clock process.
 */
#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shm/clock.h"
#include "shm/log.h"
#include "shm/plain.h"
#include "workers/action/script.h"
#include "workers/lua/box.h"
#include "workers/lua/cell.h"

enum {
	FILE_BYTES_MAX = 1 << 20,
	LOAD_INSTRUCTIONS = 1000000,
	LOOK_MS = 1000, /* between two looks at the file */
	WHY = 300,
};

struct script {
	char *path, *function, *where;
	const struct conf_options *parameters;
	uint64_t instructions;
	size_t memory_bytes;
	struct box box;
	bool runs;
	uint64_t looked_ns;
	struct stat seen; /* as it was loaded */
};

/* ---- loading ---- */

struct source {
	const char *name, *text;
	size_t len;
};

/* A lua_CFunction: what the file does as it is loaded. */
static int
load(lua_State *L)
{
	const struct source *s = lua_touserdata(L, 1);

	cell_prepare(L);
	if (luaL_loadbufferx(L, s->text, s->len, s->name, "t") != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 0);
	return 0;
}

/* The script's text, malloc'd; NULL with errno. */
static char *
whole(struct script *s, size_t *len)
{
	int fd = plain_open(s->path);

	if (fd >= 0)
		fstat(fd, &s->seen);
	return (char *)plain_take(fd, FILE_BYTES_MAX, len);
}

/* What a script says is bytes from outside: one line of text. */
static void
put_aside(struct script *s, const char *said)
{
	char why[WHY];

	snprintf(why, sizeof(why), "%s", said);
	for (char *c = why; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	log_warnx("%s: the script is put aside file=%s why=\"%s\"", s->where,
	    s->path, why);
	s->runs = false;
	box_close(&s->box);
}

static void
start(struct script *s)
{
	char name[WHY / 2], words[WHY];
	struct source src = { .name = name };
	const char *last = strrchr(s->path, '/');
	char *text = whole(s, &src.len);

	s->runs = false;
	if (text == NULL) {
		put_aside(s, plain_why(errno));
		return;
	}
	snprintf(name, sizeof(name), "@%s", last != NULL ? last + 1 : s->path);
	src.text = text;
	if (box_open(&s->box, s->memory_bytes) == -1)
		put_aside(s, "out of memory");
	else if (box_call(&s->box, load, &src, LOAD_INSTRUCTIONS, words,
		     sizeof(words)) == -1)
		put_aside(s, words);
	else
		s->runs = true;
	free(text);
}

/* Loads it again if the file is another one than it was. Looked at once in a
 * while only: a system call is more than most scripts take. */
static void
look(struct script *s)
{
	uint64_t now = clock_mono_ns();
	struct stat st;

	if (now - s->looked_ns < LOOK_MS * 1000000ull)
		return;
	s->looked_ns = now;
	if (stat(s->path, &st) < 0 ||
	    (st.st_mtim.tv_sec == s->seen.st_mtim.tv_sec &&
		st.st_mtim.tv_nsec == s->seen.st_mtim.tv_nsec &&
		st.st_size == s->seen.st_size && st.st_ino == s->seen.st_ino))
		return;
	box_close(&s->box);
	start(s);
	if (s->runs)
		log_info(
		    "%s: the script is loaded anew file=%s", s->where, s->path);
}

/* ---- what the host calls ---- */

static void
close_script(struct script *s)
{
	box_close(&s->box);
	free(s->path);
	free(s->function);
	free(s->where);
	free(s);
}

static struct script *
open_script(const struct script_opts *o)
{
	struct script *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->path = strdup(o->path);
	s->function = strdup(o->function);
	s->where = strdup(o->where);
	s->parameters = o->parameters;
	s->instructions = o->instructions;
	s->memory_bytes = o->memory_bytes;
	if (s->path == NULL || s->function == NULL || s->where == NULL) {
		close_script(s);
		return NULL;
	}
	s->looked_ns = clock_mono_ns();
	start(s);
	return s;
}

static enum hf_exception
run_script(struct script *s, struct hf_cell *c, double seconds)
{
	struct cell_call call = { .c = c,
		.function = s->function,
		.parameters = s->parameters,
		.s = seconds };
	char why[WHY];

	look(s);
	if (!s->runs)
		return HF_EX_NONE;
	if (box_call(&s->box, cell_call, &call, s->instructions, why,
		sizeof(why)) == 0)
		return call.ex;
	put_aside(s, why);
	return HF_EX_NONE;
}

extern const struct script_ops script_lua;
const struct script_ops script_lua = {
	.size = sizeof(script_lua),
	.open = open_script,
	.run = run_script,
	.close = close_script,
};
