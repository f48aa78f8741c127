/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serial device of a worker: exclusive use, settings that are read back,
 * damaged characters, the direction of an RS-485 line. Runs in the workers of
 * type serial. Never blocks, never allocates, knows no Modbus.
 *
 * The kernel's own structures are used, since the library's termios knows no
 * speed that has no name.
 */
#include "workers/serial/line.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "shm/log.h"

enum {
	PTY_FIRST = 136, /* major numbers of pseudo-terminals */
	PTY_LAST = 143,
	OFF_PERCENT = 2, /* SL 2.1: what a receiver puts up with */
	FAST = 19200, /* above it the pauses do not shrink any more */
};

#define TIOCM_RTS_BIT 0x004 /* TIOCM_RTS, whose header clashes with these */

/* How each parity is asked for, and its letter. */
static const struct {
	tcflag_t flags;
	char letter;
} parities[] = {
	[CONF_PARITY_NONE] = { 0, 'N' },
	[CONF_PARITY_EVEN] = { PARENB, 'E' },
	[CONF_PARITY_ODD] = { PARENB | PARODD, 'O' },
	[CONF_PARITY_MARK] = { PARENB | PARODD | CMSPAR, 'M' },
	[CONF_PARITY_SPACE] = { PARENB | CMSPAR, 'S' },
};

static int
fail(struct line *l, const char *what)
{
	snprintf(l->why, sizeof(l->why), "%s: %s", what, strerror(errno));
	return -1;
}

/* ---- times ---- */

static unsigned
char_bits(const struct conf_serial *c)
{
	return 1 + c->bytesize + (c->parity != CONF_PARITY_NONE) + c->stopbits;
}

uint64_t
line_char_ns(const struct conf_serial *c)
{
	return (uint64_t)char_bits(c) * 1000000000 / c->baudrate;
}

uint64_t
line_t15_ns(const struct conf_serial *c)
{
	return c->baudrate > FAST ? 750000 : line_char_ns(c) * 3 / 2;
}

uint64_t
line_t35_ns(const struct conf_serial *c)
{
	return c->baudrate > FAST ? 1750000 : line_char_ns(c) * 7 / 2;
}

/* ---- settings ---- */

static tcflag_t
wanted_flags(const struct conf_serial *c)
{
	static const tcflag_t size[] = { CS5, CS6, CS7, CS8 };
	tcflag_t flags = size[c->bytesize - 5] | parities[c->parity].flags;

	if (c->stopbits == 2)
		flags |= CSTOPB;
	return flags;
}

/*
 * Raw. A damaged character is marked (PARMRK) and cannot pass for a good one.
 * RTS and DTR stay as they are when the device is closed, so that a restart of
 * this worker resets no equipment; but where RTS drives the line while it is
 * high, its fall frees a line whose driver was killed: such a device is not
 * kept open over the death of its worker.
 */
static void
wish(const struct line *l, struct termios2 *t)
{
	const struct conf_serial *c = l->conf;

	memset(t->c_cc, 0, sizeof(t->c_cc));
	t->c_cc[VMIN] = 1;
	t->c_iflag = INPCK | PARMRK;
	t->c_oflag = 0;
	t->c_lflag = 0;
	t->c_line = 0;
	t->c_cflag =
	    wanted_flags(c) | CREAD | CLOCAL | BOTHER | BOTHER << IBSHIFT;
	if (l->rts && !c->rs485.rts_low)
		t->c_cflag |= HUPCL;
	t->c_ispeed = t->c_ospeed = c->baudrate;
}

static bool
speed_off(unsigned is, unsigned wanted)
{
	uint64_t off = is > wanted ? is - wanted : wanted - is;

	return off * 100 > (uint64_t)wanted * OFF_PERCENT;
}

static unsigned
stop_bits(tcflag_t flags)
{
	return (flags & CSTOPB) != 0 ? 2 : 1;
}

static char
parity_of(tcflag_t flags)
{
	if ((flags & PARENB) == 0)
		return 'N';
	if ((flags & CMSPAR) != 0)
		return (flags & PARODD) != 0 ? 'M' : 'S';
	return (flags & PARODD) != 0 ? 'O' : 'E';
}

static unsigned
size_of(tcflag_t flags)
{
	switch (flags & CSIZE) {
	case CS5:
		return 5;
	case CS6:
		return 6;
	case CS7:
		return 7;
	default:
		return 8;
	}
}

