/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches of datagrams in and replies out. Runs in the workers of type udp.
 * Never blocks, allocates only when it is made, and a datagram or an address
 * that the system does not like never stops the others.
 */
#include "workers/dgram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)DGRAM_IN_MAX == FRAME_ADU_MAX + 1 &&
	(int)DGRAM_OUT_MAX == FRAME_ADU_MAX && DGRAM_BATCH < 0xff,
    "a datagram, and fields of prog");

static void
put_prog(struct dgrams *d)
{
	atomic_store_explicit(&d->shm->prog,
	    d->prog.done | (uint64_t)d->prog.begun << 8 |
		(uint64_t)d->prog.sent << 16,
	    memory_order_release);
}

static void
get_prog(struct dgrams *d)
{
	uint64_t p = atomic_load_explicit(&d->shm->prog, memory_order_relaxed);

	d->prog.done = p & 0xff;
	d->prog.begun = p >> 8 & 1;
	d->prog.sent = p >> 16 & 0xff;
}

/* Has the kernel fill these in next. */
static void
make_room(struct dgrams *d, unsigned from, unsigned n)
{
	for (unsigned i = from; i < n; i++) {
		struct msghdr *m = &d->shm->msg[i].msg_hdr;

		m->msg_name = &d->at[i].from;
		m->msg_namelen = sizeof(d->at[i].from);
		m->msg_iov = &d->in[i];
		m->msg_iovlen = 1;
		m->msg_control = d->at[i].control;
		m->msg_controllen = sizeof(d->at[i].control);
		d->shm->msg[i].msg_len = 0;
	}
}

/* A page that is not there when the kernel has taken a datagram and the worker
 * is being killed would not be had any more: so all of them are, from now on.
 * */
static void
touch(struct shm_dgrams *shm)
{
	_Atomic uint8_t *p = (_Atomic uint8_t *)shm;

	for (size_t i = 0; i < sizeof(*shm); i += 4096 / 2)
		atomic_fetch_or_explicit(&p[i], 0, memory_order_relaxed);
}

struct dgrams *
dgrams_new(int fd, struct shm_dgrams *shm)
{
	struct dgrams *d = calloc(1, sizeof(*d));
	socklen_t len = sizeof(d->own);

	if (d == NULL)
		return NULL;
	if (getsockname(fd, (struct sockaddr *)&d->own, &len) == -1) {
		free(d);
		return NULL;
	}
	d->fd = fd;
	d->most = DGRAM_BATCH;
	d->shm = shm;
	d->at = shm->at;
	touch(shm);
	for (unsigned i = 0; i < DGRAM_BATCH; i++) {
		d->in[i].iov_base = d->at[i].in;
		d->in[i].iov_len = DGRAM_IN_MAX;
		d->out[i].iov_base = d->at[i].out;
		d->reply[i].msg_hdr.msg_iovlen = 1;
	}
	return d;
}

void
dgrams_free(struct dgrams *d)
{
	free(d);
}

/* Datagram i, as the kernel has told of it. */
static void
look(struct dgrams *d, unsigned i, uint64_t *bytes)
{
	const struct mmsghdr *m = &d->shm->msg[i];
	size_t len = m->msg_len, told = m->msg_hdr.msg_controllen;
	socklen_t from = m->msg_hdr.msg_namelen;

	*bytes += len;
	d->is[i].len = len < DGRAM_IN_MAX ? len : DGRAM_IN_MAX;
	d->is[i].namelen = from <= sizeof(d->at[i].from) ? from : 0;
	d->is[i].controllen = told <= sizeof(d->at[i].control) &&
		(m->msg_hdr.msg_flags & MSG_CTRUNC) == 0
	    ? told
	    : 0;
}

int
dgrams_take(struct dgrams *d, uint64_t *bytes)
{
	int n;

	/* not before prog says that all of the last ones are done */
	atomic_signal_fence(memory_order_seq_cst);
	make_room(d, 0, d->n);
	d->n = d->nreplies = d->sent = 0;
	d->prog = (struct dgrams_prog){ 0 };
	d->shm->deaths = (struct shm_deaths){ 0 }; /* of the next ones */
	put_prog(d);
	*bytes = 0;
	/* MSG_TRUNC: how long they were, not how much of them has room */
	n = recvmmsg(
	    d->fd, d->shm->msg, d->most, MSG_DONTWAIT | MSG_TRUNC, NULL);
	if (n == -1)
		return errno == EAGAIN ? 0 : -1;
	for (d->n = 0; d->n < (unsigned)n; d->n++)
		look(d, d->n, bytes);
	return n;
}

int
dgrams_inherit(struct dgrams *d, bool ours, uint64_t *bytes)
{
	*bytes = 0;
	d->n = d->nreplies = d->sent = 0;
	get_prog(d);
	for (unsigned i = 0; ours && i < DGRAM_BATCH; i++)
		if (d->shm->msg[i].msg_len != 0)
			d->n = i + 1;
	if (d->prog.done >= d->n && d->prog.sent >= d->prog.done)
		d->n = 0;
	make_room(d, d->n, DGRAM_BATCH);
	if (d->n == 0) {
		d->prog = (struct dgrams_prog){ 0 };
		put_prog(d);
		return 0;
	}
	for (unsigned i = 0; i < d->n; i++) {
		look(d, i, bytes);
		if (d->at[i].out_len > DGRAM_OUT_MAX)
			d->at[i].out_len = 0;
		if (i < d->prog.done && d->at[i].out_len != 0)
			dgrams_reply(d, i);
	}
	d->sent = d->prog.sent < d->nreplies ? d->prog.sent : d->nreplies;
	return (int)d->n;
}

