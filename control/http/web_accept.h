/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_WEB_ACCEPT_H
#define CONTROL_WEB_ACCEPT_H

/*
 * Who is let in, and who has to go for it.
 */

#include <sys/socket.h>

#include "control/http/server.h"

/* Takes over a socket that was accepted, and who is at its other end. Where all
 * places are taken and at work, it is answered 503 and closed. */
void web_accept(struct server *, int fd, const struct sockaddr *);

#endif
