/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_SERVER_H
#define HOLDFAST_SERVER_H

/*
 * Servers of a store: part of holdfast.h.
 *
 * A server is a process of its own that starts, watches and restarts the
 * workers, which are processes, too. What happens to them does not happen to
 * the program; when the program ends, however it ends, they end. Nothing here
 * exits, prints, or touches a signal of the program: it gets no SIGCHLD for
 * them and finds none of them in wait(). They ignore what a terminal sends;
 * TERM stops a server.
 *
 * If a program is killed, its servers answer what they were asked, for at most
 * a second, and the last of them removes the store; if those are killed, too,
 * the next program that makes a store of that name does.
 *
 * Hooks run in the worker, which is a copy of the program as it was when the
 * server was started, without its threads and its descriptors (but for 0, 1 and
 * 2). What a hook changes in memory, the program does not see (registers are
 * for that); of the program's stores it may only read. A program with more
 * than one thread cannot be copied: it calls hf_init() before it makes the
 * first thread, and its workers are copies of what it was then. Their hooks may
 * be filled in later, but the code must have been loaded.
 *
 * A store has up to 16 servers, a server up to 4 workers and 4000 connections.
 */

#include "opts.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_server;

/*
 * Gets a server ready: looks at opts, opens the store, starts nothing. What
 * opts point to need not stay, but for hooks. NULL with errno, and hf_error()
 * has the words: EINVAL opts are wrong, EROFS the store was attached for
 * reading.
 */
struct hf_server *hf_server_new(
    struct hf_store *, const struct hf_server_opts *);

/*
 * Starts it and waits until it listens: 0, or -1 with errno and words:
 * EADDRINUSE, EACCES, EINVAL (a certificate, a hook that is wrong), ENOENT (a
 * serial port), ENOTTY (a port that is no serial device), EAGAIN (its worker
 * dies again and again), EEXIST (the name), EUSERS, ESTALE (the store has
 * gone), EDEADLK (the program has threads: call hf_init() first), ECHILD (the
 * process that hf_init() made has been killed; or this is a forked child, and
 * the server its parent's), ETIMEDOUT (that process or the server's does not
 * answer), EIO (the server's process has died), ECANCELED (it was stopped
 * before it listened), ENOMEM, EMFILE, EALREADY it runs. Without background it
 * returns once the server was stopped, also before it listened: 0, or -1 if it
 * died: EIO; ESTALE. After its end it may be started again, and whoever still
 * waits for that end hears of that one.
 */
int hf_server_serve_forever(struct hf_server *, int background);

/* Blocking: new, serve_forever, free. */
int hf_start_tcp_server(struct hf_store *, const struct hf_server_opts *);
int hf_start_tls_server(struct hf_store *, const struct hf_server_opts *);
int hf_start_udp_server(struct hf_store *, const struct hf_server_opts *);
int hf_start_serial_server(struct hf_store *, const struct hf_server_opts *);

/* Return once it listens; NULL as above. */
struct hf_server *hf_start_async_tcp_server(
    struct hf_store *, const struct hf_server_opts *);
struct hf_server *hf_start_async_tls_server(
    struct hf_store *, const struct hf_server_opts *);
struct hf_server *hf_start_async_udp_server(
    struct hf_store *, const struct hf_server_opts *);
struct hf_server *hf_start_async_serial_server(
    struct hf_store *, const struct hf_server_opts *);

/* Lets requests in hand be answered, closes, and waits until it has: 0, or -1
 * with errno: ESRCH it does not run, or in a forked child of the program; EIO,
 * ESTALE it died meanwhile. From any thread; serve_forever() returns. NULL: the
 * server that was started last. shutdown is another name for it. */
int hf_server_stop(struct hf_server *);
int hf_server_shutdown(struct hf_server *);

/* The same without waiting: 0 it has been asked to, or -1: ESRCH, without
 * words. May be called in a signal handler. */
int hf_server_async_stop(struct hf_server *);

/* For the program's own event loop: a descriptor that can be read when
 * something has happened to the server; then dispatch: 1 it runs, 0 it was
 * stopped, -1 it died (hf_error()), or never ran: ESRCH, or is another
 * process's: ECHILD. The descriptor stays the server's, and the same whenever
 * that is started again. */
int hf_server_fd(const struct hf_server *);
int hf_server_dispatch(struct hf_server *);

struct hf_server_status {
	int active; /* is_active(): it has been started, and not stopped */
	int up; /* a worker serves now */
	int pid; /* of the first worker, 0 without */
	unsigned restarts; /* workers that died and were replaced */
	unsigned connections;
	char address[64]; /* where it listens, with the port it really has */
	char state[16]; /* "starting" "up" "draining" "backoff" ... */
};
/* Always 0. In a forked child: as it was at the fork. */
int hf_server_status(struct hf_server *, struct hf_server_status *);

/* Stops it if it runs, and gives it back. NULL is fine. Threads that are in
 * serve_forever() or stop() return as if somebody else had stopped it, and so
 * may stop(NULL) be called; nothing else may be called for it meanwhile. */
void hf_server_free(struct hf_server *);

#ifdef __cplusplus
}
#endif

#endif
