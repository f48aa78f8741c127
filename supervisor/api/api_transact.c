/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions: several steps as one. Runs in the program's own process, in any
 * thread. Bits are packed on the way in and unpacked on the way out, in memory
 * of the call's own.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/patience.h"
#include "supervisor/api/api_values.h"
#include "supervisor/holdfast/values.h"

_Static_assert((int)HF_READ == (int)STORE_READ &&
	(int)HF_WRITE == (int)STORE_WRITE && (int)HF_MASK == (int)STORE_MASK &&
	(int)HF_CHECK == (int)STORE_CHECK,
    "operations");

/* A transaction on its way. */
struct call {
	struct hf_device *d;
	struct hf_step *given;
	unsigned n;
	struct store_step step[STORE_STEPS_MAX];
	uint8_t *packed; /* bits of all steps, behind each other; or NULL */
	bool writes;
};

/* Looks at the arguments: bytes that bits will take, or -1 after api_fail(). */
static long
look(struct call *c)
{
	long bytes = 0;

	if (c->n == 0 || c->n > STORE_STEPS_MAX)
		return api_fail(
		    EINVAL, "a transaction has 1 to %d steps", STORE_STEPS_MAX);
	for (unsigned i = 0; i < c->n; i++) {
		const struct hf_step *s = &c->given[i];

		if ((unsigned)s->op > HF_CHECK || (unsigned)s->table > HF_IR ||
		    (s->op == HF_MASK && api_is_bits(s->table)) ||
		    (s->op != HF_MASK && s->values == NULL))
			return api_fail(EINVAL,
			    "step %u has no such operation or table", i);
		if (s->op != HF_MASK && api_is_bits(s->table)) {
			if (s->count > API_ADDRESSES)
				return api_result(c->d, STORE_NO_ADDRESS);
			bytes += (s->count + 7) / 8;
		}
		c->writes |= s->op == HF_WRITE || s->op == HF_MASK;
	}
	return bytes;
}

static void
prepare(struct call *c)
{
	uint8_t *at = c->packed;

	for (unsigned i = 0; i < c->n; i++) {
		const struct hf_step *s = &c->given[i];
		void *values = s->values;

		if (s->op != HF_MASK && api_is_bits(s->table)) {
			values = at;
			if (s->op != HF_READ)
				api_pack(s->values, s->count, at);
			at += (s->count + 7) / 8;
		}
		c->step[i] = (struct store_step){
			.op = (enum store_op)s->op,
			.table = (enum store_table)s->table,
			.addr = s->addr,
			.count = s->op == HF_MASK ? 1 : s->count,
			.and_mask = s->and_mask,
			.or_mask = s->or_mask,
			.in = values,
			.out = values,
		};
	}
}

static void
finish(struct call *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->given[i].op == HF_READ && api_is_bits(c->given[i].table))
			api_unpack(c->step[i].out, c->given[i].count,
			    c->given[i].values);
}

/* ---- for who may only read ---- */

/* Compares with what is there, in a buffer of the same form. */
static enum store_rc
check_step(const struct call *c, const struct store_step *s, uint8_t *buf,
    uint64_t *seq)
{
	enum store_rc rc =
	    store_read_host(&c->d->st, s->table, s->addr, s->count, buf, seq);

	if (rc != STORE_OK)
		return rc;
	return memcmp(buf, s->in, store_bytes(s->table, s->count)) == 0
	    ? STORE_OK
	    : STORE_MISMATCH;
}

/* All steps once; STORE_BUSY if they did not see the same commit. */
static enum store_rc
read_once(const struct call *c, uint8_t *buf, uint64_t *seq)
{
	enum store_rc rc = STORE_OK, checks = STORE_OK;
	uint64_t first = 0, now;

	for (unsigned i = 0; i < c->n; i++) {
		const struct store_step *s = &c->step[i];

		rc = s->op == STORE_READ ? store_read_host(&c->d->st, s->table,
					       s->addr, s->count, s->out, &now)
					 : check_step(c, s, buf, &now);
		if (rc == STORE_MISMATCH)
			checks = rc;
		else if (rc != STORE_OK)
			return rc;
		if (i > 0 && now != first)
			return STORE_BUSY;
		first = now;
	}
	*seq = first;
	return checks;
}

static int
read_only(struct call *c, uint64_t *seq)
{
	uint64_t end = clock_mono_ns() + PATIENCE_WRITE_MS * API_NS_PER_MS;
	uint64_t at = 0;
	uint8_t *buf = malloc(API_ADDRESSES * API_REG_BYTES);
	enum store_rc rc;

	if (buf == NULL)
		return api_fail(ENOMEM, "out of memory");
	while ((rc = read_once(c, buf, &at)) == STORE_BUSY &&
	    clock_mono_ns() < end)
		sched_yield();
	free(buf);
	if (seq != NULL && rc == STORE_OK)
		*seq = at;
	return api_result(c->d, rc);
}

int
hf_transact(struct hf_device *d, struct hf_step *steps, size_t n, uint64_t *seq)
{
	struct call c = { .d = d, .given = steps };
	long bytes;
	int rc;

	c.n = n > STORE_STEPS_MAX ? 0 : (unsigned)n;
	bytes = look(&c);
	if (bytes < 0 || api_ready(d->store) < 0)
		return -1;
	if (bytes > 0 && (c.packed = malloc((size_t)bytes)) == NULL)
		return api_fail(ENOMEM, "out of memory");
	prepare(&c);
	if (d->store->env.me == 0 && !c.writes)
		rc = api_gone(d->store) ? api_gone_fail(d) : read_only(&c, seq);
	else
		rc = api_apply(d, c.step, c.n, true, seq);
	if (rc == 0)
		finish(&c);
	free(c.packed);
	return rc;
}
