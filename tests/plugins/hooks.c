/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin with one hook of each kind, for sys_hooks.py: what they do, its
 * options say. "log": each trace hook appends a line to that file of what it
 * sees. "eat": a PDU or a packet in hex that is suppressed. "turn": two in hex,
 * "FROM>TO", the first of which becomes the other. "sick": which hook goes
 * wrong, "how" in which way, "heal" a file; while that is there, all is well.
 * Compiled with HOOKS_* for tables that are not as they should be.
 */
#include "holdfast.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef HOOKS_SIZE
#define HOOKS_SIZE sizeof(struct hf_hooks)
#endif
#ifndef HOOKS_FC
#define HOOKS_FC 0x41
#endif
#ifndef HOOKS_FIXED
#define HOOKS_FIXED 4
#endif
#ifndef HOOKS_HEAD
#define HOOKS_HEAD 3
#endif
#ifndef HOOKS_BARE
#define HOOKS_BARE 0
#endif
#ifndef HOOKS_TAG
#define HOOKS_TAG ""
#endif
#ifndef HOOKS_ACTION
#define HOOKS_ACTION "ramp"
#endif

static const char *eat, *turn, *sick, *how, *heal;
static int file = -1;
static int mark; /* what arg points to */

static void
hex(const uint8_t *p, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
	out[2 * len] = '\0';
}

/* Does what "how" says, if it is this hook's turn. */
static int
is_sick(const char *hook)
{
	if (sick == NULL || strcmp(sick, hook) != 0 ||
	    (heal != NULL && access(heal, F_OK) == 0))
		return 0;
	if (strcmp(how, "crash") == 0)
		raise(SIGSEGV);
	if (strcmp(how, "spin") == 0)
		for (volatile int i = 0;; i++)
			;
	return 1;
}

static void
tell(const struct hf_traced *t, const char *what, const char *text)
{
	char line[1400];
	int n = snprintf(line, sizeof(line),
	    "%s" HOOKS_TAG " %s %s unit=%u tid=%u %s\n", what,
	    t->sending ? "out" : "in", t->connection != 0 ? "known" : "unknown",
	    t->unit, t->transaction, text);

	if (file != -1 && write(file, line, (size_t)n) != n)
		abort();
}

/* Suppresses or changes what is to be; the length then. */
static size_t
meddle(uint8_t *p, size_t len, size_t room)
{
	char text[2 * 600 + 1];
	const char *to;
	size_t n;

	if (len > 600)
		return len;
	hex(p, len, text);
	if (eat != NULL && strcmp(eat, text) == 0)
		return 0;
	if (turn == NULL || (to = strchr(turn, '>')) == NULL ||
	    strlen(text) != (size_t)(to - turn) ||
	    memcmp(text, turn, strlen(text)) != 0)
		return len;
	for (n = 0, to++; to[2 * n] != '\0' && n < room; n++) {
		unsigned byte;

		sscanf(to + 2 * n, "%2x", &byte);
		p[n] = (uint8_t)byte;
	}
	return n;
}

static size_t
see_packet(
    void *arg, const struct hf_traced *t, uint8_t *p, size_t len, size_t room)
{
	char text[2 * 5000 + 1];

	if (arg != &mark || len > 600)
		return len;
	hex(p, len, text);
	tell(t, "packet", text);
	if (is_sick("packet"))
		return room + 1;
	return meddle(p, len, room);
}

static size_t
see_pdu(
    void *arg, const struct hf_traced *t, uint8_t *p, size_t len, size_t room)
{
	char text[2 * HF_PDU_MAX + 1];

	(void)arg;
	hex(p, len, text);
	tell(t, "pdu", text);
	if (is_sick("pdu"))
		return room + 1;
	return meddle(p, len, room);
}

static void
see_connect(void *arg, const struct hf_traced *t, int connected)
{
	(void)arg;
	tell(t, connected ? "come" : "gone", t->peer);
	is_sick("connect");
}

/* ---- function codes ---- */

/* 0x41 addr n: adds n to each of the two registers at addr, one write each, and
 * answers what they are then. */
