/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a program gets processes for its servers without noticing.
 *
 * A child that is made with clone() and no signal for its end is nothing that
 * wait() finds and no SIGCHLD is sent for; we wait for it by its pid and
 * __WCLONE. That is how a program with one thread is copied.
 *
 * A program with several cannot be copied: locks that other threads hold would
 * be held in the copy for ever. hf_init() makes a copy in time, the fork
 * server, which does nothing but to fork when it is asked to. It ends with the
 * program. A request is a file in memory, with the descriptors that the server
 * needs and one for the answer, which is an errno: who has lost patience leaves
 * nothing behind that the next one could take for its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/api/api_lock.h"
#include "supervisor/api/api_server.h"
#include "supervisor/title.h"

/* ---- threads ---- */

static unsigned
count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	unsigned n = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* True if there are others. One that has been joined just now may still be
 * listed for a moment. */
static bool
threaded(void)
{
	const struct timespec moment = { 0, 1000000 };

	for (int i = 0; i < 10; i++) {
		if (count_threads() == 1)
			return false;
		nanosleep(&moment, NULL);
	}
	return true;
}

/* ---- copying ---- */

/* fork() without what the program wants done at a fork (pthread_atfork()), and
 * with this signal when the child ends, 0: none. Only when a server's process
 * makes its workers is that done, in a copy in which nobody else runs. */
static pid_t
copy_self(int sig)
{
	return (pid_t)syscall(SYS_clone, sig, NULL, NULL, NULL, 0);
}

/* A copy of a program with one thread, in which all signals are blocked. Its
 * handlers must not run there. */
static pid_t
copy_quietly(void)
{
	sigset_t all, was;
	pid_t pid;
	int err;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &was);
	pid = copy_self(0);
	err = errno;
	if (pid == 0) {
		api_locks_renew();
		api_forked_for_good();
	} else {
		sigprocmask(SIG_SETMASK, &was, NULL);
	}
	errno = err;
	return pid;
}

static int
pidfd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int
fork_here(const struct embed *e, pid_t *child)
{
	struct embed mine = *e;
	pid_t pid;

	mine.roles = &api_roles;
	mine.program = pidfd_of(getpid());
	pid = copy_quietly();
	if (pid == 0)
		embed_run(&mine);
	if (mine.program >= 0)
		close(mine.program);
	if (pid < 0)
		return api_fail(
		    0, "cannot make a process: %s", strerror(errno));
	*child = pid;
	return 0;
}

/* ---- the fork server ---- */

enum {
	FDS = 3, /* of a request: to the program, the log, for the answer */
	ASK_MS = 10000, /* for the answer: somebody may have stopped it */
};

/* What stands at the beginning of a request; texts and hooks follow. */
struct request {
	uint64_t folder, text, more, hooks; /* bytes each; 0: none */
	uint64_t store;
	uint32_t log_level;
	bool hooked, logs;
};

/* API_LOCK_FORK */
static int server = -1; /* to the fork server; -1: it has been killed */
static pid_t server_pid, server_of; /* whose hf_init() has made it */

/* Receives the descriptors of a request: the request, and FDS others. 1, 0 for
 * what is none, -1: the program has gone. */
static int
receive(int chan, int fds[1 + FDS])
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE((1 + FDS) * sizeof(int))];
	} ctl;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *c;

	if (recvmsg(chan, &msg, MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c == NULL || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN((1 + FDS) * sizeof(int)))
		return 0;
	memcpy(fds, CMSG_DATA(c), (1 + FDS) * sizeof(int));
	return 1;
}

/* A text of the request, NULL if there is none. */
static char *
cut(char **at, uint64_t len)
{
	char *here = *at;

	*at += (len + 15) / 16 * 16;
	return len > 0 ? here : NULL;
}

/* What lies in the file before the hooks; the rest must be there, too. */
static bool
fits(const struct request *r, off_t size)
{
	const uint64_t lens[] = { sizeof(*r), r->folder, r->text, r->more,
		r->hooks };
	uint64_t left = (uint64_t)size, len;

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		if (lens[i] > left)
			return false;
		len = (lens[i] + 15) / 16 * 16;
		if (len > left)
			return false;
		left -= len;
	}
	return left == 0;
}

