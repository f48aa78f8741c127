/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with a simulator, for sys_simulator.py. With "new SERVER DEVICE
 * FILE" it makes one of options, with "args ..." of a command line, and with
 * "run ..." it serves a command line's until a thread stops it, in the
 * foreground. Tells where it listens, or what has failed; each line on standard
 * input is a register whose value it tells, with "#" before it its counts;
 * "stop" and the end of the input stop it.
 */
#include <errno.h>
#include <holdfast.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum hf_exception
add_five(void *arg, struct hf_cell *c)
{
	(void)arg;
	c->values[0] = (uint16_t)(c->values[0] + c->number(c, "by", 5));
	return HF_EX_NONE;
}

static const struct hf_action five = {
	.size = sizeof(five), .name = "five", .run = add_five
};
static const struct hf_action *const actions[] = { &five, NULL };
static const struct hf_hooks hooks = { .size = sizeof(hooks),
	.actions = actions };

static int
fail(const char *what)
{
	int err = errno;

	printf("%s: %s\n%s\n", what, err == 0 ? "0" : strerrorname_np(err),
	    hf_error());
	return err == 0 ? 0 : 1;
}

static const char *
given(const char *word)
{
	return word == NULL || strcmp(word, "-") == 0 ? NULL : word;
}

static struct hf_simulator *
make(int argc, char **argv)
{
	struct hf_simulator_opts o = { .size = sizeof(o), .actions = &hooks };

	if (strcmp(argv[1], "new") != 0) {
		argv[1] = argv[0];
		return hf_simulator_commandline(argc - 1, argv + 1);
	}
	if (argc < 5)
		return hf_simulator_new(NULL);
	o.modbus_server = given(argv[2]);
	o.modbus_device = given(argv[3]);
	o.json_file = given(argv[4]);
	return hf_simulator_new(&o);
}

static void
tell(struct hf_simulator *sim)
{
	struct hf_server_status st;

	if (hf_server_status(hf_simulator_server(sim), &st) < 0)
		exit(fail("status"));
	printf("%s %s\n", st.state, st.address);
	fflush(stdout);
}

static void
obey(struct hf_simulator *sim)
{
	char line[80];
	struct hf_device *d;
	uint32_t addr, r, w;
	uint16_t v;

	while (fgets(line, sizeof(line), stdin) != NULL &&
	    strcmp(line, "stop\n") != 0) {
		d = hf_store_device(hf_simulator_store(sim), NULL);
		addr = (uint32_t)atoi(line + (line[0] == '#'));
		if (line[0] == '#' &&
		    hf_get_counts(d, HF_HR, addr, 1, &r, &w) == 0)
			printf("%u %u\n", r, w);
		else if (hf_get_values(d, 3, addr, 1, &v) < 0)
			printf("%s\n", hf_error());
		else
			printf("%u\n", v);
		fflush(stdout);
	}
}

static void *
stop_later(void *arg)
{
	struct hf_server_status st = { .up = 0 };

	while (hf_server_status(hf_simulator_server(arg), &st) == 0 && !st.up)
		usleep(1000);
	tell(arg);
	obey(arg);
	if (hf_simulator_stop(arg) < 0)
		exit(fail("stop"));
	return NULL;
}

int
main(int argc, char **argv)
{
	int foreground = strcmp(argv[1], "run") == 0, rc;
	struct hf_simulator *sim;
	pthread_t thread;

	if (foreground && hf_init() < 0)
		return fail("init");
	sim = make(argc, argv);
	if (sim == NULL)
		return fail("new");
	if (foreground)
		pthread_create(&thread, NULL, stop_later, sim);
	if (hf_simulator_run_forever(sim, !foreground) < 0) {
		rc = fail("run");
		hf_simulator_free(sim);
		return rc;
	}
	if (foreground) {
		pthread_join(thread, NULL);
	} else {
		tell(sim);
		obey(sim);
		if (hf_simulator_stop(sim) < 0)
			return fail("stop");
	}
	tell(sim);
	hf_simulator_free(sim);
	return 0;
}
