/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long work beside the loop of control and of http: a queue of which the first
 * has a thread. Only `over` and the eventfd are between the two; what the
 * thread has is the loop's again once it is over.
 */

#include "control/work.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "control/rpc.h"

static void
wake(int fd)
{
	/* a count that is full wakes as well */
	(void)!eventfd_write(fd, 1);
}

static void *
carry_out(void *arg)
{
	struct work *w = arg;
	int fd = w->fd;

	if (!w->failed)
		w->run(w);
	/* from here on it may be gone */
	atomic_store_explicit(&w->over, true, memory_order_release);
	wake(fd);
	return NULL;
}

static void
start(struct work *w)
{
	pthread_t thread;

	w->begun = true;
	if (pthread_create(&thread, NULL, carry_out, w) == 0)
		pthread_detach(thread);
	else {
		w->failed = true;
		carry_out(w);
	}
}

void
work_begin(struct cmd_call *call, struct work *w, uint64_t wait_ms,
    const char *late, void (*done)(struct cmd_call *, const struct ipc_msg *))
{
	struct control *c = call->control;
	struct work **at = &c->works;
	int n = 0;

	for (; *at != NULL; at = &(*at)->next)
		n++;
	if (n >= WORKS_MAX || c->work_fd == -1) {
		cmd_fail(call, CMD_REFUSED, "busy",
		    "too much else of that kind is to be done first");
		w->drop(w);
		return;
	}
	w->next = NULL;
	w->tag = ++c->tag;
	w->fd = c->work_fd;
	w->reading = &c->reading;
	*at = w;
	call->later = true;
	call->tag = w->tag;
	call->done = done;
	call->late = late;
	call->deadline_ns = c->now_ns + wait_ms * 1000000;
	if (n == 0)
		start(w);
}

void
work_read(struct work *w)
{
	pthread_mutex_lock(w->reading);
}

void
work_has_read(struct work *w)
{
	pthread_mutex_unlock(w->reading);
	wake(w->fd);
}

bool
work_hold(struct control *c)
{
	return pthread_mutex_trylock(&c->reading) == 0;
}

void
work_go_on(struct control *c)
{
	for (struct work *w = c->works; w != NULL; w = w->next)
		if (w->follow != NULL)
			w->follow(w, c->proc);
	pthread_mutex_unlock(&c->reading);
}

void
work_turn(struct control *c)
{
	struct work *w = c->works;
	struct ipc_msg msg = { .kind = IPC_DONE };
	eventfd_t count;

	/* read in any case: what wakes may come after what it tells of */
	if (eventfd_read(c->work_fd, &count) != -1)
		c->work_due = true;
	if (!c->work_due || c->on_hold || w == NULL ||
	    !atomic_load_explicit(&w->over, memory_order_acquire))
		return;
	c->work_due = false;
	msg.tag = w->tag;
	w->more = false;
	rpc_done(c, &msg); /* nobody, if the call has been given up */
	if (w->more) {
		wake(c->work_fd);
		return;
	}
	c->works = w->next;
	w->drop(w);
	if (c->works != NULL)
		start(c->works);
}

void
work_fini(struct control *c)
{
	struct work *w;
	bool running = false;

	while ((w = c->works) != NULL) {
		c->works = w->next;
		if (w->begun && !atomic_load(&w->over))
			running = true; /* it ends with the process */
		else
			w->drop(w);
	}
	if (!running && c->work_fd != -1)
		close(c->work_fd);
}
