/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a message to the control process, with and without a second
 * frame. Whatever comes is answered once or not at all, by JSON-RPC that
 * reads back; and what is let go is let go once.
 *
 * Needs: tests/lib/control_fixture.c tests/lib/store_fixture.c control/cmd/[a-z]*.c control/[a-z]*.c supervisor/conf/[a-z]*.c supervisor/near.c supervisor/mem.c supervisor/part*.c supervisor/ipc.c supervisor/proc.c supervisor/keeper/widow.c supervisor/keeper/table.c supervisor/keeper/handing.c supervisor/secret.c supervisor/reload/sealed.c supervisor/reload/differ.c supervisor/reload/plan.c shm/[a-z]*.c -DHOLDFAST_VERSION=__FILE__ -DHOLDFAST_PREFIX=__FILE__ -ljansson -lm -ldl
 */

#include "control/jtext.h"
#include "tests/lib/control_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The fixture's assertions, outside any suite. */
void
_mark_point(const char *file, int line)
{
	(void)file;
	(void)line;
}

void
_ck_assert_failed(
    const char *file, int line, const char *expr, const char *msg, ...)
{
	(void)msg;
	fprintf(stderr, "%s:%d: %s\n", file, line, expr);
	abort();
}

static void
must(bool truth, const char *what, const char *text)
{
	if (!truth) {
		fprintf(stderr, "%s: %s\n", what, text);
		abort();
	}
}

static void
on_exit_clear(void)
{
	cf_close();
}

/* One answer, or a list of them. */
static void
check_answer(const json_t *json, const char *text)
{
	must(json_is_object(json), "no answer", text);
	must((json_object_get(json, "result") != NULL) !=
		(json_object_get(json, "error") != NULL),
	    "neither or both", text);
	must(json_object_get(json, "id") != NULL, "no id", text);
}

static void
take(struct control *c, void *to, const char *text, size_t len, const void *raw,
    size_t raw_len)
{
	char why[JTEXT_WHY_MAX];
	json_t *json = jtext_load(text, len, why), *one;
	size_t i;

	(void)c;
	(void)to;
	(void)raw;
	must(json != NULL, why, text);
	must(raw_len % 2 == 0, "half a value", text);
	if (json_is_array(json)) {
		must(json_array_size(json) > 0, "an empty list", text);
		json_array_foreach (json, i, one)
			check_answer(one, text);
	} else {
		check_answer(json, text);
	}
	json_decref(json);
	cf.nanswers++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	/* what stands behind a byte 0xff, which no JSON holds, is raw */
	const char *raw = memchr(text, 0xff, size);
	struct ipc_msg msg;
	size_t len = raw != NULL ? (size_t)(raw - text) : size;

	/* files are not for a fuzzer to write */
	if (memmem(data, size, "snap", 4) != NULL ||
	    memmem(data, size, "\\u00", 4) != NULL)
		return 0;
	if (cf.proc.conf == NULL) {
		fix_suite = getpid();
		cf_open();
		cf.control.reply = take;
		atexit(on_exit_clear);
	}
	cf.nanswers = cf.ndropped = 0;
	rpc_serve(&cf.control, CMD_ADMIN, &cf, text, len,
	    raw != NULL ? raw + 1 : NULL, raw != NULL ? size - len - 1 : 0);
	while (ipc_recv(cf.parent, &msg) == 1)
		cf_done(msg.tag, (int)(size % 3), SHM_UP, "text");
	must(cf.control.njobs == 0, "still waiting", "");
	must(cf.nanswers <= 1, "answered twice", "");
	must(cf.ndropped == 1, "not let go once", "");
	return 0;
}
