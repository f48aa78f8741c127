/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any requests to mb_serve(), against a second opinion. Input: records of
 * flags, length, PDU; each is served in turn, so states add up.
 *
 * Needs: tests/lib/fake_unit.c tests/lib/ref_model.c
 */

#include "tests/lib/fuzz_frame.h"

#include "tests/lib/fake_unit.h"
#include "tests/lib/ref_model.h"

enum { BROADCAST = 1, READ_ONLY = 2, FAILING = 4 };

static struct fake fake;
static struct ref ref;
static struct mb_fcs fcs;

static void
first_values(struct ref *r)
{
	unsigned i, n;

	for (i = 0; i < REF_BITS; i++) {
		r->co[i] = i % 3 == 0;
		r->di[i] = i % 5 == 0;
	}
	for (i = 0; i < REF_REGS; i++) {
		r->hr[i] = (uint16_t)(0x1234 + 259 * i);
		r->ir[i] = (uint16_t)(0x8234 + 259 * i);
		for (n = 0; n < REF_FILES; n++)
			r->file[n][i] = (uint16_t)(n << 12 | i);
	}
	r->fifo_n[0] = 5;
	r->fifo_n[1] = 32;
	for (i = 0; i < MB_FIFO_MAX; i++)
		r->fifo[0][i] = (uint16_t)(i * i);
}

static void
once(struct ref *first)
{
	mb_fcs_init(&fcs);
	fake_init(&fake);
	fake.size[MB_CO] = fake.size[MB_DI] = REF_BITS;
	fake.size[MB_HR] = fake.size[MB_IR] = REF_REGS;
	fake.files = REF_FILES;
	fake.records = REF_RECORDS;
	fake.fifos = 2;
	first_values(first);
}

/* Both begin with the same values. fake is large: only what is used is set. */
static void
begin(void)
{
	static struct ref first;

	if (fcs.row[3] == NULL)
		once(&first);
	memset(&fake.diag, 0, sizeof(fake.diag));
	ref = first;
	memcpy(fake.bits[MB_CO], ref.co, sizeof(ref.co));
	memcpy(fake.bits[MB_DI], ref.di, sizeof(ref.di));
	memcpy(fake.regs[0], ref.hr, sizeof(ref.hr));
	memcpy(fake.regs[1], ref.ir, sizeof(ref.ir));
	memcpy(fake.file[0], ref.file[0], sizeof(ref.file[0]));
	memcpy(fake.file[1], ref.file[1], sizeof(ref.file[1]));
	memcpy(fake.fifo[0], ref.fifo[0], sizeof(ref.fifo[0]));
	fake.fifo_count[0] = ref.fifo_n[0];
	fake.fifo_count[1] = ref.fifo_n[1];
}

static void
compare_state(void)
{
	HOLDS(memcmp(fake.bits[MB_CO], ref.co, sizeof(ref.co)) == 0);
	HOLDS(memcmp(fake.bits[MB_DI], ref.di, sizeof(ref.di)) == 0);
	HOLDS(memcmp(fake.regs[0], ref.hr, sizeof(ref.hr)) == 0);
	HOLDS(memcmp(fake.regs[1], ref.ir, sizeof(ref.ir)) == 0);
	HOLDS(memcmp(fake.file[0], ref.file[0], sizeof(ref.file[0])) == 0);
	HOLDS(memcmp(fake.file[1], ref.file[1], sizeof(ref.file[1])) == 0);
}

/* What holds for every reply, whatever the request. */
static void
check_reply(const uint8_t *pdu, const uint8_t *out, size_t len, unsigned wrote)
{
	HOLDS(len <= MB_PDU_MAX);
	HOLDS((out[0] & 0x7f) == (pdu[0] & 0x7f));
	if (out[0] >= 0x80) {
		HOLDS(len == 2);
		HOLDS(out[1] >= MB_EX_FUNCTION && out[1] <= MB_EX_FAILURE);
		HOLDS(wrote == 0);
		return;
	}
	HOLDS(mb_fc_name(&fcs, out[0]) != NULL);
	if (out[0] != 8) /* an echo has any length */
		HOLDS(mb_reply_len(&fcs, out, len) == (int)len);
}

static void
serve(unsigned flags, const uint8_t *pdu, size_t len)
{
	uint8_t out[MB_PDU_MAX], want[MB_PDU_MAX];
	unsigned before = fake.writes;
	bool broadcast = flags & BROADCAST;
	uint8_t *block = malloc(len); /* its end is seen by ASan */
	int n = 0;
	size_t got;

	HOLDS(block != NULL);
	memcpy(block, pdu, len);
	fake.unit.read_only = ref.read_only = flags & READ_ONLY;
	fake.fail = flags & FAILING ? MB_EX_FAILURE : MB_EX_NONE;
	fake.calls = 0;
	got = mb_serve(&fcs, &fake.unit, broadcast, block, len, out);
	HOLDS(fake.calls <= 1);
	if (got > 0)
		check_reply(block, out, got, fake.writes - before);
	if (flags & FAILING) {
		HOLDS(fake.writes == before);
		if (ref.listening != mb_diag_listening(&fake.diag))
			ref.listening = !ref.listening;
	} else {
		n = ref_serve(&ref, broadcast, block, (int)len, want);
		HOLDS(n == REF_OTHER ? got > 0 : (int)got == n);
		HOLDS(n <= 0 || memcmp(out, want, got) == 0);
		HOLDS(ref.listening == mb_diag_listening(&fake.diag));
	}
	free(block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0, len;

	begin();
	while (at + 2 < size) {
		len = data[at + 1];
		if (len > size - at - 2)
			len = size - at - 2;
		if (len > MB_PDU_MAX)
			len = MB_PDU_MAX;
		if (len == 0)
			len = 1;
		serve(data[at] & 7, data + at + 2, len);
		at += 2 + len;
	}
	compare_state();
	return 0;
}