/* Drivers take what they cannot do and do something else. */
static int
check(struct line *l, const struct termios2 *t)
{
	const struct conf_serial *c = l->conf;
	const tcflag_t mask = CSIZE | PARENB | PARODD | CMSPAR | CSTOPB;
	tcflag_t want = wanted_flags(c);

	if (!speed_off(t->c_ospeed, c->baudrate) &&
	    !speed_off(
		t->c_ispeed != 0 ? t->c_ispeed : t->c_ospeed, c->baudrate) &&
	    (!l->wire || ((t->c_cflag ^ want) & mask) == 0))
		return 0;
	snprintf(l->why, sizeof(l->why),
	    "the device cannot do %u %u%c%u: it came out as %u %u%c%u",
	    c->baudrate, c->bytesize, parities[c->parity].letter, c->stopbits,
	    t->c_ospeed, size_of(t->c_cflag), parity_of(t->c_cflag),
	    stop_bits(t->c_cflag));
	return -1;
}

static int
set_up(struct line *l)
{
	struct termios2 t, was;

	if (ioctl(l->fd, TCGETS2, &t) == -1)
		return fail(l, "cannot be read");
	was = t;
	wish(l, &t);
	if (memcmp(&t, &was, sizeof(t)) != 0 && ioctl(l->fd, TCSETS2, &t) == -1)
		return fail(l, "cannot be set");
	if (ioctl(l->fd, TCGETS2, &t) == -1)
		return fail(l, "cannot be read back");
	return check(l, &t);
}

/* Received characters are handed on at once, where a driver can be told so. */
static void
set_latency(struct line *l)
{
	struct serial_struct s;

	if (ioctl(l->fd, TIOCGSERIAL, &s) == -1)
		return;
	s.flags |= ASYNC_LOW_LATENCY;
	ioctl(l->fd, TIOCSSERIAL, &s);
}

/* ---- direction ---- */

static unsigned
whole_ms(unsigned us)
{
	return (us + 999) / 1000; /* the driver knows no less */
}

/* An earlier configuration may have had the driver turn the line; it would go
 * on with it. */
static void
clear_rs485(struct line *l)
{
	struct serial_rs485 rs;

	memset(&rs, 0, sizeof(rs));
	if (ioctl(l->fd, TIOCGRS485, &rs) == -1 ||
	    (rs.flags & SER_RS485_ENABLED) == 0)
		return;
	memset(&rs, 0, sizeof(rs));
	ioctl(l->fd, TIOCSRS485, &rs);
}

/* 0, or -1 with errno if the driver does not turn lines. */
static int
set_rs485(struct line *l)
{
	const struct conf_serial *c = l->conf;
	struct serial_rs485 rs = {
		.flags = SER_RS485_ENABLED |
		    (c->rs485.rts_low ? SER_RS485_RTS_AFTER_SEND
				      : SER_RS485_RTS_ON_SEND),
		.delay_rts_before_send = whole_ms(c->rs485.before_us),
		.delay_rts_after_send = whole_ms(c->rs485.after_us),
	};

	if (c->rs485.rx_during_tx)
		rs.flags |= SER_RS485_RX_DURING_TX;
	if (ioctl(l->fd, TIOCSRS485, &rs) == -1)
		return -1;
	if (ioctl(l->fd, TIOCGRS485, &rs) == -1)
		return -1;
	errno = ENOTSUP;
	return (rs.flags & SER_RS485_ENABLED) != 0 ? 0 : -1;
}

static int
set_direction(struct line *l)
{
	enum conf_rs485 mode = l->conf->rs485.mode;
	int lines;

	l->rts = false;
	if (mode == CONF_RS485_OFF || mode == CONF_RS485_RTS)
		clear_rs485(l);
	if (mode == CONF_RS485_OFF)
		return 0;
	if (mode != CONF_RS485_RTS && set_rs485(l) == 0)
		return 0;
	if (mode == CONF_RS485_IOCTL)
		return fail(
		    l, "the driver does not turn the line (rs485 \"ioctl\")");
	if (ioctl(l->fd, TIOCMGET, &lines) == 0) {
		l->rts = true;
		line_drive(l, false);
		return 0;
	}
	if (!l->untold)
		log_info("line has no RTS to turn it by: it is used as it is "
			 "port=%s",
		    l->conf->port);
	l->untold = true;
	return 0;
}

void
line_drive(struct line *l, bool on)
{
	int rts = TIOCM_RTS_BIT;
	bool high = on != l->conf->rs485.rts_low;

	if (l->rts)
		ioctl(l->fd, high ? TIOCMBIS : TIOCMBIC, &rts);
}

bool
line_sent(const struct line *l)
{
	int left = 0, empty = TIOCSER_TEMT;

	if (ioctl(l->fd, TIOCOUTQ, &left) == 0 && left != 0)
		return false;
	/* few drivers can tell; the caller has waited for the wire's time */
	if (ioctl(l->fd, TIOCSERGETLSR, &empty) == -1)
		return true;
	return (empty & TIOCSER_TEMT) != 0;
}

