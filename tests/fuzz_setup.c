/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a setup file of pymodbus' simulator. What is refused is refused
 * with lines that say where; what is taken becomes ranges that a device can
 * have, none of which overlaps another one.
 *
 * Needs: supervisor/conf/setup*.c supervisor/conf/jsonc*.c supervisor/near.c supervisor/mem.c shm/[a-z]*.c -ljansson -lm
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf/setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { ADDRESSES = 65536, TABLES = 4 };

static void
must(int truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

static void
check_words(const char *why)
{
	for (const char *line = why; line != NULL;) {
		must(strncmp(line, "x.json:", 7) == 0, "no place");
		for (; *line != '\n' && *line != '\0'; line++)
			must((unsigned char)*line >= ' ', "no printable line");
		line = *line == '\n' ? line + 1 : NULL;
	}
}

static void
check_range(const struct hf_range *r)
{
	static const unsigned char regs[] = { [HF_UINT16] = 1,
		[HF_INT16] = 1,
		[HF_UINT32] = 2,
		[HF_INT32] = 2,
		[HF_UINT64] = 4,
		[HF_INT64] = 4,
		[HF_FLOAT32] = 2,
		[HF_FLOAT64] = 4,
		[HF_STRING] = 1,
		[HF_BITS] = 1 };

	must(r->count > 0 && r->addr < ADDRESSES &&
		r->count <= ADDRESSES - r->addr,
	    "no such addresses");
	must(r->nvalues == r->count && r->values != NULL, "values");
	must(r->type <= HF_BITS && regs[r->type] != 0 &&
		r->count % regs[r->type] == 0,
	    "half a value");
	must(r->parameters == NULL || r->action != NULL, "parameters");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static unsigned char seen[TABLES][ADDRESSES];
	/* the names of actions are known, or somebody else's */
	struct setup_pick pick = { "server", NULL, NULL, len % 2 != 0, NULL };
	char *text = malloc(len + 1);
	struct setup *s;

	must(text != NULL, "no memory");
	memcpy(text, data, len);
	text[len] = '\0';
	s = setup_read("x.json", text, len, &pick);
	free(text);
	check_words(s->why);
	check_words(s->notes);
	must(s->why == NULL || s->nranges == 0, "ranges of a mistake");
	memset(seen, 0, s->nranges > 0 ? sizeof(seen) : 0);
	for (size_t i = 0; i < s->nranges; i++) {
		const struct hf_range *r = &s->ranges[i];

		must(s->range_at[i] != NULL && s->range_at[i]->line > 0,
		    "a range without a place");
		check_range(r);
		for (uint32_t k = 0; k < r->count; k++)
			must(seen[r->table][r->addr + k]++ == 0, "overlaps");
	}
	setup_free(s);
	return 0;
}
