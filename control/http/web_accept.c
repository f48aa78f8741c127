/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is let in: a new connection gets a place, if need be that of one that
 * says nothing, or is told that there is none. Runs in the http process.
 */
#include "control/http/web_accept.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/http/web_conn.h"

static void
name_peer(struct web_conn *c, const struct sockaddr *sa)
{
	char host[INET6_ADDRSTRLEN] = "";
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
		c->local = ntohl(in.sin_addr.s_addr) >> 24 == 127;
		snprintf(c->peer, sizeof(c->peer), "%s:%u", host,
		    ntohs(in.sin_port));
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
		c->local = IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
		snprintf(c->peer, sizeof(c->peer), "[%s]:%u", host,
		    ntohs(in6.sin6_port));
	}
}

/* Room for one more: whoever says nothing goes first, then who has been slow
 * to say something. False if all are at work. */
static bool
make_room(struct server *s)
{
	uint64_t now = s->control.now_ns;
	struct web_conn *idle = NULL, *slow = NULL;

	for (struct web_conn *c = s->conns; c != NULL; c = c->next)
		if (c->state == WEB_IDLE || c->state == WEB_LINGER)
			idle = c; /* the last one is the oldest */
		else if ((c->state == WEB_HEAD || c->state == WEB_BODY) &&
		    now - c->since_ns > 1000000000)
			slow = c;
	if (idle == NULL)
		idle = slow;
	if (idle == NULL)
		return false;
	s->stats->conns_evicted++;
	web_conn_close(idle);
	return true;
}

static void
too_many(int fd)
{
	static const char text[] =
	    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
	    "Content-Length: 40\r\nConnection: close\r\nRetry-After: 1\r\n\r\n"
	    "There are too many connections already.\n";

	(void)!send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

void
web_accept(struct server *s, int fd, const struct sockaddr *sa)
{
	const struct conf_http *conf = &s->control.proc->conf->http;
	struct web_conn *c;

	s->stats->conns_opened++;
	if (s->nconns >= conf->max_connections && !make_room(s)) {
		s->stats->conns_refused++;
		too_many(fd);
		return;
	}
	c = web_conn_open(s, fd);
	if (c != NULL)
		name_peer(c, sa);
}