void
dgrams_begin(struct dgrams *d)
{
	d->prog.begun = true;
	put_prog(d);
}

void
dgrams_done(struct dgrams *d)
{
	d->prog.begun = false;
	d->prog.done++;
	put_prog(d);
}

/* What the system has told of the address that was asked with datagram i: the
 * first header, of that kind, or NULL. */
static struct cmsghdr *
told(const struct dgrams *d, unsigned i, int level, int type)
{
	struct cmsghdr *c = (struct cmsghdr *)d->at[i].control;

	if (d->is[i].controllen < sizeof(*c) || c->cmsg_level != level ||
	    c->cmsg_type != type)
		return NULL;
	return c;
}

bool
dgrams_own(const struct dgrams *d, unsigned i)
{
	const struct sockaddr_storage *from = &d->at[i].from;
	const struct sockaddr_in *in = (const void *)from,
				 *own = (const void *)&d->own;
	const struct sockaddr_in6 *in6 = (const void *)from,
				  *own6 = (const void *)&d->own;
	struct cmsghdr *c;
	struct in_pktinfo pi;
	struct in6_pktinfo pi6;

	if (from->ss_family == AF_INET && in->sin_port == own->sin_port) {
		pi.ipi_addr = own->sin_addr;
		if ((c = told(d, i, IPPROTO_IP, IP_PKTINFO)) != NULL)
			memcpy(&pi, CMSG_DATA(c), sizeof(pi));
		return pi.ipi_addr.s_addr == in->sin_addr.s_addr;
	}
	if (from->ss_family == AF_INET6 && in6->sin6_port == own6->sin6_port) {
		pi6.ipi6_addr = own6->sin6_addr;
		if ((c = told(d, i, IPPROTO_IPV6, IPV6_PKTINFO)) != NULL)
			memcpy(&pi6, CMSG_DATA(c), sizeof(pi6));
		return IN6_ARE_ADDR_EQUAL(&pi6.ipi6_addr, &in6->sin6_addr);
	}
	return false;
}

/*
 * Makes of what was told with a datagram what is to be told with its reply:
 * nothing, if the socket is bound to one address, which replies leave from.
 * Routes are the system's to choose, so the interface is left out unless the
 * address means nothing without it. Nothing may leave from a broadcast or
 * multicast address. For IPv4 the system tells, as ipi_spec_dst, the address of
 * the interface in its stead; for IPv6 it is left to choose. False if so.
 */
static bool
answer_from(const struct dgrams *d, unsigned i)
{
	struct in_pktinfo pi;
	struct in6_pktinfo pi6;
	struct cmsghdr *c;

	if ((c = told(d, i, IPPROTO_IP, IP_PKTINFO)) != NULL) {
		memcpy(&pi, CMSG_DATA(c), sizeof(pi));
		pi.ipi_ifindex = 0;
		memcpy(CMSG_DATA(c), &pi, sizeof(pi));
		return true;
	}
	if ((c = told(d, i, IPPROTO_IPV6, IPV6_PKTINFO)) == NULL)
		return false;
	memcpy(&pi6, CMSG_DATA(c), sizeof(pi6));
	if (IN6_IS_ADDR_MULTICAST(&pi6.ipi6_addr))
		return false;
	if (!IN6_IS_ADDR_LINKLOCAL(&pi6.ipi6_addr))
		pi6.ipi6_ifindex = 0;
	memcpy(CMSG_DATA(c), &pi6, sizeof(pi6));
	return true;
}

void
dgrams_answer(struct dgrams *d, unsigned i, struct msghdr *m)
{
	m->msg_name = &d->at[i].from;
	m->msg_namelen = d->is[i].namelen;
	m->msg_control = NULL;
	m->msg_controllen = 0;
	if (answer_from(d, i)) {
		m->msg_control = d->at[i].control;
		m->msg_controllen = d->is[i].controllen;
	}
}

void
dgrams_reply(struct dgrams *d, unsigned i)
{
	struct msghdr *m = &d->reply[d->nreplies++].msg_hdr;

	d->out[i].iov_len = d->at[i].out_len;
	m->msg_iov = &d->out[i];
	dgrams_answer(d, i, m);
}

/* The replies up to d->sent have left. */
static void
note_sent(struct dgrams *d)
{
	d->prog.sent = d->sent;
	put_prog(d);
}

bool
dgrams_send(struct dgrams *d, uint64_t *bytes, uint64_t *lost)
{
	bool again = false; /* this one has been refused once */

	while (d->sent < d->nreplies) {
		int n = sendmmsg(d->fd, d->reply + d->sent,
		    d->nreplies - d->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		for (int i = 0; i < n; i++)
			*bytes += d->reply[d->sent + (unsigned)i].msg_len;
		if (n > 0) {
			d->sent += (unsigned)n;
			note_sent(d);
			again = false;
		} else if (errno == EAGAIN) {
			return false;
		} else if (errno == EINTR || !again) {
			/* an error may be an earlier datagram's: it is told
			 * once, in place of the next thing asked for */
			again = errno != EINTR;
		} else {
			d->sent++;
			note_sent(d);
			++*lost;
			again = false;
		}
	}
	return true;
}
