/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin whose function code 0x41 kills its worker, for sys_poison.py. Its
 * request is a byte that says how, and two more that come back if it does not;
 * with the option "hook" a reply to function code 6 that says 0xdead does, too,
 * and a request that says 0xbeef, 0xcafe, or 0xcaf0 if it goes wrong. "once"
 * names a file: it goes wrong while that is there, and takes it away first.
 */
#include "holdfast.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { FC = 0x41, FC_WRITE_ONE = 6 };

static const char *once;

/* By the signal itself, also where a sanitizer would make an exit of it. */
static void
die(int sig)
{
	signal(sig, SIG_DFL);
	raise(sig);
}

static void
kill_once(void)
{
	if (once != NULL && unlink(once) == 0)
		die(SIGKILL);
}

static enum hf_exception
run(void *arg, struct hf_call *c)
{
	uint16_t value;

	(void)arg;
	switch (c->request[1]) {
	case 1:
		die(SIGSEGV);
		break;
	case 2:
		abort();
	case 3: /* a part of it has been carried out */
		c->read(c, HF_HR, 1, 1, &value);
		value++;
		c->write(c, HF_HR, 1, 1, &value);
		die(SIGBUS);
		break;
	case 4:
		if (once != NULL && unlink(once) == 0)
			die(SIGFPE);
		break;
	case 5:
		_exit(3);
	case 6: /* as if it took all memory */
		die(SIGKILL);
		break;
	case 7:
		for (;;)
			pause();
	case 8: /* as if its configuration were wrong */
		_exit(78);
	case 9:
		kill_once();
		break;
	default:
		break;
	}
	for (int i = 2; i < 4; i++)
		c->reply[c->reply_len++] = c->request[i];
	return HF_EX_NONE;
}

static const struct hf_function function = {
	.size = sizeof(function),
	.name = "poison",
	.fc = FC,
	.flags = HF_WRITES,
	.request = { .fixed = 3 },
	.reply = { .fixed = 2 },
	.run = run,
};
static const struct hf_function *const functions[] = { &function, NULL };

static size_t
see(void *arg, const struct hf_traced *t, uint8_t *pdu, size_t len, size_t room)
{
	unsigned value = len == 5 ? (unsigned)(pdu[3] << 8 | pdu[4]) : 0;

	(void)arg;
	(void)room;
	if (pdu[0] == FC_WRITE_ONE && value == (t->sending ? 0xdeadu : 0xbeefu))
		die(SIGSEGV);
	if (pdu[0] == FC_WRITE_ONE && !t->sending && value == 0xcafe)
		die(SIGKILL);
	if (pdu[0] == FC_WRITE_ONE && !t->sending && value == 0xcaf0)
		kill_once();
	return len;
}

static struct hf_hooks hooks = {
	.size = sizeof(hooks),
	.functions = functions,
};

static const struct hf_plugin plugin = {
	.abi = HF_PLUGIN_ABI,
	.size = sizeof(plugin),
	.name = "poison",
	.hooks = &hooks,
};

const struct hf_plugin *
holdfast_plugin(const struct hf_host *host)
{
	once = host->option(host, "once");
	if (host->option(host, "hook") != NULL)
		hooks.trace_pdu = see;
	return &plugin;
}
