/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks on their way to the fork server, which is the program as it was at
 * hf_init(): the tables go there by value, since they may have been filled in
 * later; the code that they point to must have been there by then. Runs in the
 * program's own process, and in what the fork server makes.
 */
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/api/api_server.h"

/* What functions, actions, framers and transports begin with. */
struct named {
	size_t size;
	const char *name;
};

_Static_assert(
    offsetof(struct hf_function, name) == offsetof(struct named, name) &&
	offsetof(struct hf_action, name) == offsetof(struct named, name) &&
	offsetof(struct hf_framer, name) == offsetof(struct named, name) &&
	offsetof(struct hf_transport, name) == offsetof(struct named, name),
    "they begin alike");

typedef const struct named *const *list_of;

enum { LISTS = 4 };

/* Where the lists are; those that an older program has none of are NULL. */
static void
lists_of(const struct hf_hooks *h, list_of *at[LISTS])
{
	static const size_t off[LISTS] = {
		offsetof(struct hf_hooks, functions),
		offsetof(struct hf_hooks, actions),
		offsetof(struct hf_hooks, framers),
		offsetof(struct hf_hooks, transports),
	};

	for (int i = 0; i < LISTS; i++)
		at[i] = off[i] + sizeof(void *) <= h->size
		    ? (list_of *)(uintptr_t)((const char *)h + off[i])
		    : NULL;
}

/* ---- by value ---- */

/* Everything lies on a boundary that suits all. */
static void
put(FILE *f, const void *at, size_t len)
{
	static const char zeros[16];
	uint64_t head[2] = { len, 0 };

	fwrite(head, sizeof(head), 1, f);
	if (len > 0)
		fwrite(at, len, 1, f);
	fwrite(zeros, -len % sizeof(zeros), 1, f);
}

void *
api_hooks_pack(const struct hf_hooks *h, size_t *len)
{
	list_of *at[LISTS];
	char *bytes = NULL;
	FILE *f = open_memstream(&bytes, len);

	if (f == NULL)
		return NULL;
	lists_of(h, at);
	put(f, h, h->size);
	for (int i = 0; i < LISTS; i++) {
		list_of list = at[i] != NULL ? *at[i] : NULL;

		for (; list != NULL && *list != NULL; list++) {
			put(f, *list, (*list)->size);
			put(f, (*list)->name,
			    (*list)->name != NULL ? strlen((*list)->name) + 1
						  : 0);
		}
		put(f, NULL, 0); /* the end of a list */
	}
	if (fclose(f) == 0)
		return bytes;
	free(bytes);
	return NULL;
}

/* What lies next in the bytes. */
static void *
get(char **at, size_t *len)
{
	uint64_t head[2];
	char *here = *at + sizeof(head);

	memcpy(head, *at, sizeof(head));
	*len = head[0];
	*at = here + (head[0] + 15) / 16 * 16;
	return here;
}

/* The pointers of a list, which ends with NULL. NULL: no memory. */
static const struct named **
get_list(char **at)
{
	const struct named **list = NULL, **more;
	struct named *one;
	size_t n = 0, len;
	char *name;

	for (;;) {
		more = reallocarray(list, n + 1, sizeof(struct named *));
		if (more == NULL)
			return NULL;
		list = more;
		list[n] = NULL;
		one = get(at, &len);
		if (len == 0)
			return list;
		name = get(at, &len);
		one->name = len > 0 ? name : NULL;
		list[n++] = one;
	}
}

const struct hf_hooks *
api_hooks_unpack(void *bytes, size_t len)
{
	char *at = bytes;
	struct hf_hooks *h;
	list_of *lists[LISTS];

	if (len == 0)
		return NULL;
	h = get(&at, &len);
	lists_of(h, lists);
	for (int i = 0; i < LISTS; i++) {
		const struct named **list = get_list(&at);

		if (list == NULL)
			return NULL;
		if (lists[i] != NULL)
			*lists[i] = list;
	}
	return h;
}

/* ---- code ---- */

struct span {
	uintptr_t from, to;
};

static struct span *spans; /* as of hf_init() */
static size_t nspans;

static int
note(struct dl_phdr_info *o, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (unsigned i = 0; i < o->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &o->dlpi_phdr[i];
		struct span *more;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		more = reallocarray(spans, nspans + 1, sizeof(*spans));
		if (more == NULL)
			return -1; /* what is not noted is not known */
		spans = more;
		spans[nspans].from = o->dlpi_addr + p->p_vaddr;
		spans[nspans].to = spans[nspans].from + p->p_memsz;
		nspans++;
	}
	return 0;
}

void
api_code_note(void)
{
	dl_iterate_phdr(note, NULL);
}

static bool
known(const void *code)
{
	uintptr_t at = (uintptr_t)code;

	for (size_t i = 0; i < nspans; i++)
		if (at >= spans[i].from && at < spans[i].to)
			return true;
	return at == 0;
}

/* The functions of a struct: pointers from one member on up to its end. What a
 * newer program has behind what we know is refused in the worker. */
static bool
all_known(const void *s, size_t from, size_t end, size_t size)
{
	const void *code;

	for (; from + sizeof(code) <= (end < size ? end : size);
	     from += sizeof(code)) {
		memcpy(&code, (const char *)s + from, sizeof(code));
		if (!known(code))
			return false;
	}
	return true;
}

bool
api_code_known(const struct hf_hooks *h)
{
	static const struct {
		size_t from, end;
	} code[LISTS] = {
		{ offsetof(struct hf_function, run),
		    sizeof(struct hf_function) },
		{ offsetof(struct hf_action, run), sizeof(struct hf_action) },
		{ offsetof(struct hf_framer, find), sizeof(struct hf_framer) },
		{ offsetof(struct hf_transport, listen),
		    sizeof(struct hf_transport) },
	};
	list_of *at[LISTS];

	if (!all_known(h, offsetof(struct hf_hooks, trace_packet),
		offsetof(struct hf_hooks, functions), h->size) ||
	    !all_known(
		h, offsetof(struct hf_hooks, refuse), sizeof(*h), h->size))
		return false;
	lists_of(h, at);
	for (int i = 0; i < LISTS; i++)
		for (list_of l = at[i] != NULL ? *at[i] : NULL;
		     l != NULL && *l != NULL; l++)
			if (!all_known(
				*l, code[i].from, code[i].end, (*l)->size))
				return false;
	return true;
}
