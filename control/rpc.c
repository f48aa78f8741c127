/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON-RPC 2.0 around the command table. Runs in the control process, on
 * messages that anybody may have made up; knows no socket.
 */

#include "control/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/jtext.h"
#include "control/saves.h"
#include "control/take.h"
#include "shm/log.h"

/* One call of a message. */
struct item {
	struct cmd_call call;
	json_t *id; /* NULL: a notification */
};

/* One message on its way. */
struct rpc_job {
	struct rpc_job *next;
	struct control *control;
	void *to;
	rpc_fn *fn; /* takes the only call's answer, to being its; or NULL */
	bool batch;
	size_t n, waiting;
	size_t values; /* in the answers of the calls that are done */
	uint64_t until_ns; /* no further call begins after it */
	struct item item[];
};

/* ---- answers ---- */

static json_t *
error_answer(const struct item *it)
{
	const struct cmd_call *call = &it->call;
	json_t *data = json_object(), *error;

	if (call->reason != NULL)
		json_object_set_new(data, "reason", json_string(call->reason));
	if (call->modbus_exception != 0)
		json_object_set_new(data, "modbus_exception",
		    json_integer(call->modbus_exception));
	error = json_pack("{s:i, s:o, s:o}", "code", call->error, "message",
	    jtext_bytes(call->message, strlen(call->message)), "data", data);
	return json_pack(
	    "{s:s, s:o, s:O}", "jsonrpc", "2.0", "error", error, "id", it->id);
}

static json_t *
answer(const struct item *it)
{
	if (it->call.error != CMD_OK)
		return error_answer(it);
	return json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "result",
	    it->call.result, "id", it->id);
}

/* The whole answer, or NULL if there is none to give. */
static json_t *
job_answer(const struct rpc_job *job)
{
	json_t *all = job->batch ? json_array() : NULL;

	for (size_t i = 0; i < job->n; i++) {
		if (job->item[i].id == NULL)
			continue;
		if (!job->batch)
			return answer(&job->item[i]);
		json_array_append_new(all, answer(&job->item[i]));
	}
	if (json_array_size(all) == 0) {
		json_decref(all);
		return NULL;
	}
	return all;
}

static void
job_free(struct rpc_job *job)
{
	for (size_t i = 0; i < job->n; i++) {
		cmd_call_fini(&job->item[i].call);
		json_decref(job->item[i].id);
	}
	if (job->fn == NULL)
		job->control->drop(job->control, job->to);
	free(job);
}

static void
job_finish(struct rpc_job *job)
{
	struct control *c = job->control;
	struct cmd_call *first = &job->item[0].call;
	json_t *json = job->fn == NULL ? job_answer(job) : NULL;
	char *text;
	size_t len;

	control_beat(c);
	if (job->fn != NULL)
		job->fn(job->to, first);
	if (json != NULL) {
		text = jtext_dump(json, &len);
		if (text != NULL)
			c->reply(c, job->to, text, len, first->reply_raw,
			    first->reply_raw_len);
		free(text);
		json_decref(json);
	}
	job_free(job);
}

/* ---- calls ---- */

static void
count(const struct cmd_call *call)
{
	struct shm_door *st = call->control->stats;

	st->requests++;
	st->errors += call->error != CMD_OK;
	st->denied += call->error == CMD_DENIED;
}

/* True if the object is a call, else it is answered as none. */
static bool
check_call(struct item *it, const json_t *json)
{
	const json_t *version = json_object_get(json, "jsonrpc");
	const json_t *method = json_object_get(json, "method");
	const json_t *params = json_object_get(json, "params");
	json_t *id = json_object_get(json, "id");

	if (id != NULL && !json_is_string(id) && !json_is_number(id) &&
	    !json_is_null(id))
		cmd_fail(&it->call, CMD_REQUEST, "bad_request",
		    "id must be a string, a number or null");
	else if (!json_is_string(version) ||
	    strcmp(json_string_value(version), "2.0") != 0)
		cmd_fail(&it->call, CMD_REQUEST, "bad_request",
		    "jsonrpc must be \"2.0\"");
	else if (!json_is_string(method))
		cmd_fail(&it->call, CMD_REQUEST, "bad_request",
		    "method must be a string");
	else if (params != NULL && !json_is_object(params) &&
	    !json_is_array(params))
		cmd_fail(&it->call, CMD_REQUEST, "bad_request",
		    "params must be an object or an array");
	if (it->call.error == CMD_OK)
		it->id = id != NULL ? json_incref(id) : NULL;
	else /* what is no call cannot be a notification */
		it->id = json_is_string(id) || json_is_number(id)
		    ? json_incref(id)
		    : json_null();
	return it->call.error == CMD_OK;
}

static void
fail_method(struct cmd_call *call, const char *name)
{
	const char *names[64];
	size_t n;
	const struct cmd *cmd = cmd_table(&n);

	for (size_t i = 0; i < n && i < 64; i++)
		names[i] = cmd[i].name;
	cmd_fail(call, CMD_METHOD, "unknown_method", "no method \"%.60s\"%s",
	    name, cmd_near(name, names, n));
}

