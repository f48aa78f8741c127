/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values: reading and writing registers, bits, numbers and text of a device,
 * and transactions. Runs in the program's own process, in any thread. Reading
 * registers takes no lock and allocates nothing, and nor does writing them but
 * for the lock that keeps the threads of the program apart.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shm/bell.h"
#include "shm/durable.h"
#include "shm/clock.h"
#include "shm/patience.h"
#include "shm/store_client.h"
#include "supervisor/api/api_values.h"
#include "supervisor/holdfast/values.h"

enum { NS_PER_S = 1000000000 };

/* ---- results ---- */

int
api_result(const struct hf_device *d, enum store_rc rc)
{
	const char *name = d->conf.name;

	switch (rc) {
	case STORE_OK:
		return 0;
	case STORE_NO_ADDRESS:
		return api_fail(EADDRNOTAVAIL,
		    "not all of these addresses exist in device %s", name);
	case STORE_DENIED:
		return api_fail(EROFS, "the store %s can only be read here",
		    d->store->name);
	case STORE_GONE:
		return api_fail(ESTALE,
		    "device %s of the store %s has other ranges by now, or has "
		    "gone: attach again",
		    name, d->store->name);
	case STORE_BUSY:
		return api_fail(
		    EBUSY, "device %s is held by another writer", name);
	case STORE_MISMATCH:
		return api_fail(
		    ECANCELED, "a check does not hold in device %s", name);
	case STORE_UNSAVED:
		return api_fail(
		    EIO, "what is durable of device %s cannot be saved", name);
	case STORE_TOO_LONG:
		return api_fail(EINVAL,
		    "more than %d registers are to be written at once",
		    STORE_STEP_BYTES / API_REG_BYTES);
	case STORE_REPLAYED:
		break;
	}
	return api_fail(EIO, "the segment of device %s is damaged", name);
}

int
api_gone_fail(const struct hf_device *d)
{
	return api_fail(
	    ESTALE, "who made the store %s has gone", d->store->name);
}

/* ---- reading ---- */

/* Writers that never pause, or a damaged segment. */
static enum store_rc
read_again(const struct hf_device *d, enum store_table t, uint32_t addr,
    uint32_t count, void *out, bool host)
{
	uint64_t end = clock_mono_ns() + PATIENCE_WRITE_MS * API_NS_PER_MS;
	enum store_rc rc;

	do {
		sched_yield();
		rc = host ? store_read_host(&d->st, t, addr, count, out, NULL)
			  : store_read(&d->st, t, addr, count, out, NULL);
	} while (rc == STORE_BUSY && clock_mono_ns() < end);
	return rc;
}

static inline int
get(struct hf_device *d, enum store_table t, uint32_t addr, uint32_t count,
    void *out, bool host)
{
	enum store_rc rc;

	if (api_ready(d->store) < 0)
		return -1;
	rc = host ? store_read_host(&d->st, t, addr, count, out, NULL)
		  : store_read(&d->st, t, addr, count, out, NULL);
	if (rc == STORE_BUSY)
		rc = read_again(d, t, addr, count, out, host);
	if (api_gone(d->store))
		return api_gone_fail(d);
	return rc == STORE_OK ? 0 : api_result(d, rc);
}

int
api_get(struct hf_device *d, enum store_table t, uint32_t addr, uint32_t count,
    void *out, bool host)
{
	return get(d, t, addr, count, out, host);
}

void
api_unpack(const uint8_t *packed, uint32_t count, uint16_t *values)
{
	for (uint32_t i = 0; i < count; i++)
		values[i] = packed[i / 8] >> i % 8 & 1;
}

void
api_pack(const uint16_t *values, uint32_t count, uint8_t *packed)
{
	memset(packed, 0, (count + 7) / 8);
	for (uint32_t i = 0; i < count; i++)
		packed[i / 8] |= (uint8_t)((values[i] != 0) << i % 8);
}

static int
get_values(struct hf_device *d, enum store_table t, uint32_t addr,
    uint32_t count, uint16_t *values)
{
	uint8_t packed[API_ADDRESSES / 8];

	if (!api_is_bits(t))
		return get(d, t, addr, count, values, true);
	if (count > API_ADDRESSES)
		return api_result(d, STORE_NO_ADDRESS);
	if (get(d, t, addr, count, packed, true) < 0)
		return -1;
	api_unpack(packed, count, values);
	return 0;
}

/* ---- writing ---- */

#ifdef __SANITIZE_THREAD__ /* which does not know the other one */
#define LOCK_CLOCK CLOCK_REALTIME
#define lock_until(m, t) pthread_mutex_timedlock(m, t)
#else
#define LOCK_CLOCK CLOCK_MONOTONIC
#define lock_until(m, t) pthread_mutex_clocklock(m, CLOCK_MONOTONIC, t)
#endif

/* Threads take turns, no longer than writers of different programs do. */
static int
lock(struct hf_store *s)
{
	struct timespec until;

	if (pthread_mutex_trylock(&s->lock) == 0)
		return 0;
	clock_gettime(LOCK_CLOCK, &until);
	until.tv_nsec += PATIENCE_WRITE_MS * API_NS_PER_MS;
	until.tv_sec += until.tv_nsec / NS_PER_S;
	until.tv_nsec %= NS_PER_S;
	return lock_until(&s->lock, &until) == 0 ? 0 : -1;
}

