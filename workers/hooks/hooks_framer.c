/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framers of plugins in the form of our own. Runs in the workers, on the
 * request path. What one says it has found is held against the bytes that it
 * was shown before anybody reads there.
 */
#include <string.h>
#include <sysexits.h>

#include "supervisor/near.h"
#include "workers/hooks/hooks_own.h"

_Static_assert((int)HF_FRAME == FRAME_OK && (int)HF_FRAME_MORE == FRAME_MORE &&
	(int)HF_FRAME_BAD == FRAME_BAD,
    "the words are the same");
_Static_assert((int)HF_ADU_MAX == FRAME_ADU_MAX, "the longest frame");
_Static_assert(sizeof(((struct hf_frame *)0)->scratch) ==
	sizeof(((struct frame *)0)->scratch),
    "scratch");

enum { FRAMER_LEAST = 2, NAMES_MAX = 32, ERRORS_MAX = 255 };

static enum frame_rc
bad(struct frame *f, const char *why)
{
	f->used = 0;
	f->errors = 1;
	f->why = why;
	return FRAME_BAD;
}

/* True if len bytes at p lie within the size bytes at base. */
static bool
within(const uint8_t *p, size_t len, const uint8_t *base, size_t size)
{
	uintptr_t at = (uintptr_t)p, from = (uintptr_t)base;

	return len <= size && at >= from && at - from <= size - len;
}

/* A frame as it was found, if it is one. */
static enum frame_rc
take(struct frame *f, const struct hf_frame *found, const uint8_t *in,
    size_t len)
{
	if (found->used < FRAMER_LEAST || found->used > len ||
	    found->pdu == NULL || found->pdu_len == 0 ||
	    found->pdu_len > MB_PDU_MAX)
		return bad(f, "its framer found what cannot be a frame");
	f->pdu = found->pdu;
	if (within(found->pdu, found->pdu_len, found->scratch,
		sizeof(found->scratch))) {
		memcpy(f->scratch, found->scratch, sizeof(f->scratch));
		f->pdu = f->scratch + (found->pdu - found->scratch);
	} else if (!within(found->pdu, found->pdu_len, in, len)) {
		return bad(f, "its framer found a frame where no bytes are");
	}
	f->unit = found->unit;
	f->tid = found->transaction;
	f->pdu_len = found->pdu_len;
	return FRAME_OK;
}

static enum frame_rc
find(int datagram, const uint8_t *in, size_t len, struct frame *f)
{
	const struct hook_framer *h = f->arg;
	struct hf_frame found;
	enum hf_found rc;
	uint32_t was = plugin_enter(h->plugin);

	memset(&found, 0, offsetof(struct hf_frame, scratch));
	rc = h->f.find(h->plugin->hooks.arg, datagram, in, len, &found);
	plugin_leave(h->plugin, was);
	f->used = found.used;
	f->adu = 0; /* it does not say */
	f->errors = found.errors < ERRORS_MAX ? found.errors : ERRORS_MAX;
	f->foreign = 0;
	switch (rc) {
	case HF_FRAME:
		return take(f, &found, in, len);
	case HF_FRAME_MORE:
		if (found.used > len)
			return bad(f, "its framer is done with more than came");
		return FRAME_MORE;
	case HF_FRAME_BAD:
		return bad(f, found.why != NULL ? found.why : "no frame");
	}
	return bad(f, "its framer came to no result");
}

static enum frame_rc
stream(const struct mb_fcs *fcs, uint8_t delimiter, const uint8_t *in,
    size_t len, struct frame *f)
{
	(void)fcs;
	(void)delimiter;
	return find(0, in, len, f);
}

static enum frame_rc
datagram(const struct mb_fcs *fcs, uint8_t delimiter, const uint8_t *in,
    size_t len, struct frame *f)
{
	enum frame_rc rc = find(1, in, len, f);

	(void)fcs;
	(void)delimiter;
	if (rc == FRAME_MORE)
		return bad(f, "not a whole frame");
	if (rc == FRAME_OK && f->used != len)
		return bad(f, "more than one frame");
	return rc;
}

static size_t
seal(const struct frame *req, uint8_t delimiter, uint8_t *adu, size_t pdu_len)
{
	const struct hook_framer *h = req->arg;
	struct hf_frame f = { .unit = req->unit,
		.transaction = req->tid,
		.pdu = req->pdu,
		.pdu_len = req->pdu_len,
		.used = req->used };
	uint32_t was = plugin_enter(h->plugin);
	size_t len = h->f.seal(h->plugin->hooks.arg, &f, adu, pdu_len);

	plugin_leave(h->plugin, was);
	(void)delimiter;
	if (len > h->f.adu_max)
		fatal(EX_SOFTWARE, "%s: seal() made %zu bytes in room for %zu",
		    h->plugin->path, len, h->f.adu_max);
	return len;
}

int
hook_framer_check(struct plugins *ps, struct hook_framer *h)
{
	const struct hf_framer *f = &h->f;
	const char *lacks = f->name == NULL || f->name[0] == '\0' ? "name"
	    : f->find == NULL                                     ? "find"
	    : f->seal == NULL                                     ? "seal"
								  : NULL;

	if (lacks != NULL)
		return plugins_refuse(
		    ps, "%s: a framer of it has no %s", h->plugin->file, lacks);
	if (framer_find(f->name) != NULL)
		return plugins_refuse(ps,
		    "%s: the framer \"%s\" is there already", h->plugin->file,
		    f->name);
	if (f->head > FRAME_HEAD_MAX || f->adu_max > FRAME_ADU_MAX ||
	    f->adu_max < f->head + MB_PDU_MAX)
		return plugins_refuse(ps,
		    "%s: the framer \"%.40s\": head is %zu, 0 to %d are "
		    "possible, and adu_max %zu, from head and the %d bytes of "
		    "a PDU to %d",
		    h->plugin->file, f->name, f->head, FRAME_HEAD_MAX,
		    f->adu_max, MB_PDU_MAX, FRAME_ADU_MAX);
	h->row = (struct framer){ .name = f->name,
		.arg = h,
		.head = f->head,
		.adu_max = f->adu_max,
		.stream = stream,
		.datagram = datagram,
		.seal = seal };
	return 0;
}

const struct framer *
hooks_framer(const struct worker *w, const char *name)
{
	const struct hooks *h = w->hooks;

	for (size_t i = 0; h != NULL && i < h->nframers; i++)
		if (strcmp(h->framers[i].f.name, name) == 0)
			return &h->framers[i].row;
	return NULL;
}

int
hooks_framer_known(struct worker *w, const char *name)
{
	static const char *const ours[] = { "socket", "tls", "rtu", "ascii" };
	const char *names[NAMES_MAX], *near;
	size_t n = 0;

	if (framer_find(name) != NULL || hooks_framer(w, name) != NULL)
		return 0;
	for (; n < sizeof(ours) / sizeof(ours[0]); n++)
		names[n] = ours[n];
	for (size_t i = 0; i < w->hooks->nframers && n < NAMES_MAX; i++)
		names[n++] = w->hooks->framers[i].f.name;
	near = near_name(name, names, n);
	return plugins_refuse(w->plugins,
	    "no plugin brings the framer \"%.60s\"%s%s%s", name,
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
}
