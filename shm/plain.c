/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens and reads plain files, and nothing that could be waited for. Runs in
 * every process: the supervisor before its first fork, children at their birth
 * and at a reload.
 */
#include "shm/plain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -1 with errno unless it is a plain file. */
static int
look(int fd, struct stat *st)
{
	if (fstat(fd, st) == -1)
		return -1;
	if (S_ISREG(st->st_mode))
		return 0;
	errno = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
	return -1;
}

int
plain_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err;
	struct stat st;

	if (fd == -1 || look(fd, &st) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* Up to room bytes; -1 with errno. */
static ssize_t
slurp(int fd, uint8_t *to, size_t room)
{
	size_t len = 0;
	ssize_t n;

	while (len < room) {
		n = read(fd, to + len, room - len);
		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -1;
		len += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)len;
}

uint8_t *
plain_take(int fd, size_t max, size_t *len)
{
	struct stat st;
	uint8_t *data = NULL;
	ssize_t got = 0;
	int err = 0;

	if (fd == -1)
		return NULL;
	if (look(fd, &st) == -1)
		err = errno;
	else if ((uint64_t)st.st_size > max)
		err = EFBIG;
	else if ((data = malloc((size_t)st.st_size + 1)) == NULL)
		err = ENOMEM;
	else if ((got = slurp(fd, data, (size_t)st.st_size)) == -1)
		err = errno;
	close(fd);
	if (err == 0) {
		data[got] = '\0';
		*len = (size_t)got;
		return data;
	}
	if (data != NULL) /* it may be half a key */
		explicit_bzero(data, (size_t)st.st_size);
	free(data);
	errno = err;
	return NULL;
}

uint8_t *
plain_read(const char *path, size_t max, size_t *len)
{
	return plain_take(plain_open(path), max, len);
}

const char *
plain_why(int err)
{
	return err == EINVAL ? "it is no plain file" : strerror(err);
}
