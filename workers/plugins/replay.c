/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers as a recorded device did: reads a capture of Modbus traffic, of
 * holdfast trace --pcap or of tcpdump or Wireshark from a real device, and puts
 * the recorded replies in the place of our own. See holdfast-plugin(7).
 *
 * The same request to the same unit gets the recorded replies in turn, and the
 * last one from then on; with "times", as late as the device gave them. What
 * was never asked, the configured device answers. What the recorded device
 * refused is not carried out by ours either.
 */
#include "holdfast.h"
#include "replay/replay.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WITH_DELAY = 4 }; /* hosts of this revision put replies off */

static struct request *answering; /* the request in hand; NULL: not ours */
static double times; /* as late as the device, times that */

/* The recorded reply takes the place of our device's, but not of refusals by
 * roles, as busy or by faults, which come before any device. */
static size_t
trace_pdu(
    void *arg, const struct hf_traced *t, uint8_t *pdu, size_t len, size_t room)
{
	const struct reply *reply;
	double ms;

	(void)arg;
	if (!t->sending) {
		answering = answers_find(t->unit, pdu, len);
		return len;
	}
	if (answering == NULL || t->refused || answering->reply->len > room)
		return len;
	reply = answering->reply;
	answers_step(answering);
	answering = NULL;
	memcpy(pdu, reply->pdu, reply->len);
	ms = (double)reply->took_us / 1000 * times + 0.5;
	if (ms >= 1)
		t->host->delay(
		    t->host, ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX);
	return reply->len;
}

static int
refused(const struct request *r)
{
	return (r->reply->pdu[0] & 0x80) != 0;
}

/* A broadcast goes by what unit 0 was recorded to answer. Devices that answer
 * to no broadcast refuse it as they do when they are asked themselves: if all
 * that were have refused, so does everybody. */
static int
refused_by_all(struct request *zero, const uint8_t *pdu, size_t len)
{
	const struct request *r;
	int any = 0, is;

	if (zero != NULL) {
		is = refused(zero);
		answers_step(zero);
		return is;
	}
	for (unsigned unit = 1; unit <= UINT8_MAX; unit++) {
		r = answers_find((uint8_t)unit, pdu, len);
		if (r != NULL && !refused(r))
			return 0;
		any |= r != NULL;
	}
	return any;
}

/* What was refused is not carried out; trace_pdu() says in which words. */
static enum hf_exception
refuse(void *arg, const struct hf_traced *t, const uint8_t *pdu, size_t len)
{
	int is;

	(void)arg;
	/* an older host does not ask it of broadcasts */
	if (t->host->revision >= WITH_DELAY && t->broadcast) {
		is = refused_by_all(answering, pdu, len);
		answering = NULL;
	} else {
		is = answering != NULL && refused(answering);
	}
	return is ? HF_EX_FAILURE : HF_EX_NONE;
}

static const struct hf_hooks hooks = {
	.size = sizeof(hooks),
	.trace_pdu = trace_pdu,
	.refuse = refuse,
};

static const struct hf_plugin plugin = {
	.abi = HF_PLUGIN_ABI,
	.size = sizeof(plugin),
	.name = "replay",
	.hooks = &hooks,
};

/* ---- options ---- */

/* "true", "false", or by how much. */
static int
read_times(const struct hf_host *host)
{
	const char *text = host->option(host, "times");
	char *end;

	if (text == NULL || strcmp(text, "false") == 0)
		return 0;
	times = strcmp(text, "true") == 0 ? 1 : strtod(text, &end);
	if (strcmp(text, "true") != 0 &&
	    (end == text || *end != '\0' || !isfinite(times) || times < 0)) {
		host->fail(host,
		    "the option \"times\" is true, false or a factor, not %s",
		    text);
		return -1;
	}
	if (host->revision < WITH_DELAY) {
		host->fail(host,
		    "this Holdfast (%s) is too old for the option \"times\"",
		    host->version);
		return -1;
	}
	return 0;
}

static int
read_port(const struct hf_host *host, unsigned *port)
{
	const char *text = host->option(host, "port");
	char *end = NULL;
	unsigned long n = text != NULL ? strtoul(text, &end, 10) : 502;

	*port = (unsigned)n;
	if (n != 0 && n <= UINT16_MAX && (end == NULL || *end == '\0'))
		return 0;
	host->fail(host, "the option \"port\" is no port: %s", text);
	return -1;
}

/* The file comes last: what is wrong with it is told at its place. */
static int
read_options(const struct hf_host *host, char *path, size_t room)
{
	const char *name, *why;
	unsigned port;

	if (read_port(host, &port) == -1 || read_times(host) == -1)
		return -1;
	name = host->option(host, "file");
	if (name == NULL) {
		host->fail(host, "the option \"file\" is missing");
		return -1;
	}
	snprintf(path, room, "%s%s%s", name[0] == '/' ? "" : host->folder,
	    name[0] == '/' ? "" : "/", name);
	why = answers_init() == 0 ? capture_read(path, port) : strerror(errno);
	if (why == NULL)
		return 0;
	host->fail(host, "%s: %s", path, why);
	return -1;
}

int
holdfast_check(const struct hf_host *host)
{
	char path[4096];

	return read_options(host, path, sizeof(path));
}

const struct hf_plugin *
holdfast_plugin(const struct hf_host *host)
{
	char path[4096];

	if (read_options(host, path, sizeof(path)) == -1)
		return NULL;
	host->log(host, HF_INFO, "replaying %s requests=%zu replies=%zu", path,
	    answers.nrequests, answers.nreplies);
	return &plugin;
}
