/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners. Runs in the supervisor, which keeps them open while workers come
 * and go; connections wait in the backlog meanwhile.
 */
#include "supervisor/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, UDP_BUFFER_BYTES = 1 << 20 };

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* A dead peer is noticed after about two minutes: 60 + 6 * 10 s. */
static const struct option {
	int type, family; /* 0, AF_UNSPEC: any */
	int level, name, value;
} options[] = {
	{ SOCK_STREAM, AF_UNSPEC, SOL_SOCKET, SO_REUSEADDR, 1 },
	{ SOCK_STREAM, AF_UNSPEC, SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ SOCK_STREAM, AF_UNSPEC, SOL_SOCKET, SO_OOBINLINE, 1 },
	{ SOCK_STREAM, AF_UNSPEC, IPPROTO_TCP, TCP_NODELAY, 1 },
	{ SOCK_STREAM, AF_UNSPEC, IPPROTO_TCP, TCP_KEEPIDLE, 60 },
	{ SOCK_STREAM, AF_UNSPEC, IPPROTO_TCP, TCP_KEEPINTVL, 10 },
	{ SOCK_STREAM, AF_UNSPEC, IPPROTO_TCP, TCP_KEEPCNT, 6 },
	{ 0, AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, 1 },
	/* what comes while a worker is replaced waits here */
	{ SOCK_DGRAM, AF_UNSPEC, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER_BYTES },
	{ SOCK_DGRAM, AF_UNSPEC, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER_BYTES },
};

/* The same for those that listen on every address: which one was asked is told
 * with each datagram, so that the answer can leave from there. */
static const struct option options_every[] = {
	{ SOCK_DGRAM, AF_INET, IPPROTO_IP, IP_PKTINFO, 1 },
	{ SOCK_DGRAM, AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
};

/* Cuts "[::1]:502" into its parts. 0, or -1. */
static int
split(const char *text, char *host, size_t size, const char **port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (colon == NULL || strlen(colon + 1) > 5 ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    colon[1] == '\0' || strtoul(colon + 1, NULL, 10) > 65535)
		return -1; /* getaddrinfo would take it modulo 65536 */
	*port = colon + 1;
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && colon[-1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL) {
		return -1;
	}
	if (len >= size)
		return -1;
	memcpy(host, text, len);
	host[len] = '\0';
	return 0;
}

static struct addrinfo *
resolve(const char *text)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	struct addrinfo *ai = NULL;
	char host[INET6_ADDRSTRLEN + 16];
	const char *port;

	if (split(text, host, sizeof(host), &port) < 0)
		return NULL;
	if (host[0] == '\0')
		hints.ai_family = AF_INET;
	if (getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &ai) != 0)
		return NULL;
	return ai;
}

static bool
every_address(const struct addrinfo *ai)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (ai->ai_family == AF_INET) {
		memcpy(&in, ai->ai_addr, sizeof(in));
		return in.sin_addr.s_addr == htonl(INADDR_ANY);
	}
	memcpy(&in6, ai->ai_addr, sizeof(in6));
	return IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
}

static int
set_options(int fd, int type, int family, const struct option *o, size_t n)
{
	int rc = 0;

	for (; n > 0; n--, o++) {
		if ((o->type != 0 && o->type != type) ||
		    (o->family != AF_UNSPEC && o->family != family))
			continue;
		if (setsockopt(
			fd, o->level, o->name, &o->value, sizeof(o->value)) < 0)
			rc = -1;
	}
	return rc;
}

static int
set_all_options(int fd, int type, const struct addrinfo *ai)
{
	/* beyond the system's limit, if we may */
	static const int buffer = UDP_BUFFER_BYTES;

	int rc = set_options(fd, type, ai->ai_family, options, N(options));

	if (type == SOCK_DGRAM)
		setsockopt(
		    fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	if (every_address(ai) &&
	    set_options(
		fd, type, ai->ai_family, options_every, N(options_every)) < 0)
		rc = -1;
	return rc;
}

int
listen_name(int fd, char *real, size_t size)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char host[INET6_ADDRSTRLEN + 16], port[8];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -1;
	if (getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		errno = EINVAL;
		return -1;
	}
	snprintf(real, size, sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
	    host, port);
	return 0;
}

int
listen_open(const char *text, bool udp, char *real, size_t size)
{
	int type = udp ? SOCK_DGRAM : SOCK_STREAM;
	struct addrinfo *ai = resolve(text);
	int fd, err;

	if (ai == NULL) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(ai->ai_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || set_all_options(fd, type, ai) < 0 ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
	    (!udp && listen(fd, BACKLOG) < 0) ||
	    listen_name(fd, real, size) < 0) {
		err = errno;
		if (fd >= 0)
			close(fd);
		freeaddrinfo(ai);
		errno = err;
		return -1;
	}
	freeaddrinfo(ai);
	return fd;
}

/* Port 0 in what is asked for stands for all. */
static bool
same_address(const struct addrinfo *want, const struct addrinfo *is)
{
	struct sockaddr_in a4, b4;
	struct sockaddr_in6 a6, b6;

	if (want->ai_family != is->ai_family)
		return false;
	if (is->ai_family == AF_INET) {
		memcpy(&a4, want->ai_addr, sizeof(a4));
		memcpy(&b4, is->ai_addr, sizeof(b4));
		return a4.sin_addr.s_addr == b4.sin_addr.s_addr &&
		    (a4.sin_port == 0 || a4.sin_port == b4.sin_port);
	}
	memcpy(&a6, want->ai_addr, sizeof(a6));
	memcpy(&b6, is->ai_addr, sizeof(b6));
	return memcmp(&a6.sin6_addr, &b6.sin6_addr, sizeof(a6.sin6_addr)) ==
	    0 &&
	    a6.sin6_scope_id == b6.sin6_scope_id &&
	    (a6.sin6_port == 0 || a6.sin6_port == b6.sin6_port);
}

static bool
bound_to(const struct addrinfo *is, const char *text)
{
	struct addrinfo *want = text != NULL ? resolve(text) : NULL;
	bool same = text == NULL || (want != NULL && same_address(want, is));

	if (want != NULL)
		freeaddrinfo(want);
	return same;
}

bool
listen_same(const char *want, const char *text)
{
	struct addrinfo *is = resolve(text);
	bool same = is != NULL && bound_to(is, want);

	if (is != NULL)
		freeaddrinfo(is);
	return same;
}

int
listen_adopt(int fd, const char *text, bool udp, char *real, size_t size)
{
	int type = udp ? SOCK_DGRAM : SOCK_STREAM, is = 0, flags;
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(sa), one = sizeof(is);
	struct addrinfo ai = { .ai_addr = (struct sockaddr *)&sa };

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &one) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -1;
	ai.ai_family = sa.ss_family;
	if (is != type ||
	    (ai.ai_family != AF_INET && ai.ai_family != AF_INET6) ||
	    !bound_to(&ai, text)) {
		errno = EINVAL;
		return -1;
	}
	/* what an option cannot be set to once it is bound stays */
	set_all_options(fd, type, &ai);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    (!udp && listen(fd, BACKLOG) < 0))
		return -1;
	return listen_name(fd, real, size);
}
