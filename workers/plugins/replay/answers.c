/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was asked and answered in a recording, found by the request's bytes.
 * Runs in the worker that loads the plugin; allocates only while a file is
 * read.
 */
#include "replay.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct answers answers;

int
answers_init(void)
{
	answers.probe = calloc(1, sizeof(*answers.probe) + REPLAY_PDU_MAX);
	return answers.probe != NULL ? 0 : -1;
}

static int
compare(const void *one, const void *two)
{
	const struct request *a = one, *b = two;
	int d = (a->unit - b->unit) * 256 + (int)a->len - (int)b->len;

	return d != 0 ? d : memcmp(a->pdu, b->pdu, a->len);
}

/* The recorded request of these bytes, or NULL. */
struct request *
answers_find(uint8_t unit, const uint8_t *pdu, size_t len)
{
	struct request **at;

	answers.probe->unit = unit;
	answers.probe->len = len;
	memcpy(answers.probe->pdu, pdu, len);
	at = tfind(answers.probe, &answers.requests, compare);
	return at != NULL ? *at : NULL;
}

static struct request *
find_or_add(uint8_t unit, const uint8_t *pdu, size_t len)
{
	struct request *r = answers_find(unit, pdu, len);

	if (r != NULL || (r = calloc(1, sizeof(*r) + len)) == NULL)
		return r;
	memcpy(r, answers.probe, sizeof(*r) + len);
	if (tsearch(r, &answers.requests, compare) == NULL) {
		free(r);
		return NULL;
	}
	answers.nrequests++;
	return r;
}

void
answers_keep(uint8_t unit, const uint8_t *asked, size_t asked_len,
    const uint8_t *pdu, size_t len, uint64_t took_us)
{
	struct reply *reply = calloc(1, sizeof(*reply) + len);
	struct request *r =
	    reply != NULL ? find_or_add(unit, asked, asked_len) : NULL;

	if (r == NULL) {
		free(reply);
		return; /* no memory: it has not been recorded */
	}
	reply->took_us = took_us;
	reply->len = len;
	memcpy(reply->pdu, pdu, len);
	*(r->last != NULL ? &r->last->next : &r->reply) = reply;
	r->last = reply;
	answers.nreplies++;
}

void
answers_step(struct request *r)
{
	if (r->reply->next != NULL)
		r->reply = r->reply->next;
}