/* ---- open and close ---- */

/* Nobody else may have the device, and nobody may open it after us. On a
 * pseudo-terminal the mark of the latter outlives its maker. */
static int
take(struct line *l)
{
	struct termios2 t;
	struct stat st;

	if (ioctl(l->fd, TCGETS2, &t) == -1)
		return fail(l, "no serial device");
	if (fstat(l->fd, &st) == -1)
		return fail(l, "cannot be looked at");
	l->wire = major(st.st_rdev) < PTY_FIRST || major(st.st_rdev) > PTY_LAST;
	if (flock(l->fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK)
			errno = EBUSY;
		return fail(l, "another program uses it");
	}
	if (l->wire && ioctl(l->fd, TIOCEXCL) == -1)
		return fail(l, "cannot be had alone");
	return 0;
}

/* The driver's count of characters that nobody has fetched in time. */
static uint32_t
count_overruns(const struct line *l)
{
	struct serial_icounter_struct c;

	if (!l->wire || ioctl(l->fd, TIOCGICOUNT, &c) == -1)
		return l->overruns;
	return (uint32_t)c.overrun + (uint32_t)c.buf_overrun;
}

void
line_init(struct line *l, const struct conf_serial *conf)
{
	memset(l, 0, sizeof(*l));
	l->conf = conf;
	l->fd = -1;
}

/* The direction first: an open device may hold the bus. */
static int
begin(struct line *l)
{
	if (take(l) == -1 || set_direction(l) == -1 || set_up(l) == -1) {
		line_close(l);
		return -1;
	}
	set_latency(l);
	l->overruns = count_overruns(l);
	line_flush_in(l);
	return 0;
}

/* Whether the port is the device that fd is: it may have been pulled out, and
 * another one be there by now. */
static bool
is_port(const struct line *l, int fd)
{
	struct stat is, want;

	return fstat(fd, &is) == 0 && stat(l->conf->port, &want) == 0 &&
	    S_ISCHR(is.st_mode) && S_ISCHR(want.st_mode) &&
	    is.st_rdev == want.st_rdev && is.st_ino == want.st_ino &&
	    is.st_dev == want.st_dev;
}

int
line_inherit(struct line *l, int fd)
{
	if (!is_port(l, fd)) {
		close(fd);
		return -1;
	}
	l->fd = fd;
	line_flush_out(l);
	return begin(l);
}

int
line_open(struct line *l)
{
	l->fd = open(l->conf->port, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (l->fd == -1)
		return fail(l,
		    errno == EBUSY ? "another program uses it"
				   : "cannot be opened");
	return begin(l);
}

void
line_close(struct line *l)
{
	if (l->fd == -1)
		return;
	line_drive(l, false);
	close(l->fd);
	l->fd = -1;
}

/* ---- bytes ---- */

enum { PLAIN, MARK, MARK_ZERO }; /* of line.escape */

/*
 * Takes the marks out: FF FF is a plain FF, FF 00 x a damaged x. A sequence
 * may be cut off anywhere.
 */
static void
unmark(struct line *l, uint8_t *buf, size_t len, struct line_got *got)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = buf[i];

		switch (l->escape) {
		case PLAIN:
			if (c == 0xff)
				l->escape = MARK;
			else
				buf[got->n++] = c;
			break;
		case MARK:
			l->escape = c == 0 ? MARK_ZERO : PLAIN;
			if (c != 0)
				buf[got->n++] = 0xff;
			break;
		default:
			l->escape = PLAIN;
			got->bad = true;
			got->n = 0;
		}
	}
}

/* A device that was pulled out says so in several ways. */
static int
gone(struct line *l, int error)
{
	snprintf(l->why, sizeof(l->why), "%s",
	    error != 0 ? strerror(error) : "hung up");
	return -1;
}

int
line_read(struct line *l, uint8_t *buf, size_t room, struct line_got *got)
{
	ssize_t n = read(l->fd, buf, room);

	*got = (struct line_got){ 0 };
	if (n > 0) {
		unmark(l, buf, (size_t)n, got);
		return 1;
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return gone(l, n == -1 ? errno : 0);
}

ssize_t
line_write(struct line *l, const uint8_t *buf, size_t len)
{
	ssize_t n = write(l->fd, buf, len);

	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? 0 : gone(l, errno);
}

void
line_flush_out(struct line *l)
{
	ioctl(l->fd, TCFLSH, TCOFLUSH);
}

void
line_flush_in(struct line *l)
{
	ioctl(l->fd, TCFLSH, TCIFLUSH);
	l->escape = PLAIN;
}

unsigned
line_overruns(struct line *l)
{
	uint32_t was = l->overruns;

	l->overruns = count_overruns(l);
	return l->overruns - was;
}
