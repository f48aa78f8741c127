/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_TYPES_H
#define SUPERVISOR_CONF_TYPES_H

/*
 * What transports of the types serial and shm are told. Included through
 * supervisor/conf.h.
 */

#include <stdbool.h>

enum conf_rs485 {
	CONF_RS485_OFF,
	CONF_RS485_AUTO,
	CONF_RS485_IOCTL,
	CONF_RS485_RTS
};

enum conf_parity {
	CONF_PARITY_NONE,
	CONF_PARITY_EVEN,
	CONF_PARITY_ODD,
	CONF_PARITY_MARK,
	CONF_PARITY_SPACE
};

enum conf_t15 { CONF_T15_OFF, CONF_T15_COUNT, CONF_T15_STRICT };

struct conf_serial {
	char *port; /* a device; NULL: "socket://", in listen */
	unsigned baudrate;
	unsigned bytesize; /* 5..8 */
	enum conf_parity parity;
	unsigned stopbits; /* 1, 2 */
	struct {
		enum conf_rs485 mode;
		bool rts_low; /* while sending */
		unsigned before_us, after_us; /* sending */
		bool rx_during_tx;
	} rs485;
	bool local_echo;
	enum conf_t15 t15;
	unsigned turnaround_ms;
	unsigned ascii_timeout_ms;
};

/* A view: see shm/mirror.h. */
struct conf_shm {
	int plain; /* device of the set without a unit in its names, or
		    * CONF_NO_DEVICE */
	char *prefix;
	unsigned mode; /* of the objects */
	unsigned counts[4]; /* cells of each table; 0: what the device needs */
	char *semaphore; /* or NULL */
	unsigned semaphore_timeout_s;
	unsigned scan_ms;
};

#endif