static enum hf_exception
add(void *arg, struct hf_call *c)
{
	uint16_t v[2], addr, n;
	enum hf_exception ex;

	(void)arg;
	if (c->request_len != 5)
		return HF_EX_VALUE;
	addr = (uint16_t)(c->request[1] << 8 | c->request[2]);
	n = (uint16_t)(c->request[3] << 8 | c->request[4]);
	if (is_sick("function")) {
		if (strcmp(how, "mute") == 0)
			c->reply_len = 0;
		else
			c->reply_len = HF_PDU_MAX + 1;
		return HF_EX_NONE;
	}
	ex = c->read(c, HF_HR, addr, 2, v);
	for (uint16_t i = 0; i < 2 && ex == HF_EX_NONE; i++) {
		v[i] = (uint16_t)(v[i] + n);
		ex = c->write(c, HF_HR, addr + i, 1, &v[i]);
		if (i == 0 && ex == HF_EX_NONE)
			is_sick("between");
	}
	for (int i = 0; i < 2; i++) {
		c->reply[c->reply_len++] = (uint8_t)(v[i] >> 8);
		c->reply[c->reply_len++] = (uint8_t)v[i];
	}
	return ex;
}

/* Writes as often as it is told, each time one more; answers how often it could
 * and with what it could not. */
static enum hf_exception
often(void *arg, struct hf_call *c)
{
	enum hf_exception ex = HF_EX_NONE;
	uint16_t v = 0;

	(void)arg;
	if (c->request_len != 2)
		return HF_EX_VALUE;
	while (v < c->request[1] && ex == HF_EX_NONE) {
		v++;
		ex = c->write(c, HF_HR, 0, 1, &v);
	}
	c->reply[c->reply_len++] = (uint8_t)v;
	c->reply[c->reply_len++] = (uint8_t)ex;
	return HF_EX_NONE;
}

/* Behind its sub-function code it answers what came, backwards. */
static enum hf_exception
backwards(void *arg, struct hf_call *c)
{
	(void)arg;
	for (size_t i = c->request_len; i > 3; i--)
		c->reply[c->reply_len++] = c->request[i - 1];
	return HF_EX_NONE;
}

static enum hf_exception
mei(void *arg, struct hf_call *c)
{
	(void)arg;
	c->reply[c->reply_len++] = (uint8_t)c->request_len;
	return HF_EX_NONE;
}

static const struct hf_function f_add = {
	.size = sizeof(f_add),
	.name = "add_registers",
	.fc = HOOKS_FC,
	.flags = HF_WRITES | HF_BROADCAST,
	.request = { .fixed = HOOKS_FIXED },
	.reply = { .fixed = 4 },
	.run = add,
};
static const struct hf_function f_often = {
	.size = sizeof(f_often),
	.name = "write_often",
	.fc = 0x42,
	.flags = HF_WRITES,
	.request = { .fixed = 1 },
	.reply = { .fixed = 2 },
	.run = often,
};
static const struct hf_function f_sub = {
	.size = sizeof(f_sub),
	.name = "backwards",
	.fc = 8,
	.sub_len = 2,
	.sub = 0x0102,
	.request = { .fixed = 2 },
	.reply = { .fixed = 2 },
	.run = backwards,
};
static const struct hf_function f_mei = {
	.size = sizeof(f_mei),
	.name = "mei_13",
	.fc = 43,
	.sub_len = 1,
	.sub = 13,
	.request = { .fixed = 1, .count_at = 2 },
	.reply = { .fixed = 1 },
	.run = mei,
};
static const struct hf_function *const functions[] = { &f_add, &f_often, &f_sub,
	&f_mei,
#ifdef HOOKS_TWICE
	&f_add,
#endif
	NULL };

/* ---- an action, a framer ---- */

