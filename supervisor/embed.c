/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the copy of a program to its server. Runs once in that copy. It never
 * returns to the program's code, nor does it run what that wants done at its
 * exit, or write what that has buffered.
 */
#include "supervisor/embed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/super.h"
#include "supervisor/title.h"

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int
embed_lift(int *fd)
{
	int high;

	if (*fd < 0 || *fd > STDERR_FILENO)
		return 0;
	high = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (high < 0)
		return -1;
	close(*fd);
	*fd = high;
	return 0;
}

int
embed_strip(int *keep, size_t n)
{
	int next = STDERR_FILENO + 1;

	log_exit_with(_exit);
	/* a handler of the program's has nothing to do here */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	qsort(keep, n, sizeof(keep[0]), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] > next &&
		    close_range((unsigned)next, (unsigned)keep[i] - 1, 0) < 0)
			return -1;
		if (keep[i] >= next)
			next = keep[i] + 1;
	}
	return close_range((unsigned)next, ~0u, 0);
}

/* Nothing that we do is seen on the program's terminal, and nobody who reads
 * its output waits for us; but what hooks print is the program's. */
static int
quiet(bool hooked)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	for (int std = 0; std <= STDERR_FILENO; std++)
		if ((!hooked || fcntl(std, F_GETFD) < 0) && dup2(fd, std) < 0)
			return -1;
	return fd;
}

static void
serve(const struct embed *e, struct host *h)
{
	struct conf *conf;
	int code;

	errno = 0;
	conf = conf_parse(&e->text, h->why, sizeof(h->why));
	if (conf == NULL) {
		h->err = errno;
		return;
	}
	conf->transports[0].autostart = true;
	code = super_serve(conf, e->roles, h);
	if (code != 0 && h->err == 0) {
		h->err = EIO;
		snprintf(h->why, sizeof(h->why),
		    "the server could not start (%d)", code);
	}
}

void
embed_run(struct embed *e)
{
	struct host h = { .hooks = e->hooks, .store = e->store };
	bool high = embed_lift(&e->chan) == 0 && embed_lift(&e->program) == 0 &&
	    embed_lift(&e->log_fd) == 0;
	int keep[] = { e->chan, e->program, e->log_fd };
	int null;

	h.chan = e->chan;
	h.program = e->program;
	if (!high || embed_strip(keep, sizeof(keep) / sizeof(keep[0])) < 0 ||
	    (null = quiet(e->hooks != NULL)) < 0) {
		h.err = errno;
		snprintf(
		    h.why, sizeof(h.why), "cannot begin: %s", strerror(errno));
	} else {
		/* a descriptor that can be exchanged, whatever was asked for */
		log_to(e->log_fd >= 0 ? e->log_fd : null, e->log_level);
		title_set("server");
		serve(e, &h);
	}
	host_end(&h);
	_exit(h.err != 0);
}
