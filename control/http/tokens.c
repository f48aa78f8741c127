/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens. Runs in the http process. A file with a mistake in it changes
 * nothing: the tokens that were read before stay in force, and the log says
 * so. A file that has gone takes all of them with it.
 */
#include "control/http/tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/log.h"
#include "shm/plain.h"

enum { FILE_MAX = 65536 };

struct token {
	enum cmd_role role;
	char text[TOKEN_MAX + 1]; /* zeros behind it */
	char name[TOKEN_NAME];
};

struct tokens {
	char *path;
	struct token at[TOKENS_MAX];
	unsigned n;
	/* of the file that was looked at last */
	struct timespec changed;
	ino_t inode;
	off_t size;
	mode_t mode;
};

/* One line, of which nothing is left but its words. 1, 0: nothing, -1. */
static int
parse_line(char *line, struct token *t)
{
	char *save, *role, *text, *name;
	int r;

	line[strcspn(line, "#\r")] = '\0';
	role = strtok_r(line, " \t", &save);
	if (role == NULL)
		return 0;
	text = strtok_r(NULL, " \t", &save);
	name = strtok_r(NULL, " \t", &save);
	r = cmd_role_find(role);
	if (r < 0 || text == NULL || strlen(text) < TOKEN_MIN ||
	    strlen(text) > TOKEN_MAX ||
	    (name != NULL && strlen(name) >= TOKEN_NAME) ||
	    strtok_r(NULL, " \t", &save) != NULL)
		return -1;
	memset(t, 0, sizeof(*t));
	t->role = (enum cmd_role)r;
	memcpy(t->text, text, strlen(text));
	snprintf(t->name, sizeof(t->name), "%s", name != NULL ? name : role);
	return 1;
}

int
tokens_parse(char *text, struct token *at, char *why, size_t size)
{
	unsigned n = 0, number = 0;
	char *line, *rest = text;
	int rc;

	while ((line = strsep(&rest, "\n")) != NULL) {
		struct token t;

		number++;
		rc = parse_line(line, &t);
		if (rc == 0)
			continue;
		if (rc < 0) {
			snprintf(why, size,
			    "line %u is no \"ROLE TOKEN [NAME]\" with a role "
			    "of read, operate, admin and a token of %d to %d "
			    "characters",
			    number, TOKEN_MIN, TOKEN_MAX);
			return -1;
		}
		if (n == TOKENS_MAX) {
			snprintf(why, size, "more than %d tokens", TOKENS_MAX);
			return -1;
		}
		at[n++] = t;
	}
	return (int)n;
}

/* The file's text, malloc'd, of len bytes; NULL with why. */
static char *
read_file(const char *path, size_t *len, char *why, size_t size)
{
	int fd = plain_open(path);
	char *text = NULL;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 077) != 0) {
		snprintf(why, size,
		    "may be read by others than its owner: chmod 600");
		close(fd);
		return NULL;
	}
	text = (char *)plain_take(fd, FILE_MAX, len);
	if (text == NULL) {
		snprintf(why, size, "%s", plain_why(errno));
	} else if (memchr(text, '\0', *len) != NULL) {
		snprintf(why, size, "it is no text");
		explicit_bzero(text, *len);
		free(text);
		text = NULL;
	}
	return text;
}

static int
load(struct tokens *t, char *why, size_t size)
{
	struct token *at = calloc(TOKENS_MAX, sizeof(*at));
	size_t len = 0;
	char *text = read_file(t->path, &len, why, size);
	int n = -1;

	if (at != NULL && text != NULL)
		n = tokens_parse(text, at, why, size);
	if (n >= 0) {
		memcpy(t->at, at, (size_t)n * sizeof(*at));
		t->n = (unsigned)n;
	}
	if (text != NULL)
		explicit_bzero(text, len);
	free(text);
	free(at);
	return n >= 0 ? 0 : -1;
}

/* True if the file is not the one that was looked at last. */
static bool
changed(struct tokens *t)
{
	struct stat st = { 0 };
	bool same;

	if (stat(t->path, &st) < 0)
		memset(&st, 0, sizeof(st));
	same = st.st_ino == t->inode && st.st_size == t->size &&
	    st.st_mode == t->mode && st.st_mtim.tv_sec == t->changed.tv_sec &&
	    st.st_mtim.tv_nsec == t->changed.tv_nsec;
	t->inode = st.st_ino;
	t->size = st.st_size;
	t->mode = st.st_mode;
	t->changed = st.st_mtim;
	return !same;
}

static void
look_again(struct tokens *t)
{
	char why[200];

	if (!changed(t))
		return;
	if (t->inode == 0) {
		t->n = 0;
		log_warnx("%s: gone, and the tokens with it", t->path);
	} else if (load(t, why, sizeof(why)) < 0) {
		log_error("%s: %s; the tokens read before stay", t->path, why);
	} else {
		log_info("tokens read file=%s tokens=%u", t->path, t->n);
	}
}

struct tokens *
tokens_open(const char *path, char *why, size_t size)
{
	struct tokens *t = calloc(1, sizeof(*t));

	snprintf(why, size, "out of memory");
	if (t == NULL || (t->path = strdup(path)) == NULL) {
		free(t);
		return NULL;
	}
	changed(t);
	if (load(t, why, size) == 0)
		return t;
	tokens_close(t);
	return NULL;
}

void
tokens_close(struct tokens *t)
{
	if (t == NULL)
		return;
	free(t->path);
	explicit_bzero(t, sizeof(*t));
	free(t);
}

enum cmd_role
tokens_find(struct tokens *t, const char *token, char name[TOKEN_NAME])
{
	char text[TOKEN_MAX + 1] = "";
	size_t len = strlen(token);
	unsigned found = TOKENS_MAX;

	look_again(t);
	if (len < TOKEN_MIN || len > TOKEN_MAX)
		return CMD_NOBODY;
	memcpy(text, token, len);
	for (unsigned i = 0; i < t->n; i++) {
		volatile unsigned char differ = 0;

		for (unsigned k = 0; k < sizeof(text); k++)
			differ |= (unsigned char)(text[k] ^ t->at[i].text[k]);
		found = differ == 0 ? i : found;
	}
	if (found == TOKENS_MAX)
		return CMD_NOBODY;
	snprintf(name, TOKEN_NAME, "%s", t->at[found].name);
	return t->at[found].role;
}
