/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a worker has left in shared memory, and as what it hands
 * over: its supervisor and its keeper look through it, move it into another
 * segment and take over what it has open. They read and write nothing that is
 * not there, come to an end, and hold no descriptor that nobody knows of.
 *
 * Needs: tests/lib/fuzz_super.c supervisor/[a-ln-z]*.c supervisor/mem.c supervisor/keeper/[a-z]*.c supervisor/persist/[a-z]*.c supervisor/reload/[a-z]*.c supervisor/conf/[a-z]*.c shm/[a-z]*.c -DHOLDFAST_VERSION="\"0\"" -DHOLDFAST_PREFIX="\"/usr\"" -levent -ljansson -lm -ldl
 */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/notice.h"
#include "supervisor/keeper/handing.h"
#include "supervisor/places.h"
#include "supervisor/reload/moving.h"
#include "supervisor/segs_make.h"
#include "tests/lib/fuzz_frame.h"
#include "tests/lib/fuzz_super.h"

enum {
	SEGMENTS = 5, /* control, the device, and those of three workers */
	RECORD = 12, /* bytes of the input for a scribble */
	FILES = 1024,
	HANDED = 8,
};

/* As they were made. */
static struct {
	const struct seg *seg;
	void *was;
} kept[SEGMENTS];

static void
keep_all(void)
{
	struct super *s = &fuzz_super;
	const struct seg *all[SEGMENTS] = { &s->control_seg, &s->device_segs[0],
		&s->services->workers[0].seg, &s->services->workers[1].seg,
		&s->services->next->workers[0].seg };

	for (int i = 0; i < SEGMENTS; i++) {
		kept[i].seg = all[i];
		kept[i].was = malloc(all[i]->size);
		HOLDS(kept[i].was != NULL);
		memcpy(kept[i].was, all[i]->at, all[i]->size);
	}
}

static void
restore_all(void)
{
	for (int i = 0; i < SEGMENTS; i++)
		memcpy(kept[i].seg->at, kept[i].was, kept[i].seg->size);
}

/* Some bytes somewhere, again and again if that is said. */
static void
scribble(const uint8_t *r)
{
	unsigned which = r[0] % (SEGMENTS + 1);
	size_t at = ((size_t)r[1] << 16 | (size_t)r[2] << 8 | r[3]) * 4;
	size_t step = 4u << (r[0] >> 5), size = sizeof(struct shm_ring);
	/* the ring that this process writes to itself is one more place */
	uint8_t *to = (uint8_t *)seg_notices(fuzz_super.control, 0);

	if (which < SEGMENTS) {
		to = kept[which].seg->at;
		size = kept[which].seg->size;
	}
	for (unsigned i = 0; i <= r[4]; i++, at += step)
		for (size_t k = 5; k < RECORD; k++)
			to[(at + k - 5) % size] = r[k];
}

static unsigned
open_sockets(void)
{
	unsigned n = 0;
	struct stat st;

	for (int fd = 0; fd < FILES; fd++)
		n += fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	return n;
}

/* ---- what they do with it ---- */

static void
look_through(struct super *s)
{
	const struct conf_device *d = &s->conf->devices[0];
	struct service *sv = s->services;
	struct notice n;
	uint64_t pos = 0;

	for (unsigned i = 0; i < seg_ntransports(s->control); i++)
		places_sound(s, seg_transport(s->control, i));
	(void)segs_find_device(s->control, d->name);
	(void)segs_fits(&s->stores[0], d);
	for (int k = 0; k < 1000 && notice_next(s->control, 0, &pos, &n) == 1;
	     k++)
		;
	notice_post(&s->env, NOTICE_LOG, 0, 0, 0, "some words of ours");
	for (unsigned w = 0; w < sv->nworkers; w++) {
		struct process *p = &sv->workers[w];

		process_blame(p, SIGSEGV, false);
		child_event(&p->child, LIFE_START);
		child_event(&p->child, LIFE_READY);
		p->pid = getpid();
		p->id = slot_next_id(s->control, p->slot);
	}
	fuzz_super_tick(12);
	for (unsigned w = 0; w < sv->nworkers; w++)
		sv->workers[w].pid = 0;
}

static void
move(struct super *s)
{
	struct service *from = s->services, *to = from->next;

	places_leave(s, from);
	moving_worker(from, to, 0);
}

/* Messages of a worker, in whatever order, some of them none. */
static void
hand_over(struct super *s, const uint8_t *r, size_t n)
{
	struct process *p = &s->services->workers[1];
	unsigned before = open_sockets(), known = 0;
	struct proc proc = { .ward = p };
	int pair[2], rest[2];
	struct shm_worker *w = seg_worker(&p->seg);

	HOLDS(ipc_pair(pair) == 0 && ipc_pair(rest) == 0);
	for (size_t i = 0; i < n; i++) {
		struct ipc_msg m = {
			.kind = r[i] & 0x80 ? r[i] : IPC_CONN,
			.arg = r[i] % (FUZZ_CONNS + 2),
		};

		if (ipc_send_fd(pair[1], &m, r[i] & 0x40 ? -1 : rest[0]) < 0)
			break;
	}
	close(pair[1]);
	handing_take(&proc, pair[0]);
	for (unsigned i = 0; i < FUZZ_CONNS; i++) {
		int fd = seg_conn(w, i)->fd;

		HOLDS(fd >= -1 && (fd == -1 || fcntl(fd, F_GETFD) >= 0));
		known += fd != -1;
		if (fd != -1)
			close(fd);
	}
	close(rest[0]);
	close(rest[1]);
	HOLDS(known <= n && open_sockets() == before);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct super *s = &fuzz_super;
	size_t n;

	if (s->base == NULL) {
		fuzz_super_make();
		keep_all();
	}
	fuzz_super_again();
	n = size > 0 ? data[0] % HANDED : 0;
	if (size < 1 + n)
		return 0;
	for (size_t at = 1 + n; at + RECORD <= size; at += RECORD)
		scribble(data + at);
	look_through(s);
	move(s);
	hand_over(s, data + 1, n);
	fuzz_super_again();
	restore_all();
	return 0;
}
