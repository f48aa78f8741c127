/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anything that can happen on an RTU line, in any order. Input: a byte that
 * says whether it is strict, then records of what happens, length, bytes. What
 * is heard lies in what was said, requests to us are good, and a good request
 * between two silences is answered in the end.
 */

#include "tests/lib/fuzz_frame.h"

#include "workers/proto/bus.h"

enum { MINE = 0x11, PUT = 0, QUIET, DAMAGED, PAUSED, GIVE_UP, HAPPENS };

static struct mb_fcs fcs;
static struct bus bus;
static unsigned answers;

static void
heard(void *arg, const struct bus_message *m)
{
	(void)arg;
	HOLDS(m->len <= BUS_IN);
	HOLDS(m->adu >= bus.in && m->adu + m->len <= bus.in + BUS_IN);
	HOLDS(m->kind == BUS_REQUEST || !m->answer);
	if (m->kind == BUS_OTHER)
		HOLDS(m->len >= 4 && frame_crc16(m->adu, m->len) == 0);
	if (m->kind != BUS_REQUEST)
		return;
	HOLDS(m->len >= 4 && m->len <= BUS_ADU_MAX);
	HOLDS(frame_crc16(m->adu, m->len) == 0);
	HOLDS(m->frame->unit == MINE && m->adu[0] == MINE);
	HOLDS(m->frame->pdu == m->adu + 1);
	HOLDS(m->frame->pdu_len + 3 == m->len);
	answers += m->answer;
}

static void
happens(unsigned what, const uint8_t *p, size_t n)
{
	switch (what % HAPPENS) {
	case QUIET:
		answers = 0;
		bus_put(&bus, p, n);
		HOLDS(bus_quiet(&bus) == (bus.len != 0));
		HOLDS(answers <= 1);
		break;
	case DAMAGED:
		bus_damaged(&bus);
		break;
	case PAUSED:
		bus_paused(&bus);
		break;
	case GIVE_UP:
		bus_quiet(&bus);
		bus_give_up(&bus);
		HOLDS(bus.len == 0);
		break;
	default:
		bus_put(&bus, p, n);
	}
	HOLDS(bus.len <= BUS_IN && bus.nlumps <= BUS_LUMPS);
	HOLDS((bus.len == 0) == (bus.nlumps == 0));
	for (unsigned i = 0; i < bus.nlumps; i++)
		HOLDS(i == 0 ? bus.lump[0] == 0
			     : bus.lump[i] > bus.lump[i - 1] &&
			    bus.lump[i] < bus.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t ask[8] = { MINE, 3, 0, 0x6b, 0, 3, 0x76, 0x87 };
	size_t at = 1, n;

	if (size == 0)
		return 0;
	mb_fcs_init(&fcs);
	memset(&bus, 0, sizeof(bus));
	bus.fcs = &fcs;
	bus.mine[MINE] = true;
	bus.strict = data[0] & 1;
	bus.heard = heard;
	bus_reset(&bus);
	while (at + 2 <= size) {
		n = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
		happens(data[at], data + at + 2, n);
		at += 2 + n;
	}
	bus_quiet(&bus);
	happens(QUIET, ask, sizeof(ask));
	HOLDS(answers == 1 && bus.len == 0);
	return 0;
}
