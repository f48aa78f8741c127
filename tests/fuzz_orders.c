/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what children say: messages of any kind, length and content
 * from workers and control, in any order, with and without descriptors.
 * Whatever they say, the supervisor goes on, answers in messages that are some,
 * and keeps no descriptor.
 *
 * Needs: tests/lib/fuzz_super.c supervisor/[a-ln-z]*.c supervisor/mem.c supervisor/keeper/[a-z]*.c supervisor/persist/[a-z]*.c supervisor/reload/[a-z]*.c supervisor/conf/[a-z]*.c shm/[a-z]*.c -DHOLDFAST_VERSION="\"0\"" -DHOLDFAST_PREFIX="\"/usr\"" -levent -ljansson -lm -ldl
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/fuzz_frame.h"
#include "tests/lib/fuzz_super.h"

enum {
	RECORD = 12, /* bytes of the input for a message */
	RAW = 0x80, /* of its first byte: the bytes are the message */
	PASSES = 0x40, /* a descriptor comes along */
	OWES = 0x20, /* it has been asked before */
	FILES = 1024,
};

/* Who runs this has files of its own. */
static unsigned
open_sockets(void)
{
	unsigned n = 0;
	struct stat st;

	for (int fd = 0; fd < FILES; fd++)
		n += fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	return n;
}

static struct process *
pick(unsigned which)
{
	struct process *p = fuzz_super.processes, *first = p;

	for (which %= 8; which > 0; which--)
		p = p->next != NULL ? p->next : first;
	return p;
}

static void
send_raw(int fd, const uint8_t *r, size_t len)
{
	uint8_t bytes[2 * sizeof(struct ipc_msg)] = { 0 };
	size_t n = sizeof(struct ipc_msg) + r[1] - 128;

	memcpy(bytes, r + 2, len - 2);
	(void)!write(fd, bytes, n);
}

static void
send_message(int fd, const uint8_t *r)
{
	struct ipc_msg m = {
		.kind = r[1] % (IPC_KINDS + 2),
		.tag = r[2] & 3,
		.transport = r[3] & 0x80 ? (uint32_t)r[3] << 24 : r[3] & 3,
		.rc = (int8_t)r[4],
		.arg = (uint64_t)r[5] << (r[6] & 63) | r[7],
	};

	memset(m.text, r[8], r[9] + (r[10] & 1) * 105u);
	memcpy(m.text, r + 8, 4);
	m.text[sizeof(m.text) - 1] = r[11] == 255 ? 'x' : '\0';
	ipc_send_fd(fd, &m, r[0] & PASSES ? fd : -1);
}

/* What it has been told is made of messages. */
static void
read_answers(int fd)
{
	struct ipc_msg m;
	int rc;

	while ((rc = ipc_recv(fd, &m)) == 1)
		;
	HOLDS(rc == 0 || errno == 0);
}

static void
say(const uint8_t *r)
{
	struct process *p = pick(r[0]);
	int fd = fuzz_super_peer(p);

	if (r[0] & OWES) {
		p->owes = p->aide != NULL ? 1 + (r[2] & 1) : 0;
		p->asked = 1 + r[4] % IPC_CONF_ABANDON;
		if (p->service != NULL && p->refresh == 0) {
			p->refresh = 1;
			p->service->refreshing++;
		}
		child_event(&p->child, LIFE_START);
	}
	if (r[0] & RAW)
		send_raw(fd, r, RECORD);
	else
		send_message(fd, r);
	process_hear(p);
	read_answers(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned before;

	if (fuzz_super.base == NULL)
		fuzz_super_make();
	fuzz_super_again();
	if (before == 0)
		before = open_sockets();
	for (; size >= RECORD; data += RECORD, size -= RECORD)
		say(data);
	fuzz_super_tick(2);
	for (struct process *p = fuzz_super.processes; p != NULL; p = p->next)
		HOLDS(p->child.state < LIFE_STATES && p->passed == -1);
	fuzz_super_again();
	/* but for listeners, which transports that are started have */
	HOLDS(open_sockets() <= before + FUZZ_SERVICES);
	return 0;
}
