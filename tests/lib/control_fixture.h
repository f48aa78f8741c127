/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_CONTROL_FIXTURE_H
#define TESTS_LIB_CONTROL_FIXTURE_H

/*
 * A control process without its sockets: a store of its own with one device
 * and two transports, a channel whose other end is the test, and answers that
 * are kept as text.
 */

#include "control/rpc.h"
#include "control/state.h"
#include "tests/lib/store_fixture.h"

enum { CF_ANSWERS = 16 };

struct control_fixture {
	struct fixture store;
	struct conf conf;
	struct conf_device device;
	struct conf_transport transport[2];
	struct proc proc;
	struct control control;
	int parent; /* the other end of the channel */
	char *answer[CF_ANSWERS];
	char raw[CF_ANSWERS][64];
	size_t raw_len[CF_ANSWERS];
	unsigned nanswers, ndropped;
};

extern struct control_fixture cf;

/* Makes all of it, the store as well, and lays the values. */
void cf_open(void);

/* Ends what cf_open() has made. */
void cf_close(void);

/* Sends one message; the answer to it, or NULL. */
const char *cf_ask_as(
    enum cmd_role role, const char *text, const void *raw, size_t len);

/* The same as an administrator, without raw bytes. */
const char *cf_ask(const char *text);

/* What the parent has been sent. */
struct ipc_msg cf_order(void);

/* Tells that the parent has carried out the order of that tag. */
void cf_done(uint32_t tag, int rc, uint64_t arg, const char *text);

#endif