static enum store_rc
apply(struct hf_device *d, const struct store_step *steps, unsigned n,
    bool host, uint64_t *seq)
{
	struct hf_store *s = d->store;
	unsigned author = SLOT_OF(s->env.me);
	struct store_who who = {
		.author = author,
		.op = ++s->op,
		.budget_ns = (uint64_t)PATIENCE_WRITE_MS * API_NS_PER_MS,
		.host = host,
	};
	enum store_rc rc = store_apply(&d->st, &who, steps, n, seq);

	if (rc != STORE_REPLAYED)
		return rc;
	/* ours has never been used: somebody scribbles. Go on behind it */
	s->op = who.op = 1 + atomic_load(seg_done(s->env.control, author));
	return store_apply(&d->st, &who, steps, n, seq);
}

/* Waits until what has been written is on the disk; other threads go on. */
static enum store_rc
save(struct hf_store *s)
{
	struct shm_saved *saved = &s->env.control->saved;

	return durable_wait(saved, durable_budget_ns(saved)) == 0
	    ? STORE_OK
	    : STORE_UNSAVED;
}

int
api_apply(struct hf_device *d, const struct store_step *steps, unsigned n,
    bool host, uint64_t *seq)
{
	struct hf_store *s = d->store;
	enum store_rc rc;
	bool durable;

	if (api_ready(s) < 0)
		return -1;
	if (s->env.me == 0)
		return api_result(d, STORE_DENIED);
	if (lock(s) < 0)
		return api_result(d, STORE_BUSY);
	durable = durable_touched(&d->st, steps, n);
	rc = durable && durable_fails(&s->env.control->saved)
	    ? STORE_UNSAVED
	    : apply(d, steps, n, host, seq);
	if (rc == STORE_OK)
		bell_ring(s->env.control, &s->bell_fd);
	pthread_mutex_unlock(&s->lock);
	if (rc == STORE_OK && durable)
		rc = save(s);
	if (rc == STORE_BUSY ? api_gone_now(s) : api_gone(s))
		return api_gone_fail(d);
	return rc == STORE_OK ? 0 : api_result(d, rc);
}

static int
set(struct hf_device *d, enum store_table t, uint32_t addr, uint32_t count,
    const void *in, bool host)
{
	struct store_step step = {
		.op = STORE_WRITE,
		.table = t,
		.addr = addr,
		.count = count,
		.in = in,
	};

	return api_apply(d, &step, 1, host, NULL);
}

static int
set_values(struct hf_device *d, enum store_table t, uint32_t addr,
    uint32_t count, const uint16_t *values)
{
	uint8_t packed[API_ADDRESSES / 8];

	if (!api_is_bits(t))
		return set(d, t, addr, count, values, true);
	if (count > API_ADDRESSES)
		return api_result(d, STORE_NO_ADDRESS);
	api_pack(values, count, packed);
	return set(d, t, addr, count, packed, true);
}

/* ---- by function code ---- */

/* The table that a function code works on, or -1 after api_fail(). */
static int
table_of(unsigned fc)
{
	static const int8_t tables[] = {
		[1] = 1 + STORE_CO,
		[2] = 1 + STORE_DI,
		[3] = 1 + STORE_HR,
		[4] = 1 + STORE_IR,
		[5] = 1 + STORE_CO,
		[6] = 1 + STORE_HR,
		[15] = 1 + STORE_CO,
		[16] = 1 + STORE_HR,
		[22] = 1 + STORE_HR,
		[23] = 1 + STORE_HR,
	};

	if (fc < sizeof(tables) && tables[fc] > 0)
		return tables[fc] - 1;
	return api_fail(EINVAL, "function code %u has no table", fc);
}

int
hf_get_values(struct hf_device *d, unsigned fc, uint32_t addr, uint32_t count,
    uint16_t *values)
{
	int t = table_of(fc);

	if (count == 0)
		return api_fail(EINVAL, "count is 0: there is nothing to read");
	return t < 0 ? -1
		     : get_values(d, (enum store_table)t, addr, count, values);
}

int
hf_set_values(struct hf_device *d, unsigned fc, uint32_t addr, uint32_t count,
    const uint16_t *values)
{
	int t = table_of(fc);

	if (count == 0)
		return api_fail(
		    EINVAL, "count is 0: there is nothing to write");
	return t < 0 ? -1
		     : set_values(d, (enum store_table)t, addr, count, values);
}

/* ---- counts ---- */

int
hf_get_counts(struct hf_device *d, enum hf_table table, uint32_t addr,
    uint32_t count, uint32_t *reads, uint32_t *writes)
{
	enum store_table t = (enum store_table)table;
	enum store_rc rc = STORE_OK;
	uint32_t r, w;

	if ((unsigned)table > HF_IR)
		return api_fail(EINVAL, "there is no table %d", (int)table);
	if (count == 0)
		return api_fail(EINVAL, "count is 0: there is nothing to read");
	if (api_ready(d->store) < 0)
		return -1;
	if (count > API_ADDRESSES || !store_has(&d->st, t, addr, count))
		return api_result(d, STORE_NO_ADDRESS);
	for (uint32_t i = 0; i < count && rc == STORE_OK; i++) {
		rc = store_counts(&d->st, t, addr + i, 1, &r, &w);
		if (reads != NULL)
			reads[i] = r;
		if (writes != NULL)
			writes[i] = w;
	}
	return api_gone(d->store) ? api_gone_fail(d) : api_result(d, rc);
}