/* How much there is in a value: what it costs in memory and to write. */
static size_t
count_values(const json_t *json)
{
	size_t n = 1, i;
	const char *key;
	json_t *value;

	if (json_is_string(json))
		return 1 + json_string_length(json) / 8;
	if (json_is_object(json))
		json_object_foreach ((json_t *)(uintptr_t)json, key, value)
			n += count_values(value);
	json_array_foreach ((json_t *)(uintptr_t)json, i, value)
		n += count_values(value);
	return n;
}

/* True if the message may have one more call carried out. */
static bool
may_run(const struct rpc_job *job, struct cmd_call *call)
{
	if (job->values > RPC_VALUES_MAX)
		cmd_fail(call, CMD_PARAMS, "too_long",
		    "the answers before this one hold %zu values; a batch "
		    "goes on up to %d",
		    job->values, RPC_VALUES_MAX);
	else if (job->control->now_ns > job->until_ns)
		cmd_fail(call, CMD_REFUSED, "busy",
		    "the calls before this one took longer than %d ms",
		    RPC_BATCH_MS);
	return call->error == CMD_OK;
}

static void
run_call(const struct rpc_job *job, struct item *it, const json_t *json)
{
	json_t *params;
	const char *name;

	if (!json_is_object(json)) {
		it->id = json_null();
		cmd_fail(&it->call, CMD_REQUEST, "bad_request",
		    "a call is an object");
		return;
	}
	if (!check_call(it, json))
		return;
	name = json_string_value(json_object_get(json, "method"));
	it->call.cmd = cmd_find(name);
	if (it->call.cmd == NULL) {
		fail_method(&it->call, name);
		return;
	}
	if (!may_run(job, &it->call))
		return;
	params = json_object_get(json, "params");
	it->call.params = params != NULL ? json_incref(params) : json_object();
	cmd_run(&it->call);
}

static void
run_item(struct rpc_job *job, size_t i, const json_t *json)
{
	struct item *it = &job->item[i];

	run_call(job, it, json);
	/* borrowed for as long as the message was there */
	it->call.raw = NULL;
	it->call.raw_len = 0;
	control_beat(job->control);
	if (it->call.later) {
		job->waiting++;
		return;
	}
	count(&it->call);
	job->values += count_values(it->call.result);
	/* others of the batch may wait long, and what was asked is large */
	json_decref(it->call.params);
	it->call.params = NULL;
}

/* ---- messages ---- */

static struct rpc_job *
job_new(struct control *c, enum cmd_role role, void *to, size_t n)
{
	struct rpc_job *job =
	    calloc(1, sizeof(*job) + n * sizeof(job->item[0]));

	if (job == NULL)
		return NULL;
	job->control = c;
	job->to = to;
	job->n = n;
	job->until_ns = c->now_ns + RPC_BATCH_MS * 1000000ull;
	for (size_t i = 0; i < n; i++) {
		job->item[i].call.control = c;
		job->item[i].call.role = role;
	}
	return job;
}

/* A message that is no message at all is answered with one error. */
static void
refuse(struct control *c, void *to, enum cmd_error error, const char *reason,
    const char *why)
{
	struct rpc_job *job = job_new(c, CMD_READ, to, 1);

	if (job == NULL) {
		c->drop(c, to);
		return;
	}
	job->item[0].id = json_null();
	cmd_fail(&job->item[0].call, error, reason, "%s", why);
	count(&job->item[0].call);
	job_finish(job);
}

static void
await(struct rpc_job *job)
{
	struct control *c = job->control;

	job->next = c->jobs;
	c->jobs = job;
	c->njobs++;
	c->held += job->values;
}

static void
serve(struct control *c, enum cmd_role role, void *to, const json_t *json,
    const void *raw, size_t raw_len)
{
	bool batch = json_is_array(json);
	size_t n = batch ? json_array_size(json) : 1, i;
	struct rpc_job *job = job_new(c, role, to, n);

	if (job == NULL) {
		c->drop(c, to);
		return;
	}
	job->batch = batch;
	job->item[0].call.raw = raw;
	job->item[0].call.raw_len = raw_len;
	for (i = 0; i < n; i++) {
		job->item[i].call.in_batch = batch || c->one_frame;
		run_item(job, i, batch ? json_array_get(json, i) : json);
	}
	if (job->waiting == 0) {
		job_finish(job);
		return;
	}
	await(job);
}

void
rpc_serve(struct control *c, enum cmd_role role, void *to, const char *text,
    size_t len, const void *raw, size_t raw_len)
{
	char why[JTEXT_WHY_MAX];
	json_t *json = jtext_load(text, len, why);

	if (json == NULL)
		refuse(c, to, CMD_PARSE, "parse", why);
	else if (json_is_array(json) && json_array_size(json) == 0)
		refuse(c, to, CMD_REQUEST, "bad_request", "the batch is empty");
	else if (json_array_size(json) > RPC_BATCH_MAX)
		refuse(c, to, CMD_REQUEST, "too_long", "the batch is too long");
	else if (json_is_array(json) && raw != NULL)
		refuse(c, to, CMD_REQUEST, "bad_request",
		    "a batch takes no second frame");
	else if (c->njobs >= RPC_JOBS_MAX || c->held > RPC_HELD_MAX)
		refuse(c, to, CMD_REFUSED, "busy",
		    "too many requests wait for the supervisor");
	else
		serve(c, role, to, json, raw, raw_len);
	json_decref(json);
}

