/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function code of one's own: 0x41 answers with the least, the greatest and
 * the mean of a run of holding registers, so that a client need not fetch them
 * all.
 *
 *	request	41 ADDR(2) COUNT(2)
 *	reply	41 MIN(2) MAX(2) MEAN(2)
 *
 *	cc function.c -o function $(pkg-config --cflags --libs holdfast)
 *	./function 127.0.0.1:5020
 *
 * It works with every framer: RTU, whose frames do not say how long they are,
 * goes by the two lengths in the table.
 */
#include <holdfast.h>
#include <stdio.h>

enum { FC = 0x41, REGISTERS_MAX = 1000 };

static void
put(struct hf_call *call, uint32_t value)
{
	call->reply[call->reply_len++] = (uint8_t)(value >> 8);
	call->reply[call->reply_len++] = (uint8_t)value;
}

static enum hf_exception
summarise(void *arg, struct hf_call *call)
{
	const uint8_t *r = call->request;
	uint16_t value[REGISTERS_MAX], min = UINT16_MAX, max = 0;
	uint16_t addr, count;
	uint32_t sum = 0;
	enum hf_exception ex;

	(void)arg;
	if (call->request_len != 5)
		return HF_EX_VALUE;
	addr = (uint16_t)(r[1] << 8 | r[2]);
	count = (uint16_t)(r[3] << 8 | r[4]);
	if (count == 0 || count > REGISTERS_MAX)
		return HF_EX_VALUE;
	/* one picture of all of them, whoever is writing */
	ex = call->read(call, HF_HR, addr, count, value);
	if (ex != HF_EX_NONE)
		return ex;
	for (uint16_t i = 0; i < count; i++) {
		min = value[i] < min ? value[i] : min;
		max = value[i] > max ? value[i] : max;
		sum += value[i];
	}
	put(call, min);
	put(call, max);
	put(call, sum / count);
	return HF_EX_NONE;
}

static const struct hf_function function = {
	.size = sizeof(function),
	.name = "summarise",
	.fc = FC,
	.request = { .fixed = 4 },
	.reply = { .fixed = 6 },
	.run = summarise,
};

static const struct hf_function *const functions[] = { &function, NULL };

static const struct hf_hooks hooks = {
	.size = sizeof(hooks),
	.functions = functions,
};

int
main(int argc, char **argv)
{
	static const uint16_t values[] = { 5, 1, 9, 7 };
	const struct hf_range range = {
		.table = HF_HR, .count = 1000, .values = values, .nvalues = 4
	};
	struct hf_server_opts opts = { .size = sizeof(opts), .hooks = &hooks };
	struct hf_store *store = hf_store_new(NULL);
	struct hf_device *plc = NULL;

	opts.address = argc > 1 ? argv[1] : "127.0.0.1:5020";
	if (store != NULL)
		plc = hf_store_add_device(store, "plc", HF_EVERY_UNIT);
	if (plc == NULL || hf_device_add_range(plc, &range) < 0 ||
	    hf_start_tcp_server(store, &opts) < 0) {
		fprintf(stderr, "%s\n", hf_error());
		return 1;
	}
	hf_store_free(store);
	return 0;
}
