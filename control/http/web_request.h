/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_WEB_REQUEST_H
#define CONTROL_WEB_REQUEST_H

/*
 * From bytes to calls: what a connection does with what has come.
 */

#include "control/http/web_conn.h"

/* Takes all that can be taken now. The connection may be gone afterwards. */
void web_request_turn(struct web_conn *);

/* Begins a turn of the loop: answers of the requests that wait as many as there
 * is time for, one at least. True if some are left. */
bool web_request_turns(struct server *);

#endif
