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

struct dgrams *
dgrams_new(int fd)
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
	d->n = d->most = DGRAM_BATCH;
	for (unsigned i = 0; i < DGRAM_BATCH; i++) {
		d->in[i].iov_base = d->at[i].in;
		d->in[i].iov_len = DGRAM_IN_MAX;
		d->out[i].iov_base = d->at[i].out;
		d->msg[i].msg_hdr.msg_iov = &d->in[i];
		d->msg[i].msg_hdr.msg_iovlen = 1;
		d->msg[i].msg_hdr.msg_name = &d->at[i].from;
		d->msg[i].msg_hdr.msg_control = d->at[i].control;
		d->reply[i].msg_hdr.msg_iovlen = 1;
	}
	return d;
}

void
dgrams_free(struct dgrams *d)
{
	free(d);
}

int
dgrams_take(struct dgrams *d, uint64_t *bytes)
{
	int n;

	/* the last call has set the lengths of those that it filled */
	for (unsigned i = 0; i < d->n; i++) {
		d->msg[i].msg_hdr.msg_namelen = sizeof(d->at[i].from);
		d->msg[i].msg_hdr.msg_controllen = sizeof(d->at[i].control);
	}
	d->n = d->nreplies = d->sent = 0;
	*bytes = 0;
	/* MSG_TRUNC: how long they were, not how much of them has room */
	n = recvmmsg(d->fd, d->msg, d->most, MSG_DONTWAIT | MSG_TRUNC, NULL);
	if (n == -1)
		return errno == EAGAIN ? 0 : -1;
	for (d->n = 0; d->n < (unsigned)n; d->n++) {
		size_t len = d->msg[d->n].msg_len;

		*bytes += len;
		d->at[d->n].len = len < DGRAM_IN_MAX ? len : DGRAM_IN_MAX;
	}
	return n;
}

/* What the system has told of the address that was asked: the first header of
 * a message, of that kind, or NULL. */
static struct cmsghdr *
told(const struct msghdr *m, int level, int type)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	if (c == NULL || (m->msg_flags & MSG_CTRUNC) != 0 ||
	    c->cmsg_level != level || c->cmsg_type != type)
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
	const struct msghdr *m = &d->msg[i].msg_hdr;
	struct cmsghdr *c;
	struct in_pktinfo pi;
	struct in6_pktinfo pi6;

	if (from->ss_family == AF_INET && in->sin_port == own->sin_port) {
		pi.ipi_addr = own->sin_addr;
		if ((c = told(m, IPPROTO_IP, IP_PKTINFO)) != NULL)
			memcpy(&pi, CMSG_DATA(c), sizeof(pi));
		return pi.ipi_addr.s_addr == in->sin_addr.s_addr;
	}
	if (from->ss_family == AF_INET6 && in6->sin6_port == own6->sin6_port) {
		pi6.ipi6_addr = own6->sin6_addr;
		if ((c = told(m, IPPROTO_IPV6, IPV6_PKTINFO)) != NULL)
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
answer_from(struct msghdr *m)
{
	struct in_pktinfo pi;
	struct in6_pktinfo pi6;
	struct cmsghdr *c;

	if ((c = told(m, IPPROTO_IP, IP_PKTINFO)) != NULL) {
		memcpy(&pi, CMSG_DATA(c), sizeof(pi));
		pi.ipi_ifindex = 0;
		memcpy(CMSG_DATA(c), &pi, sizeof(pi));
		return true;
	}
	if ((c = told(m, IPPROTO_IPV6, IPV6_PKTINFO)) == NULL)
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
	struct msghdr *asked = &d->msg[i].msg_hdr;

	m->msg_name = asked->msg_name;
	m->msg_namelen = asked->msg_namelen;
	m->msg_control = NULL;
	m->msg_controllen = 0;
	if (answer_from(asked)) {
		m->msg_control = asked->msg_control;
		m->msg_controllen = asked->msg_controllen;
	}
}

void
dgrams_reply(struct dgrams *d, unsigned i, size_t len)
{
	struct msghdr *m = &d->reply[d->nreplies++].msg_hdr;

	d->out[i].iov_len = len;
	m->msg_iov = &d->out[i];
	dgrams_answer(d, i, m);
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
			again = false;
		} else if (errno == EAGAIN) {
			return false;
		} else if (errno == EINTR || !again) {
			/* an error may be an earlier datagram's: it is told
			 * once, in place of the next thing asked for */
			again = errno != EINTR;
		} else {
			d->sent++;
			++*lost;
			again = false;
		}
	}
	return true;
}