static void __attribute__((__noreturn__))
serve_request(const int fds[1 + FDS], int program)
{
	struct embed e = { .chan = fds[1], .log_fd = -1, .roles = &api_roles };
	struct request *r;
	struct stat st;
	char *at;

	if (fstat(fds[0], &st) < 0 || st.st_size < (off_t)sizeof(*r))
		_exit(1);
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
	    fds[0], 0);
	if (at == MAP_FAILED)
		_exit(1);
	close(fds[0]);
	r = (struct request *)(void *)at;
	if (!fits(r, st.st_size))
		_exit(1);
	at += (sizeof(*r) + 15) / 16 * 16;
	e.text.folder = cut(&at, r->folder);
	e.text.text = cut(&at, r->text);
	e.text.more = cut(&at, r->more);
	e.text.hooked = r->hooked;
	e.hooks = api_hooks_unpack(at, r->hooks);
	e.program = program;
	e.store = r->store;
	e.log_level = (enum log_level)r->log_level;
	if (r->logs)
		e.log_fd = fds[2];
	embed_run(&e);
}

static void
obey(int chan, int program)
{
	int fds[1 + FDS], rc = receive(chan, fds), err;
	pid_t pid;

	if (rc < 0)
		_exit(0);
	if (rc == 0)
		return;
	pid = copy_self(SIGCHLD);
	if (pid == 0)
		serve_request(fds, program);
	err = pid < 0 ? errno : 0;
	/* nobody may be waiting for it any more; then the server ends, too */
	send(fds[FDS], &err, sizeof(err), MSG_NOSIGNAL | MSG_DONTWAIT);
	for (int i = 0; i <= FDS; i++)
		close(fds[i]);
}

/* Its children are the kernel's to bury. */
static void __attribute__((__noreturn__)) run(int chan, int program)
{
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
	int keep[2];

	if (embed_lift(&chan) < 0 || embed_lift(&program) < 0)
		_exit(1);
	p[0].fd = keep[0] = chan;
	p[1].fd = keep[1] = program;
	if (embed_strip(keep, 2) < 0)
		_exit(1);
	signal(SIGCHLD, SIG_IGN);
	title_set("fork server");
	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents != 0)
			_exit(0); /* the program has gone */
		if (p[0].revents != 0)
			obey(chan, program);
	}
}

/* ---- asking it ---- */

static void
put(FILE *f, const void *at, size_t len)
{
	static const char zeros[16];

	if (len > 0)
		fwrite(at, len, 1, f);
	fwrite(zeros, -len % sizeof(zeros), 1, f);
}

static uint64_t
text_bytes(const char *text)
{
	return text != NULL ? strlen(text) + 1 : 0;
}

/* A request as a file. -1 with errno. */
static int
write_request(const struct embed *e)
{
	size_t len = 0;
	void *hooks = e->hooks != NULL ? api_hooks_pack(e->hooks, &len) : NULL;
	struct request r = {
		.folder = text_bytes(e->text.folder),
		.text = text_bytes(e->text.text),
		.more = text_bytes(e->text.more),
		.hooks = len,
		.store = e->store,
		.log_level = e->log_level,
		.hooked = e->text.hooked,
		.logs = e->log_fd >= 0,
	};
	int fd = memfd_create("holdfast-request", MFD_CLOEXEC), own;
	bool whole = false;
	FILE *f;

	own = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	f = own >= 0 && (e->hooks == NULL || hooks != NULL) ? fdopen(own, "w")
							    : NULL;
	if (f != NULL) {
		put(f, &r, sizeof(r));
		put(f, e->text.folder, r.folder);
		put(f, e->text.text, r.text);
		put(f, e->text.more, r.more);
		put(f, hooks, len);
		whole = !ferror(f);
		whole &= fclose(f) == 0;
	} else if (own >= 0) {
		close(own);
	}
	free(hooks);
	if (whole)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = ENOMEM;
	return -1;
}

