/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker without a process that the suites of workers/ look into: its
 * segments, its configuration, and what proc_begin() and the first minute of a
 * worker would have filled in. Runs in the test; never serves anybody itself.
 */
#include "tests/lib/worker_fixture.h"

#include <check.h>
#include <stdio.h>

#include "shm/notice.h"

static void
fx_range(struct seg_range *r, enum store_table table, uint32_t addr,
    uint32_t count, bool read_only)
{
	memset(r, 0, sizeof(*r));
	r->range.table = (uint8_t)table;
	r->range.addr = addr;
	r->range.count = count;
	r->range.read_only = read_only;
	r->range.type =
	    table == STORE_CO || table == STORE_DI ? TYPED_BITS : TYPED_UINT16;
	r->range.scale = 1;
}

static void
fx_devices(struct fx *fx, const char *store)
{
	static uint8_t values[2 * FX_HR];
	struct seg_range r[7];

	for (unsigned i = 0; i < FX_HR; i++) {
		values[2 * i] = (uint8_t)(i >> 8);
		values[2 * i + 1] = (uint8_t)i;
	}
	fx_range(&r[0], STORE_HR, 0, FX_HR, false);
	r[0].init = values;
	fx_range(&r[1], STORE_HR, 300, 10, true);
	fx_range(&r[2], STORE_CO, 0, 64, false);
	fx_range(&r[3], STORE_DI, 0, 16, false);
	fx_range(&r[4], STORE_IR, 0, 10, false);
	fx_range(&r[5], STORE_FILE, 1u << 16, 20, false);
	fx_range(&r[6], STORE_FIFO, 2000u << 5, 32, false);
	ck_assert_int_eq(
	    seg_create_device(&fx->device_seg[0], store, "a", 0, r, 7, false),
	    0);
	fx_range(&r[0], STORE_HR, 0, 100, false);
	ck_assert_int_eq(
	    seg_create_device(&fx->device_seg[1], store, "b", 1, r, 1, false),
	    0);
}

static void
fx_segments(struct fx *fx)
{
	struct proc *p = &fx->proc;
	char store[32], lock[64];
	struct shm_transport *t;

	snprintf(store, sizeof(store), "fx-%d", (int)getpid());
	seg_unlink_store(store);
	ck_assert_int_eq(
	    seg_create_control(&p->control_seg, store, 8, 1, 2, 64), 0);
	fx_devices(fx, store);
	ck_assert_int_eq(seg_create_worker_for(&p->worker_seg, store, "t", 0, 0,
			     &(struct seg_worker_counts){ .conns = FX_CONNS,
				 .batches = FX_BATCHES,
				 .dgrams = 1,
				 .trace_bytes = 1 << 16 }),
	    0);
	seg_unlink_store(store);
	p->env.control = seg_control(&p->control_seg);
	snprintf(lock, sizeof(lock), "/tmp/%s.lock", store);
	p->env.lock_fd = slot_lock_open(lock);
	ck_assert_int_ge(p->env.lock_fd, 0);
	unlink(lock);
	ck_assert_int_eq(slot_lock_take(p->env.lock_fd, FX_SLOT), 0);
	p->env.me = slot_next_id(p->env.control, FX_SLOT);
	t = seg_transport(p->env.control, 0);
	t->first_author = FX_AUTHOR;
	t->nconns = FX_CONNS;
	t->nworkers = 1;
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
		    store_open(&fx->stores[i], fx->device_seg[i].at,
			fx->device_seg[i].size, true, &p->env),
		    0);
}

static void
fx_conf(struct fx *fx)
{
	static char text[3][8] = { "Acme", "A1", "1.0" };
	static char name[2][4] = { "a", "b" }, transport[] = "t";
	static char framer[] = "socket", store[] = "fx";
	struct conf_transport *t = &fx->transport;

	for (int i = 0; i < 3; i++) {
		fx->identity[i].id = (uint8_t)i;
		fx->identity[i].text = text[i];
	}
	for (int i = 0; i < 2; i++) {
		fx->devices[i].name = name[i];
		fx->devices[i].identity = fx->identity;
		fx->devices[i].nidentity = 3;
	}
	t->name = transport;
	t->framer = framer;
	for (unsigned u = 0; u < CONF_UNITS; u++)
		t->units[u] = CONF_NO_DEVICE;
	t->units[1] = 0;
	t->units[2] = 1;
	t->max_connections = FX_CONNS;
	t->workers = 1;
	fx->conf.store = store;
	fx->conf.devices = fx->devices;
	fx->conf.ndevices = 2;
	fx->conf.transports = t;
	fx->conf.ntransports = 1;
	fx->conf.hang_timeout_ms = 1000;
}

void
fx_init(struct fx *fx)
{
	memset(fx, 0, sizeof(*fx));
	fx_conf(fx);
	fx_segments(fx);
	fx->proc.conf = &fx->conf;
	fx->proc.transport = &fx->transport;
	fx->proc.stores = fx->stores;
	fx->proc.chan = -1;
	fx->proc.listen_fd = -1;
	fx->proc.bell_fd = -1;
	fx->worker.proc = &fx->proc;
	fx->worker.conf = &fx->transport;
	fx->worker.shm = seg_worker(&fx->proc.worker_seg);
	fx->worker.now_ns = 1000000000;
	log_set_level(LOG_ERROR);
}

void
fx_fini(struct fx *fx)
{
	close(fx->proc.env.lock_fd);
	seg_unmap(&fx->proc.worker_seg);
	seg_unmap(&fx->proc.control_seg);
	seg_unmap(&fx->device_seg[0]);
	seg_unmap(&fx->device_seg[1]);
}

int
fx_report(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
