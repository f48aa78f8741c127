/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fault rules in a line of the log. Runs in every process; a line that is too
 * long is cut.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shm/fault.h"
#include "shm/notice.h"
#include "shm/table.h"

static void add(char *text, const char *fmt, ...)
    __attribute__((__format__(printf, 2, 3)));

static void
add(char *text, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + len, FAULT_TEXT_MAX - len, fmt, ap);
	va_end(ap);
}

/* A share of a million as a percentage, with the digits that it has. */
static void
add_share(char *text, const char *key, uint32_t share)
{
	unsigned whole = share / 10000, rest = share % 10000;
	char digits[8];

	if (rest == 0) {
		add(text, " %s=%u", key, whole);
		return;
	}
	snprintf(digits, sizeof(digits), "%04u", rest);
	while (digits[strlen(digits) - 1] == '0')
		digits[strlen(digits) - 1] = '\0';
	add(text, " %s=%u.%s", key, whole, digits);
}

static void
add_codes(char *text, const uint64_t fc[4])
{
	const char *sep = " fc=";

	for (unsigned i = 0; i < 256; i++) {
		if ((fc[i / 64] >> i % 64 & 1) == 0)
			continue;
		add(text, "%s%u", sep, i);
		sep = ",";
	}
}

static void
add_conditions(char *text, const struct fault_rule *r)
{
	if (r->transport[0] != '\0')
		add(text, " transport=%s", r->transport);
	if ((r->given & FAULT_CONNECTION) != 0)
		add(text, " worker=%u connection=%" PRIu64,
		    CONN_ID_WORKER(r->connection),
		    (uint64_t)CONN_ID_SERIAL(r->connection));
	if ((r->given & FAULT_UNIT) != 0)
		add(text, " unit=%u", r->unit);
	add_codes(text, r->fc);
	if ((r->given & FAULT_TABLE) != 0)
		add(text, " range=%s:%u+%u",
		    table_short((enum store_table)r->table), r->first,
		    r->last - r->first + 1);
	else if ((r->given & FAULT_RANGE) != 0)
		add(text, " range=%u-%u", r->first, r->last);
	if (r->rate != FAULT_MILLION)
		add_share(text, "rate_pct", r->rate);
	if (r->count != 0)
		add(text, " count=%" PRIu64, r->count);
}

static void
add_effects(char *text, const struct fault_rule *r)
{
	if ((r->effects & FAULT_EXCEPTION) != 0)
		add(text, " exception=%u", r->exception);
	if ((r->effects & FAULT_DELAY) != 0)
		add(text, " delay_ms=%u", r->delay_ms);
	if ((r->effects & FAULT_DROP) != 0)
		add(text, " drop");
	if ((r->effects & FAULT_JUNK) != 0)
		add(text, " junk_bytes=%u", r->junk_bytes);
	if ((r->effects & FAULT_SPLIT) != 0)
		add(text, " split_ms=%u", r->split_ms);
	if ((r->effects & FAULT_CHANGE) != 0)
		add_share(text, "change_pct", r->change);
	if (r->change_rate != 0)
		add_share(text, "change_rate_pct", r->change_rate);
	if ((r->effects & FAULT_UNIT_WRONG) != 0)
		add(text, " wrong_unit");
	if ((r->effects & FAULT_CRC) != 0)
		add(text, " bad_crc");
}

void
fault_text(const struct fault_rule *r, char text[FAULT_TEXT_MAX])
{
	text[0] = '\0';
	add_conditions(text, r);
	add_effects(text, r);
	add(text, " by=%s", r->by);
	/* each began with a blank */
	memmove(text, text + 1, strlen(text));
}

const char *
fault_event_name(uint64_t event)
{
	static const char *const names[FAULT_EVENTS] = {
		[FAULT_ADDED] = "added",
		[FAULT_CLEARED] = "cleared",
		[FAULT_SPENT] = "spent",
		[FAULT_EXPIRED] = "expired",
		[FAULT_GONE] = "gone",
	};

	return event < FAULT_EVENTS ? names[event] : "unknown";
}
