/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key files. Runs in the control process, which reads the secret key once and
 * the authorized keys when they have changed.
 */

#include "control/zmq/curve.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "shm/log.h"
#include "shm/plain.h"

enum { LINE_MAX_BYTES = 512 };

/* Cuts white space and quotes off both ends. */
static char *
trim(char *s)
{
	size_t len;

	s += strspn(s, " \t\r\n\"");
	len = strlen(s);
	while (len > 0 && strchr(" \t\r\n\"", s[len - 1]) != NULL)
		s[--len] = '\0';
	return s;
}

/* Opens a plain file for reading; whatever else stands there is not waited for.
 * NULL with errno. */
static FILE *
open_text(const char *path)
{
	int fd = plain_open(path), err;
	FILE *f = fd != -1 ? fdopen(fd, "r") : NULL;

	if (fd != -1 && f == NULL) {
		err = errno;
		close(fd);
		errno = err;
	}
	return f;
}

/* The value of a name in a file into out; 1 found, 0 not, -1 with errno. */
static int
read_value(const char *path, const char *name, char *out, size_t size)
{
	FILE *f = open_text(path);
	char line[LINE_MAX_BYTES], *eq;
	int found = 0;

	if (f == NULL)
		return -1;
	while (found == 0 && fgets(line, sizeof(line), f) != NULL) {
		eq = strchr(line, '=');
		if (line[strspn(line, " \t")] == '#' || eq == NULL)
			continue;
		*eq = '\0';
		if (strcmp(trim(line), name) != 0)
			continue;
		found =
		    snprintf(out, size, "%s", trim(eq + 1)) < (int)size ? 1 : 0;
	}
	fclose(f);
	return found;
}

static bool
is_key(const char *text)
{
	uint8_t key[32];

	return strlen(text) == CURVE_TEXT - 1 &&
	    zmq_z85_decode(key, text) != NULL;
}

/* A file that is nothing but a key. */
static bool
read_bare_key(const char *path, char key[CURVE_TEXT])
{
	FILE *f = open_text(path);
	char line[LINE_MAX_BYTES];
	bool found;

	if (f == NULL)
		return false;
	found = fgets(line, sizeof(line), f) != NULL && is_key(trim(line));
	fclose(f);
	if (found)
		memcpy(key, trim(line), CURVE_TEXT);
	return found;
}

int
curve_load_secret(
    const char *path, char secret[CURVE_TEXT], char *why, size_t size)
{
	int rc = read_value(path, "secret-key", secret, CURVE_TEXT);

	if (rc == -1) {
		snprintf(
		    why, size, "cannot read %s: %s", path, plain_why(errno));
		return -1;
	}
	if ((rc == 0 || !is_key(secret)) && !read_bare_key(path, secret)) {
		snprintf(
		    why, size, "%s holds no secret-key of 40 characters", path);
		return -1;
	}
	return 0;
}

/* 1 if it may come in, 0 if not, -1 if that could not be found out. */
static int
load_client(const char *path, const char *name, struct curve_client *client)
{
	char key[CURVE_TEXT], role[16] = "";
	int found = read_value(path, "public-key", key, sizeof(key)), as;

	if (found == -1) {
		log_warnx("authorized key cannot be read file=%s: %s", path,
		    plain_why(errno));
		return -1;
	}
	if (found == 0 || !is_key(key)) {
		log_warnx("no public-key of 40 characters file=%s", path);
		return 0;
	}
	if (read_value(path, "role", role, sizeof(role)) != 1)
		snprintf(role, sizeof(role), "read");
	as = cmd_role_find(role);
	if (as == -1) {
		log_warnx(
		    "unknown role=%s file=%s; it is not let in", role, path);
		return 0;
	}
	zmq_z85_decode(client->key, key);
	client->role = (enum cmd_role)as;
	snprintf(client->name, sizeof(client->name), "%.60s", name);
	return 1;
}

/* A number that is another one once any file of a directory has changed; 0 if
 * it cannot be read. */
static uint64_t
stamp_of(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	uint64_t stamp = 1;
	struct stat st;

	if (d == NULL)
		return 0;
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(d), entry->d_name, &st, 0) == -1)
			continue;
		stamp = (stamp ^ st.st_ino) * 0x100000001b3;
		stamp = (stamp ^ (uint64_t)st.st_size) * 0x100000001b3;
		stamp = (stamp ^ (uint64_t)st.st_ctim.tv_sec) * 0x100000001b3;
		stamp = (stamp ^ (uint64_t)st.st_ctim.tv_nsec) * 0x100000001b3;
	}
	closedir(d);
	return stamp;
}

/* Adds the client of one file; -1 if it could not be read. */
static int
add_client(struct curve_clients *clients, const char *dir, const char *name)
{
	struct curve_client *at =
	    realloc(clients->at, (clients->n + 1) * sizeof(clients->at[0]));
	struct stat st;
	char *path;
	int rc = 0;

	if (at == NULL)
		return -1;
	clients->at = at;
	if (asprintf(&path, "%s/%s", dir, name) == -1)
		return -1;
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		rc = load_client(path, name, &at[clients->n]);
	free(path);
	if (rc == 1)
		clients->n++;
	return rc;
}

int
curve_load_clients(struct curve_clients *clients, const char *dir)
{
	uint64_t stamp = stamp_of(dir);
	struct dirent *entry;
	DIR *d;

	if (stamp != 0 && stamp == clients->stamp)
		return 0;
	clients->stamp = stamp;
	clients->n = 0;
	d = opendir(dir);
	if (d == NULL) {
		clients->stamp = 0;
		return -1;
	}
	while ((entry = readdir(d)) != NULL && clients->n < CURVE_CLIENTS_MAX)
		if (entry->d_name[0] != '.' &&
		    add_client(clients, dir, entry->d_name) == -1)
			clients->stamp = 0; /* perhaps the next time */
	closedir(d);
	return 0;
}

void
curve_free_clients(struct curve_clients *clients)
{
	free(clients->at);
	*clients = (struct curve_clients){ 0 };
}

const struct curve_client *
curve_find(const struct curve_clients *clients, const uint8_t key[32])
{
	for (size_t i = 0; i < clients->n; i++)
		if (memcmp(clients->at[i].key, key, 32) == 0)
			return &clients->at[i];
	return NULL;
}