static enum hf_exception
ramp(void *arg, struct hf_cell *c)
{
	uint16_t beside;

	(void)arg;
	if (is_sick("action"))
		return HF_EX_BUSY;
	c->values[0] = (uint16_t)(c->values[0] + c->number(c, "step", 1));
	if (c->parameter(c, "beside") == NULL)
		return HF_EX_NONE;
	beside = (uint16_t)atoi(c->parameter(c, "beside"));
	return c->write(c, c->table, beside, 1, c->values);
}

static const struct hf_action a_ramp = {
	.size = sizeof(a_ramp),
	.name = HOOKS_ACTION,
	.run = ramp,
};
static const struct hf_action *const actions[] = { &a_ramp, NULL };

/* '<' length unit PDU '>'; the reply has a '!' before its length. */
static enum hf_found
bracket_find(
    void *arg, int datagram, const uint8_t *in, size_t len, struct hf_frame *f)
{
	(void)arg;
	(void)datagram;
	if (is_sick("find") && len > 0) {
		f->used = strcmp(how, "used") == 0 ? len + 1 : len;
		f->pdu = strcmp(how, "pdu") == 0 ? in + len - 1 : in;
		f->pdu_len = strcmp(how, "long") == 0 ? 254 : 2;
		if (strcmp(how, "rc") == 0)
			return (enum hf_found)7;
		return strcmp(how, "more") == 0
		    ? (f->used = len + 1, HF_FRAME_MORE)
		    : HF_FRAME;
	}
	while (f->used < len && in[f->used] != '<')
		f->used++;
	f->errors = f->used > 0;
	in += f->used;
	len -= f->used;
	if (len < 2 || len < in[1] + 3u)
		return HF_FRAME_MORE;
	if (in[1] < 2 || in[in[1] + 2] != '>') {
		f->why = "no bracket";
		return HF_FRAME_BAD;
	}
	f->unit = in[2];
	f->pdu_len = in[1] - 1u;
	memcpy(f->scratch, in + 3, f->pdu_len);
	f->pdu = f->scratch;
	f->transaction = 77;
	f->used += in[1] + 3u;
	return HF_FRAME;
}

static size_t
bracket_seal(void *arg, const struct hf_frame *f, uint8_t *adu, size_t pdu_len)
{
	(void)arg;
	if (is_sick("seal"))
		return HF_ADU_MAX + 1;
	adu[0] = '!';
	adu[1] = (uint8_t)(pdu_len + 1);
	adu[2] = f->unit;
	adu[3 + pdu_len] = '>';
	return pdu_len + 4;
}

static const struct hf_framer f_bracket = {
	.size = sizeof(f_bracket),
	.name = "bracket",
	.head = HOOKS_HEAD,
	.adu_max = 257,
	.find = bracket_find,
	.seal = bracket_seal,
};
static const struct hf_framer *const framers[] = { &f_bracket, NULL };

static struct {
	struct hf_hooks h;
	size_t more;
} table = {
	.h = { .size = HOOKS_SIZE,
	    .arg = &mark,
	    .functions = functions,
	    .actions = actions,
	    .framers = framers },
#ifdef HOOKS_MORE
	.more = 1,
#endif
};

static const struct hf_plugin plugin = {
	.abi = HF_PLUGIN_ABI,
	.size = sizeof(plugin),
	.name = "hooks",
	.hooks = &table.h,
};

const struct hf_plugin *
holdfast_plugin(const struct hf_host *host)
{
	const char *log = host->option(host, "log");
	const char *only = host->option(host, "only");

	if (HOOKS_BARE) {
		table.h.functions = NULL;
		table.h.actions = NULL;
		table.h.framers = NULL;
	}
	eat = host->option(host, "eat");
	turn = host->option(host, "turn");
	sick = host->option(host, "sick");
	how = host->option(host, "how");
	heal = host->option(host, "heal");
	if (log != NULL)
		file =
		    open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (only == NULL || strchr(only, 'p') != NULL)
		table.h.trace_packet = see_packet;
	if (only == NULL || strchr(only, 'u') != NULL)
		table.h.trace_pdu = see_pdu;
	if (only == NULL || strchr(only, 'c') != NULL)
		table.h.trace_connect = see_connect;
	return &plugin;
}
