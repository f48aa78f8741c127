/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_FILTER_H
#define CONTROL_FILTER_H

/*
 * Which frames somebody wants to see: an expression over their fields.
 *
 *	fc == 3 && unit == 1
 *	exception || (us > 5000 && !(peer == 10.0.0.7))
 *	transport == "tcp1" && direction == out && value >= 100
 *
 *	expression	and, with || between them
 *	and		term, with && between them
 *	term		! term | ( expression ) | field | field op operand
 *	op		== != < <= > >=
 *	operand		a number, decimal or 0x; or a string, quoted or bare
 *
 * A field by itself is true where the frame has it. A frame that has it not
 * makes every comparison with it false. A field with several values (value) is
 * compared until one fits; != is true if none is equal.
 *
 * Numbers: fc unit addr count exception us value transaction.
 * Strings: transport peer connection direction (in, out) type framer name,
 * which know == and != only. A peer is equal to its address without the port,
 * too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILTER_NODES = 64, FILTER_TEXT_MAX = 1024, FILTER_WHY_MAX = 160 };

enum filter_field {
	FILTER_FC,
	FILTER_UNIT,
	FILTER_ADDR,
	FILTER_COUNT,
	FILTER_EXCEPTION,
	FILTER_US,
	FILTER_TRANSACTION,
	FILTER_VALUE,
	FILTER_TRANSPORT, /* strings from here on */
	FILTER_PEER,
	FILTER_CONNECTION,
	FILTER_DIRECTION,
	FILTER_TYPE,
	FILTER_FRAMER,
	FILTER_NAME,
	FILTER_FIELDS
};

/* What a frame has. */
struct filter_frame {
	int64_t number[FILTER_TRANSPORT]; /* -1: it has none */
	const char *string[FILTER_FIELDS]; /* from FILTER_TRANSPORT on; NULL */
	unsigned nvalues; /* for FILTER_VALUE */
	unsigned (*value)(const void *arg, unsigned i);
	const void *arg;
};

enum filter_op {
	FILTER_OR, /* both of left and right are nodes */
	FILTER_AND,
	FILTER_NOT, /* left */
	FILTER_HAS,
	FILTER_EQ,
	FILTER_NE,
	FILTER_LT,
	FILTER_LE,
	FILTER_GT,
	FILTER_GE,
};

struct filter_node {
	enum filter_op op;
	enum filter_field field;
	uint8_t left, right;
	int64_t number;
	uint16_t string; /* where its operand stands in text */
};

struct filter {
	struct filter_node node[FILTER_NODES];
	unsigned n; /* the last is the root; 0: all frames */
	char text[2 * FILTER_TEXT_MAX]; /* operands, each ended */
	size_t text_len;
};

/* Reads an expression; an empty one lets all pass. 0, or -1 after why
 * (FILTER_WHY_MAX bytes) says what is wrong in which column, from 1. */
int filter_parse(struct filter *, const char *expression, char *why);

/* Whether a frame passes. */
bool filter_passes(const struct filter *, const struct filter_frame *);

#endif
