/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_SERIAL_FIXTURE_H
#define TESTS_LIB_SERIAL_FIXTURE_H

/*
 * The serial transport from inside: a pseudo-terminal whose other end is the
 * bus, a loop that is turned by hand, and counters looked at beside it. Units
 * 1 and 2 are ours. For the check_t_serial*.c.
 */

#include "tests/lib/worker_fixture.h"
#include "workers/serial/serial.h"

enum { SF_LONG_MS = 50000, SF_ROOM = 1024 };

struct serial_fixture {
	struct fx fx;
	int master; /* the bus's end of the line; -1 while there is none */
};

extern struct serial_fixture sf;

/* What is said on the line. */
struct sf_bytes {
	uint8_t at[SF_ROOM];
	size_t len;
};

/* ---- the line and the worker at it ---- */

/* Lays a new line at the path; takes it away. */
void sf_lay(void);
void sf_cut(void);

/* The worker's state, its counters, and what one of them says. */
struct serial *sf_line(void);
struct shm_stats *sf_stats(void);
uint64_t sf_value(const _Atomic uint64_t *counter);

/* A counter of the diagnosis of unit 1. */
unsigned sf_count(enum mb_counter);

/* What a register of the first device holds. */
unsigned sf_reg(unsigned addr);

/* One turn of the loop, which waits for an event or a millisecond. */
void sf_turn(void);

/* Turns for so long, or until the line is in a state, which it must be soon. */
void sf_pass(unsigned ms);
void sf_until(enum serial_state);

/* Begins to serve, as sf.fx.transport says by now, whatever the line is like;
 * and waits until it is idle; and that with another framer. */
void sf_serve(void);
void sf_start(void);
void sf_start_as(const char *framer);

/* ---- what is said on it ---- */

/* A message in RTU; one that asks for registers 5 and 6; one that writes. */
struct sf_bytes sf_message(uint8_t unit, const char *pdu, size_t n);
struct sf_bytes sf_read_two(uint8_t unit);
struct sf_bytes sf_write_one(uint8_t unit, uint8_t addr, uint8_t v);

/* What is answered to those who ask for the two: values are addresses. Six
 * bytes, for sf_message(). */
extern const char sf_two[7];

/* Says n bytes of a message; all of it; a text. */
void sf_send_part(const struct sf_bytes *, size_t from, size_t n);
void sf_say(struct sf_bytes);
void sf_say_text(const char *text);

/* Reads what is said within so many ms, up to n bytes. */
struct sf_bytes sf_hear(size_t n, unsigned ms);

/* That must be said soon; and nothing for so many ms. */
void sf_hears(struct sf_bytes want);
void sf_hears_text(const char *text);
void sf_hears_nothing(unsigned ms);

/* Asks something that is always answered, in RTU. */
void sf_is_served(void);

/* The only case of a suite; each of its tests finds a line, and nobody yet who
 * serves it. */
TCase *sf_case(Suite *);

#define SF_LOOP(test, n) tcase_add_loop_test(tc, test, 0, (n))

#endif
