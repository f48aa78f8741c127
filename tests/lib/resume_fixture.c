/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker of type tcp that has died, its successor, and clients of both, all
 * in one process. Runs in the suites of workers/resume.h.
 */
#include "tests/lib/resume_fixture.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "workers/hooks/hooks.h"
#include "workers/hooks/plugin.h"
#include "workers/stream_wait.h"
#include "workers/transport.h"

enum { OTHER_AUTHOR = 1 };

struct resume_fixture rs;

const uint8_t rs_both[19] = { 0, 9, 0, 0, 0, 13, 1, 23, 0, RS_REG, 0, 2, 0,
	RS_REG + 1, 0, 1, 2, 0, 7 };
const uint8_t rs_both_reply[13] = { 0, 9, 0, 0, 0, 7, 1, 23, 4, 0, RS_REG, 0,
	7 };
const uint8_t rs_read_1[12] = { 0, 5, 0, 0, 0, 6, 1, 3, 0, RS_REG, 0, 1 };
const uint8_t rs_read_1_reply[11] = { 0, 5, 0, 0, 0, 5, 1, 3, 2, 0, RS_REG };

void
rs_start(struct worker *w)
{
	w->proc = &rs.fx.proc;
	w->conf = &rs.fx.transport;
	w->shm = seg_worker(&rs.fx.proc.worker_seg);
	w->now_ns = 1000000000;
	ck_assert_ptr_nonnull(w->base = event_base_new());
	ck_assert_int_eq(plugins_load(w), 0);
	ck_assert_int_eq(hooks_load(w), 0);
	ck_assert_int_eq(bind_init(&w->bind, &rs.fx.proc), 0);
	w->ops = transport_find(w);
	ck_assert_int_eq(w->ops->start(w), 0);
}

void
rs_setup(void)
{
	socklen_t len = sizeof(rs.at);
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	fx_init(&rs.fx);
	rs.fx.proc.hooks = rs.hooks;
	if (rs.framer != NULL)
		rs.fx.transport.framer = rs.framer;
	rs.fx.transport.broadcast = rs.broadcast;
	rs.at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&rs.at, sizeof(rs.at)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&rs.at, &len);
	rs.fx.proc.listen_fd = fd;
	memset(&rs.next, 0, sizeof(rs.next));
	rs_start(&rs.fx.worker);
}

/* The first worker is dead: what it has open stays, and nothing of its memory
 * but the segment is of any use. */
void
rs_succeed(void)
{
	rs.fx.proc.kept = true;
	slot_declare_dead(rs.fx.proc.env.control, rs.fx.proc.env.me);
	rs.fx.proc.env.me = slot_next_id(rs.fx.proc.env.control, FX_SLOT);
	rs_start(&rs.next);
}

void
rs_teardown(void)
{
	if (rs.next.ops != NULL) {
		rs.next.ops->stop(&rs.next);
		bind_fini(&rs.next.bind);
		hooks_free(&rs.next);
		plugins_free(&rs.next);
		event_base_free(rs.next.base);
	}
	close(rs.fx.proc.listen_fd);
	fx_fini(&rs.fx);
}

void
rs_turns(struct worker *w)
{
	for (int i = 0; i < 20; i++) {
		w->turned = false;
		w->turn++;
		event_base_loop(w->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
	}
}

/* A client; the first worker has let it in. */
int
rs_client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
	    connect(fd, (struct sockaddr *)&rs.at, sizeof(rs.at)), 0);
	return fd;
}

struct conn *
rs_served(int *fd)
{
	struct stream *st = rs.fx.worker.state;

	*fd = rs_client();
	rs_turns(&rs.fx.worker);
	return &st->conns.pool[st->conns.fresh - 1];
}

void
rs_say(int fd, const void *bytes, size_t len)
{
	ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Exactly these bytes come. */
void
rs_hear(int fd, const void *bytes, size_t len)
{
	uint8_t got[512];
	ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);

	ck_assert_int_eq(n, (ssize_t)len);
	ck_assert_mem_eq(got, bytes, len);
}

bool
rs_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t byte;

	return poll(&p, 1, 10000) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

void
rs_set_reg(unsigned addr, uint16_t value)
{
	static uint64_t op;
	uint8_t in[2] = { (uint8_t)(value >> 8), (uint8_t)value };
	struct store_step s = { .op = STORE_WRITE,
		.table = STORE_HR,
		.addr = addr,
		.count = 1,
		.in = in };
	struct store_who who = {
		.author = OTHER_AUTHOR, .op = ++op, .budget_ns = 1000000000
	};

	ck_assert_int_eq(
	    store_apply(&rs.fx.stores[0], &who, &s, 1, NULL), STORE_OK);
}

/* Reads what has come into a record, as the first worker does. */
struct shm_batch *
rs_begin(struct conn *c)
{
	struct stream *st = c->owner;
	struct shm_batch *b = st->batch[st->nbatches - 1];
	unsigned pre = batch_begin(b, &c->rec);
	ssize_t n = recv(c->fd, b->in + pre, BATCH_IN - pre, MSG_DONTWAIT);

	ck_assert_int_gt(n, 0);
	return b;
}

/* And carries it out, without sending anything: prog says so. */
struct shm_batch *
rs_carry_out(struct conn *c, size_t len)
{
	struct stream *st = c->owner;
	struct shm_batch *b = rs_begin(c);
	const char *why;

	stream_got(st, c, b, len);
	ck_assert_int_eq(
	    link_run(&st->link, c->rec.shm, c->author, b, &why), LINK_MORE);
	return b;
}

/* As it was before prog was stored: all else has been done. */
void
rs_not_noted(struct shm_batch *b)
{
	atomic_store(&b->prog, 0);
}

unsigned
rs_open_now(void)
{
	return (unsigned)atomic_load(&rs.next.shm->stats.conns_open);
}

/* ---- what many tests begin or end with ---- */

struct conn *
rs_asked(int *fd)
{
	struct conn *c = rs_served(fd);

	rs_say(*fd, rs_both, sizeof(rs_both));
	return c;
}

void
rs_unanswered(int *fd)
{
	struct conn *c = rs_asked(fd);

	rs_not_noted(rs_carry_out(c, sizeof(rs_both)));
	rs_set_reg(RS_REG, 1000);
}

void
rs_next_says(int fd, const void *bytes, size_t len)
{
	rs_succeed();
	rs_turns(&rs.next);
	rs_hear(fd, bytes, len);
}

void
rs_next_answers(int fd)
{
	rs_next_says(fd, rs_both_reply, sizeof(rs_both_reply));
}

void
rs_next_is_asked(int fd)
{
	rs_say(fd, rs_both, sizeof(rs_both));
	rs_turns(&rs.next);
	rs_hear(fd, rs_both_reply, sizeof(rs_both_reply));
}
