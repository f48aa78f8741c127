/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_SERIAL_LINE_H
#define WORKERS_SERIAL_LINE_H

/*
 * A serial device: opened for this process alone, set as the configuration
 * says and looked at again, read, written, and turned between receiving and
 * sending where that is done by hand. Nothing here blocks. Knows no Modbus.
 *
 * A pseudo-terminal is a line without a wire: it has any speed at all, eight
 * bits and no parity whatever is asked for, no modem lines and no counters.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/conf.h"

struct line {
	const struct conf_serial *conf;
	int fd; /* -1: not open */
	bool wire; /* characters take their time: no pseudo-terminal */
	bool rts; /* this process turns the line, by RTS */
	bool untold; /* nothing can turn it; it has been logged */
	unsigned escape; /* of PARMRK: how much of a sequence has come */
	uint32_t overruns; /* as the driver last counted them */
	char why[200]; /* why it could not be opened, or was lost */
};

/* Nothing is open yet. conf lives as long as the line. */
void line_init(struct line *, const struct conf_serial *conf);

/* Opens and sets the device; throws away what it had received. 0, or -1 with
 * words in why. */
int line_open(struct line *);

/* The same with fd, where a predecessor had it open: if it is that device and
 * still there. What it had received, or was yet to send, is thrown away; nobody
 * else could open it meanwhile, and no modem line has moved. Closes fd if -1.
 * */
int line_inherit(struct line *, int fd);
void line_close(struct line *);

/* What a read has come to. */
struct line_got {
	size_t n; /* characters in buf */
	bool bad; /* one was damaged (parity, framing, break): what came up to
		   * it is void, buf has what came behind the last such one */
};

/*
 * Reads what there is, up to room characters. 1: *got says what, 0: nothing
 * has come, -1: the device has gone, with words in why. `room` is at least 4.
 */
int line_read(struct line *, uint8_t *buf, size_t room, struct line_got *got);

/* Sends what the device takes now: its number, 0: none now, -1 as above. */
ssize_t line_write(struct line *, const uint8_t *buf, size_t len);

/* Throws away what has been written and not yet sent, or received and not
 * yet read. */
void line_flush_out(struct line *);
void line_flush_in(struct line *);

/* Takes hold of the line for sending, or lets go of it; only where `rts`. */
void line_drive(struct line *, bool on);

/* True if the last bit of what was written is on the wire, as far as the
 * device can tell. */
bool line_sent(const struct line *);

/* Characters that were overrun since it was last asked, or the opening. */
unsigned line_overruns(struct line *);

/* How long a character is: start, data, parity and stop bits. */
uint64_t line_char_ns(const struct conf_serial *);

/*
 * The pauses of SL 2.5.1.1: t1.5, above which a frame has been interrupted,
 * and t3.5, which ends it; 750 us and 1.75 ms above 19200 Bd.
 */
uint64_t line_t15_ns(const struct conf_serial *);
uint64_t line_t35_ns(const struct conf_serial *);

#endif