/* Sends a request, never waiting. 0, or an errno. */
static int
hand_over(const int fds[1 + FDS])
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE((1 + FDS) * sizeof(int))];
	} ctl = { .space = { 0 } };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int err = ECHILD;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((1 + FDS) * sizeof(int));
	memcpy(CMSG_DATA(c), fds, (1 + FDS) * sizeof(int));
	api_lock(API_LOCK_FORK);
	if (server >= 0)
		err = sendmsg(server, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0
		    ? errno
		    : 0;
	api_unlock(API_LOCK_FORK);
	return err;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits for the answer. 0, or an errno. */
static int
hear(int chan)
{
	struct pollfd p = { .fd = chan, .events = POLLIN };
	int64_t until = now_ms() + ASK_MS, left;
	int err;

	do {
		left = until - now_ms();
		if (left <= 0)
			return ETIMEDOUT;
	} while (poll(&p, 1, (int)left) <= 0);
	return recv(chan, &err, sizeof(err), 0) == sizeof(err) ? err : ECHILD;
}

/* Once it has gone, hf_init() may make another. */
static void
bury(void)
{
	struct pollfd p = { .events = 0 };
	pid_t pid = 0;

	api_lock(API_LOCK_FORK);
	p.fd = server;
	if (server >= 0 && poll(&p, 1, 0) == 1) {
		close(server);
		server = -1;
		pid = server_of == getpid() ? server_pid : 0;
	}
	api_unlock(API_LOCK_FORK);
	while (pid > 0 && waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
}

/* 0, or an errno. */
static int
ask(int fds[1 + FDS])
{
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return errno;
	fds[FDS] = pair[1];
	err = hand_over(fds);
	close(pair[1]); /* so that the end of the other can be heard */
	if (err == 0)
		err = hear(pair[0]);
	close(pair[0]);
	return err;
}

static int
fork_there(const struct embed *e)
{
	int fds[1 + FDS], err;

	if (e->hooks != NULL && !api_code_known(e->hooks))
		return api_fail(EINVAL,
		    "a hook lies in code that was loaded after hf_init(); the "
		    "program has threads, so load it before");
	fds[0] = write_request(e);
	if (fds[0] < 0)
		return api_fail(ENOMEM, "out of memory");
	fds[1] = e->chan;
	fds[2] = e->log_fd >= 0 ? e->log_fd : e->chan;
	err = ask(fds);
	close(fds[0]);
	if (err == 0)
		return 0;
	if (err == EPIPE || err == ECONNRESET || err == ECHILD) {
		bury();
		return api_fail(
		    ECHILD, "the process that hf_init() made has been killed");
	}
	if (err == ETIMEDOUT || err == EAGAIN)
		return api_fail(ETIMEDOUT,
		    "the process that hf_init() made does not answer");
	return api_fail(err, "cannot make a process: %s", strerror(err));
}

int
api_fork(const struct embed *e, pid_t *child)
{
	bool begun;

	*child = 0;
	if (!threaded())
		return fork_here(e, child);
	api_lock(API_LOCK_FORK);
	begun = server_of == getpid();
	api_unlock(API_LOCK_FORK);
	if (begun)
		return fork_there(e);
	return api_fail(EDEADLK,
	    "the program has threads, so it cannot be copied: call hf_init() "
	    "in main() before the first of them is made");
}

/* ---- beginning ---- */

static int
begin(void)
{
	int fd[2], program;
	pid_t pid;

	if (threaded())
		return api_fail(EDEADLK,
		    "the program has threads already: call hf_init() in "
		    "main() before the first of them is made");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		return api_fail(0, "cannot begin: %s", strerror(errno));
	program = pidfd_of(getpid());
	api_code_note();
	pid = copy_quietly();
	if (pid == 0)
		run(fd[1], program);
	close(fd[1]);
	if (program >= 0)
		close(program);
	if (pid < 0) {
		close(fd[0]);
		return api_fail(
		    0, "cannot make a process: %s", strerror(errno));
	}
	server = fd[0];
	server_pid = pid;
	server_of = getpid();
	return 0;
}

int
hf_init(void)
{
	int rc = 0;

	bury();
	api_lock(API_LOCK_FORK);
	if (server >= 0 && server_of != getpid()) {
		close(server); /* of the program that has forked this one */
		server = -1;
	}
	if (server < 0)
		rc = begin();
	api_unlock(API_LOCK_FORK);
	return rc;
}