/* ---- calls without a message ---- */

void
rpc_call(struct cmd_call *call, const char *method)
{
	if (call->params == NULL)
		call->params = json_object();
	call->cmd = cmd_find(method);
	if (call->cmd == NULL)
		fail_method(call, method);
	else
		cmd_run(call);
	if (!call->later)
		count(call);
}

void
rpc_ask(struct control *c, enum cmd_role role, const char *method,
    json_t *params, rpc_fn *fn, void *arg)
{
	struct rpc_job *job = job_new(c, role, arg, 1);
	struct cmd_call *call;

	if (job == NULL) {
		struct cmd_call none = { .control = c, .params = params };

		cmd_fail(&none, CMD_INTERNAL, "no_memory", "out of memory");
		fn(arg, &none);
		cmd_call_fini(&none);
		return;
	}
	job->fn = fn;
	call = &job->item[0].call;
	call->params = params;
	call->in_batch = true; /* no second frame */
	if (c->njobs >= RPC_JOBS_MAX)
		cmd_fail(call, CMD_REFUSED, "busy",
		    "too many requests wait for the supervisor");
	else
		rpc_call(call, method);
	if (!call->later) {
		job_finish(job);
		return;
	}
	job->waiting = 1;
	await(job);
}

/* ---- later ---- */

/* Calls fn for each call that waits, and answers the jobs that no longer
 * do. */
static void
each_waiting(struct control *c, const void *arg,
    void (*fn)(struct control *, struct cmd_call *, const void *))
{
	struct rpc_job **at = &c->jobs, *job;

	while ((job = *at) != NULL) {
		for (size_t i = 0; i < job->n; i++) {
			struct item *it = &job->item[i];

			if (!it->call.later)
				continue;
			fn(c, &it->call, arg);
			if (it->call.later)
				continue;
			job->waiting--;
			count(&it->call);
		}
		if (job->waiting > 0) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		c->njobs--;
		c->held -= job->values;
		job_finish(job);
	}
}

static void
tell(struct control *c, struct cmd_call *call, const void *arg)
{
	const struct ipc_msg *msg = arg;

	(void)c;
	if (call->tag == msg->tag)
		call->done(call, msg);
}

bool
rpc_orders(struct control *c)
{
	struct ipc_msg msg;
	int rc, fd;

	while ((rc = proc_order_fd(c->proc, &msg, &fd)) == 1) {
		take_order(c, &msg, fd);
		if (msg.kind == IPC_EXIT || msg.kind == IPC_DRAIN)
			return false;
		if (msg.kind == IPC_DONE || msg.kind == IPC_REFRESHED ||
		    msg.kind == IPC_REPORT)
			rpc_done(c, &msg);
	}
	if (rc == -1)
		proc_orphaned(c->proc);
	take_turn(c);
	return rc == 0;
}

void
rpc_done(struct control *c, const struct ipc_msg *msg)
{
	each_waiting(c, msg, tell);
}

static void
look_saved(struct control *c, struct cmd_call *call, const void *arg)
{
	(void)arg;
	if (call->ticket != 0)
		saves_look(c, call);
}

void
rpc_saved(struct control *c)
{
	each_waiting(c, NULL, look_saved);
}

static void
expire(struct control *c, struct cmd_call *call, const void *arg)
{
	(void)arg;
	if (call->deadline_ns > c->now_ns)
		return;
	call->later = false;
	if (call->ticket != 0)
		saves_expire(c, call);
	cmd_fail(call, CMD_TIMEOUT, "timeout", "%s",
	    call->late != NULL ? call->late
			       : "the supervisor has not said that it is done; "
				 "it may still be");
}

uint64_t
rpc_expire(struct control *c)
{
	uint64_t next = UINT64_MAX;

	each_waiting(c, NULL, expire);
	for (const struct rpc_job *job = c->jobs; job != NULL;
	     job = job->next) {
		for (size_t i = 0; i < job->n; i++)
			if (job->item[i].call.later &&
			    job->item[i].call.deadline_ns < next)
				next = job->item[i].call.deadline_ns;
	}
	return next;
}

void
rpc_drop_all(struct control *c)
{
	struct rpc_job *job;

	while ((job = c->jobs) != NULL) {
		c->jobs = job->next;
		c->njobs--;
		c->held -= job->values;
		if (job->fn != NULL) {
			job->item[0].call.later = false;
			cmd_fail(&job->item[0].call, CMD_REFUSED, "stopping",
			    "the daemon is stopping");
			job->fn(job->to, &job->item[0].call);
		}
		job_free(job);
	}
}
