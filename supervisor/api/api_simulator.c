/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator of a setup file: a store and a server, made with the library's
 * own calls. Runs in the program's own process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/api/api_simulator.h"
#include "supervisor/conf/conf_read.h"
#include "supervisor/conf/conf_tree.h"
#include "supervisor/mem.h"
#include "supervisor/conf/setup.h"

struct hf_simulator {
	struct hf_store *store;
	struct hf_server *server;
	int log_fd; /* where it logs, to be closed; -1: nowhere of its own */
};

/* ---- the file ---- */

struct reading {
	const char *path;
	struct setup_pick pick;
	char *text;
	struct setup *setup;
	int err; /* of opening or reading it */
};

static void
read_setup(void *arg)
{
	struct reading *r = arg;
	int fd = open(r->path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd >= 0)
		r->text = conf_tree_slurp(fd, &len);
	r->err = r->text == NULL ? errno : 0;
	if (r->err == 0)
		r->setup = setup_read(r->path, r->text, len, &r->pick);
	mem_wipe(r->text); /* there may be a password in it */
	r->text = NULL;
}

/* 0, or -1 after api_fail(). */
static int
read_file(struct reading *r)
{
	char *line, *rest;

	if (conf_try(read_setup, r) < 0)
		return api_fail(ENOMEM, "out of memory");
	if (r->err != 0) {
		errno = r->err;
		return api_fail(0, "%s: cannot read: %m", r->path);
	}
	if (r->setup->why != NULL)
		return api_fail(EINVAL, "%s", r->setup->why);
	if (r->setup->notes == NULL)
		return 0;
	for (line = strtok_r(r->setup->notes, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		log_warnx("%s", line);
	return 0;
}

/* ---- what it describes ---- */

static int
make_device(
    struct hf_simulator *sim, const struct setup *s, struct hf_unit *unit)
{
	unit->unit = s->device_id;
	unit->device = hf_store_add_device(sim->store, "device", s->device_id);
	if (unit->device == NULL ||
	    (s->shared && hf_device_share_blocks(unit->device) < 0))
		return -1;
	unit->device->conf.type_exception = s->type_exception;
	unit->device->conf.counters = true;
	unit->device->conf.simulator = true;
	for (size_t i = 0; i < s->nranges; i++)
		if (hf_device_add_range(unit->device, &s->ranges[i]) < 0)
			return -1;
	return 0;
}

static int
make(struct hf_simulator *sim, struct setup *s, const struct hf_hooks *hooks)
{
	struct hf_unit unit;
	char words[HOST_WORDS];

	sim->store = hf_store_new(NULL);
	if (sim->store == NULL || make_device(sim, s, &unit) < 0)
		return -1;
	s->opts.units = &unit;
	s->opts.nunits = 1;
	s->opts.hooks = hooks;
	sim->server = hf_server_new(sim->store, &s->opts);
	if (sim->server != NULL)
		return 0;
	snprintf(words, sizeof(words), "%s", hf_error());
	return api_fail(0, "%s: %s", s->server_place, words);
}

/* ---- the calls ---- */

struct hf_simulator *
hf_simulator_new(const struct hf_simulator_opts *given)
{
	struct hf_simulator_opts o = { 0 };
	struct hf_simulator *sim;
	struct reading r = { 0 };
	int rc, err;

	if (given != NULL && (given->size == 0 || given->size > sizeof(o)))
		return api_null(EINVAL,
		    "opts.size must be sizeof(struct hf_simulator_opts) of "
		    "this version of the library (%s), or of an older one",
		    HOLDFAST_VERSION);
	if (given != NULL)
		memcpy(&o, given, given->size);
	r.path = o.json_file != NULL ? o.json_file : "setup.json";
	r.pick.server = o.modbus_server;
	r.pick.device = o.modbus_device;
	r.pick.actions = o.actions;
	api_quiet();
	sim = calloc(1, sizeof(*sim));
	if (sim == NULL)
		return api_null(ENOMEM, "out of memory");
	sim->log_fd = -1;
	rc = read_file(&r);
	if (rc == 0)
		rc = make(sim, r.setup, o.actions);
	err = errno;
	setup_free(r.setup);
	if (rc < 0) {
		hf_simulator_free(sim);
		sim = NULL;
	}
	errno = err;
	return sim;
}

int
hf_simulator_run_forever(struct hf_simulator *sim, int only_start)
{
	return hf_server_serve_forever(sim->server, only_start);
}

int
hf_simulator_stop(struct hf_simulator *sim)
{
	return hf_server_stop(sim->server);
}

struct hf_store *
hf_simulator_store(struct hf_simulator *sim)
{
	return sim->store;
}

struct hf_server *
hf_simulator_server(struct hf_simulator *sim)
{
	return sim->server;
}

void
api_simulator_log(struct hf_simulator *sim, int fd)
{
	sim->log_fd = fd;
}

void
hf_simulator_free(struct hf_simulator *sim)
{
	if (sim == NULL)
		return;
	hf_server_free(sim->server);
	hf_store_free(sim->store);
	if (sim->log_fd >= 0) {
		hf_log(-1, HF_INFO);
		close(sim->log_fd);
	}
	free(sim);
}
