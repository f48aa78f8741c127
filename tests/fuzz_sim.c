/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any JSON as what is asked of the simulator's pages and REST, and as what the
 * commands answer: a line each. Whatever comes, there is an answer with a
 * status, a result and, of a page, nothing that was not meant as HTML.
 *
 * Needs: control/http/sim.c control/http/sim_[a-qs-z]*.c control/http/sim_registers.c control/jtext*.c shm/typed.c -ljansson -lm
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/sim_own.h"
#include "control/jtext.h"

#define HOLDS(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Of whoever is not told what to answer. */
static const struct {
	const char *method, *result;
} usual[] = {
	{ "devices.list",
	    "[{\"name\":\"a\"},{\"name\":\"b\",\"shared_blocks\":true,"
	    "\"blocks\":{\"coils\":9}}]" },
	{ "registers.describe",
	    "[{\"table\":\"coils\",\"addr\":3,\"count\":20,\"type\":\"bits\","
	    "\"order\":\"abcd\",\"access\":\"rw\"},"
	    "{\"table\":\"holding_registers\",\"addr\":1,\"count\":6,"
	    "\"type\":\"float32\",\"order\":\"cdab\",\"access\":\"rw\","
	    "\"action\":{\"name\":\"increment\",\"maxval\":7}},"
	    "{\"table\":\"holding_registers\",\"addr\":9,\"count\":3,"
	    "\"type\":\"string\",\"order\":\"badc\",\"access\":\"ro\","
	    "\"name\":\"<b>\",\"unit\":\"&\"}]" },
	{ "registers.read",
	    "{\"values\":[1,0,15420,25185,65535,1,2,3,4,5,6]}" },
	{ "registers.counts", "{\"reads\":[1,2,3],\"writes\":[4]}" },
	{ "transports.list", "[{\"name\":\"t\",\"state\":\"up\"}]" },
	{ "faults.add", "{\"id\":7}" },
	{ "faults.list",
	    "[{\"id\":7,\"transport\":\"t\",\"note\":\"pymodbus simulate\","
	    "\"exception\":6,\"left\":3}]" },
	{ "trace.read",
	    "{\"frames\":[{\"at\":5,\"direction\":\"in\",\"function\":3,"
	    "\"addr\":1,\"count\":2,\"values\":[1,2],\"text\":\"<i>\","
	    "\"adu\":\"0102030\"}]}" },
	{ "log.read",
	    "{\"lines\":[{\"at\":1e9,\"level\":\"info\",\"who\":\"x\","
	    "\"line\":\"<u>\"}]}" },
	{ "system.info", "{\"version\":\"1\",\"uptime_s\":5}" },
	{ "stats.get", "{\"transports\":{\"t\":{\"requests\":{\"3\":1}}}}" },
};

static const char *lines, *end;

static json_t *
next_line(void)
{
	const char *from = lines, *to;
	char why[JTEXT_WHY_MAX];

	if (from >= end)
		return NULL;
	to = memchr(from, '\n', (size_t)(end - from));
	if (to == NULL)
		to = end;
	lines = to + 1;
	return jtext_load(from, (size_t)(to - from), why);
}

static json_t *
ask(void *arg, const char *method, json_t *params, struct sim_error *error)
{
	json_t *told = next_line();

	(void)arg;
	json_decref(params);
	if (told != NULL)
		return told;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strcmp(usual[i].method, method) == 0)
			return json_loads(usual[i].result, 0, NULL);
	*error = (struct sim_error){ .status = 409, .why = "<no>" };
	return NULL;
}

static void
check(struct sim_call *c)
{
	const json_t *result = json_object_get(c->out, "result");
	struct text t = { 0 };

	HOLDS(c->status >= 200 && c->status < 600);
	HOLDS(json_is_string(result) && (c->status == 200) == (c->why[0] == 0));
	if (!c->html)
		return;
	sim_html(c, &t);
	HOLDS(t.at != NULL && strstr(t.at, "</html>") != NULL);
	HOLDS(strstr(t.at, "<b>") == NULL && strstr(t.at, "<i>") == NULL);
	HOLDS(strstr(t.at, "<u>") == NULL && strstr(t.at, "<no>") == NULL);
	text_free(&t);
	sim_log_text(c, &t);
	text_free(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim sim;
	struct sim_call c = { .sim = &sim, .now = 1000, .ask = ask };
	json_t *in;

	if (size < 2)
		return 0;
	c.page = data[0] % SIM_PAGES;
	c.html = (data[0] & 4) != 0;
	lines = (const char *)data + 1;
	end = (const char *)data + size;
	in = next_line();
	if (json_is_object(in)) {
		c.in = in;
		c.session = sim_session_of(&c, NULL);
		for (int i = 0; i < 2; i++) {
			sim_run(&c);
			check(&c);
			sim_call_fini(&c);
			c.status = 0;
			c.why[0] = '\0';
		}
	}
	json_decref(in);
	sim_fini(&sim);
	return 0;
}
