/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program whose server has its own hooks: what they see goes to stdout, a
 * line each, from the worker. Serves until its stdin ends. For sys_hooks.py.
 */
#include <holdfast.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static size_t
see(void *arg, const struct hf_traced *t, uint8_t *pdu, size_t len, size_t room)
{
	char line[100];
	int n = snprintf(line, sizeof(line), "%s %s %u\n", (const char *)arg,
	    t->sending ? "out" : "in", pdu[0]);

	(void)room;
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		return 0;
	return len;
}

static enum hf_exception
set_77(void *arg, struct hf_call *c)
{
	uint16_t value = 77;

	(void)arg;
	c->reply[c->reply_len++] = 9;
	return c->write(c, HF_HR, 1, 1, &value);
}

static enum hf_exception
bump(void *arg, struct hf_cell *c)
{
	(void)arg;
	c->values[0] = (uint16_t)(c->values[0] + c->number(c, "by", 1));
	return HF_EX_NONE;
}

/* The unit and the PDU, and nothing else: each read is a frame. */
static enum hf_found
find(void *arg, int datagram, const uint8_t *in, size_t len, struct hf_frame *f)
{
	(void)arg;
	(void)datagram;
	if (len < 2)
		return HF_FRAME_MORE;
	f->unit = in[0];
	f->pdu = in + 1;
	f->pdu_len = len - 1;
	f->used = len;
	return HF_FRAME;
}

static size_t
seal(void *arg, const struct hf_frame *f, uint8_t *adu, size_t pdu_len)
{
	(void)arg;
	adu[0] = f->unit;
	return pdu_len + 1;
}

static const struct hf_function set_fc = {
	.size = sizeof(set_fc), .name = "set_77", .fc = 0x41, .run = set_77
};
static const struct hf_function *const functions[] = { &set_fc, NULL };
static const struct hf_action bump_action = {
	.size = sizeof(bump_action), .name = "bump", .run = bump
};
static const struct hf_action *const actions[] = { &bump_action, NULL };
static const struct hf_framer bare = {
	.size = sizeof(bare),
	.name = "bare",
	.head = 1,
	.adu_max = 1 + HF_PDU_MAX,
	.find = find,
	.seal = seal,
};
static const struct hf_framer *const framers[] = { &bare, NULL };

static int
fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, hf_error());
	return 1;
}

int
main(int argc, char **argv)
{
	char arg[] = "mine", byte;
	struct hf_hooks hooks = { .size = sizeof(hooks),
		.arg = arg,
		.trace_pdu = see,
		.functions = functions,
		.actions = actions,
		.framers = framers };
	struct hf_server_opts opts = { .size = sizeof(opts),
		.address = "127.0.0.1:0",
		.framer = argc > 1 ? argv[1] : "bare",
		.hooks = &hooks };
	const struct hf_range ranges[] = {
		{ .table = HF_HR,
		    .count = 1,
		    .action = "bump",
		    .parameters = "{ \"by\": 5 }" },
		{ .table = HF_HR, .addr = 1, .count = 9 },
	};
	struct hf_store *store = hf_store_new(NULL);
	struct hf_device *d = hf_store_add_device(store, "d", HF_EVERY_UNIT);
	struct hf_server_status st;
	struct hf_server *server;

	if (hf_device_add_range(d, &ranges[0]) == -1 ||
	    hf_device_add_range(d, &ranges[1]) == -1)
		return fail("range");
	server = hf_start_async_tcp_server(store, &opts);
	if (server == NULL)
		return fail("server");
	hf_server_status(server, &st);
	printf("%s\n", strrchr(st.address, ':') + 1);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	hf_server_free(server);
	hf_store_free(store);
	return 0;
}
