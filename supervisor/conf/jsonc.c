/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON as people write it. Comments and trailing commas are blanked with
 * spaces, so that every byte keeps its place; jansson, which is strict, then
 * says whether the rest is JSON; and a walk over what is now known to be valid
 * builds the tree with its places, which jansson does not keep. Runs before
 * the first fork. Never opens a file, never prints.
 */
#include "supervisor/conf/jsonc.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/mem.h"

enum { CHUNK_BYTES = 32768, NONE = -1 };

struct chunk {
	struct chunk *next;
	size_t used, size;
	_Alignas(16) char data[];
};

/* Where the walk is. as_read has the comments still in it, because a column
 * counts the characters that the reader sees. */
struct scan {
	const char *text;
	const char *as_read;
	size_t at, len;
	uint32_t line, col;
	struct jsonc_doc *doc;
	jsonc_fault_fn *fault;
	void *arg;
};

static struct jsonc_node *walk_value(struct scan *);

/* ---- memory that goes as one ---- */

void *
jsonc_take(struct jsonc_doc *doc, size_t size)
{
	struct chunk *c = doc->chunks;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (c == NULL || c->size - c->used < size) {
		size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;

		c = mem_zero(1, sizeof(*c) + room);
		c->size = room;
		c->next = doc->chunks;
		doc->chunks = c;
	}
	p = c->data + c->used;
	c->used += size;
	return p;
}

struct jsonc_doc *
jsonc_new(const char *path)
{
	struct jsonc_doc *doc = mem_zero(1, sizeof(*doc));

	doc->path = mem_text(path);
	return doc;
}

void
jsonc_free(struct jsonc_doc *doc)
{
	struct chunk *c, *next;

	if (doc == NULL)
		return;
	for (c = doc->chunks; c != NULL; c = next) {
		next = c->next;
		mem_wipe(c);
	}
	free(doc->path);
	free(doc);
}

/* ---- blanking ---- */

size_t
jsonc_string_end(const char *text, size_t len, size_t at)
{
	for (at++; at < len && text[at] != '\n'; at++) {
		if (text[at] == '"')
			return at + 1;
		if (text[at] == '\\' && at + 1 < len && text[at + 1] != '\n')
			at++;
	}
	return at;
}

/* The end of the comment at text[at], at itself if there is none, and beyond
 * len if it is never closed. */
static size_t
comment_end(const char *text, size_t len, size_t at)
{
	const char *end;

	if (text[at] == '#' || (text[at] == '/' && text[at + 1] == '/')) {
		end = memchr(text + at, '\n', len - at);
		return end != NULL ? (size_t)(end - text) : len;
	}
	if (text[at] != '/' || text[at + 1] != '*')
		return at;
	end =
	    len - at > 2 ? memmem(text + at + 2, len - at - 2, "*/", 2) : NULL;
	return end != NULL ? (size_t)(end - text) + 2 : len + 1;
}

/* Blanks comments and trailing commas. Returns where a comment starts that is
 * never closed, or len. */
static size_t
blank(char *text, size_t len)
{
	size_t at = 0, end;
	ssize_t comma = NONE; /* a comma with nothing behind it so far */
	char before = '\0'; /* the last thing that was not a blank */

	while (at < len) {
		end = comment_end(text, len, at);
		if (end > len)
			return at;
		if (end > at) {
			for (; at < end; at++)
				if (text[at] != '\n')
					text[at] = ' ';
			continue;
		}
		if (strchr(" \t\r\n", text[at]) != NULL && text[at] != '\0') {
			at++;
			continue;
		}
		if (text[at] == ',') {
			comma =
			    strchr(",[{:", before) == NULL ? (ssize_t)at : NONE;
		} else {
			if (comma != NONE && strchr("]}", text[at]) != NULL &&
			    text[at] != '\0')
				text[comma] = ' ';
			comma = NONE;
		}
		before = text[at];
		at = before == '"' ? jsonc_string_end(text, len, at) : at + 1;
	}
	return len;
}

/* ---- the walk over text that jansson has found valid ---- */

static void
step(struct scan *s)
{
	unsigned char c = (unsigned char)s->as_read[s->at++];

	if (c == '\n') {
		s->line++;
		s->col = 1;
	} else if ((s->at >= s->len) ||
	    ((unsigned char)s->as_read[s->at] & 0xc0) != 0x80) {
		s->col++;
	}
}

static void
step_to(struct scan *s, size_t at)
{
	while (s->at < at)
		step(s);
}

static char
skip_blanks(struct scan *s)
{
	while (s->at < s->len && strchr(" \t\r\n", s->text[s->at]) != NULL)
		step(s);
	return s->text[s->at];
}

/* Reads the string here: what is between its quotes, escapes resolved. */
static const char *
walk_string(struct scan *s)
{
	size_t start = s->at, end = jsonc_string_end(s->text, s->len, start);
	const char *raw = s->text + start;
	size_t n = end - start;
	json_t *decoded = NULL;
	char *out;

	if (memchr(raw, '\\', n) != NULL) {
		decoded = json_loadb(raw, n, JSON_DECODE_ANY, NULL);
		raw = json_string_value(decoded);
		n = json_string_length(decoded);
	} else {
		raw++;
		n -= 2;
	}
	out = jsonc_take(s->doc, n + 1);
	memcpy(out, raw, n);
	json_decref(decoded);
	step_to(s, end);
	return out;
}

static void
walk_number(struct scan *s, struct jsonc_node *node)
{
	const char *p = s->text + s->at;
	size_t n = strspn(p, "+-.eE0123456789");

	node->type = JSONC_INTEGER;
	node->negative = *p == '-';
	errno = 0;
	node->magnitude = strtoull(p + node->negative, NULL, 10);
	if (errno == ERANGE || strspn(p, "-0123456789") < n) {
		node->type = JSONC_REAL;
		node->real = strtod(p, NULL);
	}
	step_to(s, s->at + n);
}

static void
walk_word(struct scan *s, struct jsonc_node *node)
{
	char c = s->text[s->at];

	node->type = c == 'n' ? JSONC_NULL : JSONC_BOOL;
	node->yes = c == 't';
	step_to(s, s->at + (c == 'f' ? 5 : 4));
}

static int
by_key(const void *a, const void *b)
{
	const struct jsonc_node *x = *(struct jsonc_node *const *)a;
	const struct jsonc_node *y = *(struct jsonc_node *const *)b;
	int c = strcmp(x->key, y->key);

	if (c == 0)
		c = x->key_line < y->key_line ? -1 : x->key_line > y->key_line;
	if (c == 0)
		c = x->key_col < y->key_col ? -1 : x->key_col > y->key_col;
	return c;
}

static void
tell_duplicate(struct scan *s, const struct jsonc_node *again,
    const struct jsonc_node *first)
{
	char what[256];

	snprintf(what, sizeof(what),
	    "duplicate key \"%.100s\"; it stands at %u:%u already", again->key,
	    first->key_line, first->key_col);
	s->fault(s->arg, s->doc, again->key_line, again->key_col, what);
}

/* Leaves out what has the key of an earlier member. */
static void
drop_duplicates(struct scan *s, struct jsonc_node *object)
{
	struct jsonc_node **sorted, **link, *node;
	size_t i = 0, first = 0;

	if (object->in.n < 2)
		return;
	sorted = mem_zero(object->in.n, sizeof(struct jsonc_node *));
	for (node = object->in.first; node != NULL; node = node->next)
		sorted[i++] = node;
	qsort(sorted, i, sizeof(struct jsonc_node *), by_key);
	for (i = 1; i < object->in.n; i++) {
		if (strcmp(sorted[i]->key, sorted[first]->key) == 0) {
			tell_duplicate(s, sorted[i], sorted[first]);
			sorted[i]->key = NULL;
		} else {
			first = i;
		}
	}
	free(sorted);
	for (link = &object->in.first; (node = *link) != NULL;) {
		if (node->key == NULL) {
			*link = node->next;
			object->in.n--;
		} else {
			link = &node->next;
		}
	}
}

/* An array or an object. */
static void
walk_container(struct scan *s, struct jsonc_node *node)
{
	struct jsonc_node *child, **link = &node->in.first;
	char close = s->text[s->at] == '{' ? '}' : ']';
	const char *key = NULL;
	uint32_t key_line = 0, key_col = 0;

	node->type = close == '}' ? JSONC_OBJECT : JSONC_ARRAY;
	step(s);
	while (skip_blanks(s) != close) {
		if (s->text[s->at] == ',') {
			step(s);
			continue;
		}
		if (close == '}') {
			key_line = s->line;
			key_col = s->col;
			key = walk_string(s);
			skip_blanks(s);
			step(s); /* ':' */
		}
		child = walk_value(s);
		child->key = key;
		child->key_line = key_line;
		child->key_col = key_col;
		*link = child;
		link = &child->next;
		node->in.n++;
	}
	step(s);
	if (close == '}')
		drop_duplicates(s, node);
}

static struct jsonc_node *
walk_value(struct scan *s)
{
	struct jsonc_node *node = jsonc_take(s->doc, sizeof(*node));
	char c = skip_blanks(s);

	node->doc = s->doc;
	node->line = s->line;
	node->col = s->col;
	switch (c) {
	case '{':
	case '[':
		walk_container(s, node);
		break;
	case '"':
		node->type = JSONC_STRING;
		node->text = walk_string(s);
		break;
	case 't':
	case 'f':
	case 'n':
		walk_word(s, node);
		break;
	default:
		walk_number(s, node);
	}
	return node;
}

/* ---- from text to tree ---- */

static void
tell_at(struct scan *s, size_t offset, const char *what)
{
	step_to(s, offset < s->len ? offset : s->len);
	s->fault(s->arg, s->doc, s->line, s->col, what);
}

/* True if jansson takes the blanked text; tells why not. Integers are checked
 * as reals, since its own end at 2^63 - 1. */
static bool
valid(struct scan *s)
{
	json_error_t error;
	char why[256];
	json_t *json;
	size_t at = strspn(s->text, " \t\r\n");

	if (at == s->len) {
		tell_at(s, 0, "the file is empty");
		return false;
	}
	json = json_loadb(
	    s->text, s->len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &error);
	if (json != NULL) {
		json_decref(json);
		return true;
	}
	at = jsonc_explain(s->text, s->len,
	    error.position > 0 ? (size_t)error.position : 0, error.text, why,
	    sizeof(why));
	tell_at(s, at, why);
	return false;
}

/*
 * What has been copied or searched stays in vector registers, which children
 * inherit and the dynamic linker saves on their stacks. Nothing, handled in
 * the same way, takes its place.
 */
static void
forget(char *text, char *copy, size_t len)
{
	const void *found;

	explicit_bzero(text, len);
	memcpy(copy, text, len);
	__asm__ __volatile__("" : : "r"(copy) : "memory");
	found = memchr(copy, 1, len);
	__asm__ __volatile__("" : : "r"(found) : "memory");
}

struct jsonc_doc *
jsonc_parse(
    const char *path, char *text, size_t len, jsonc_fault_fn *fault, void *arg)
{
	struct jsonc_doc *doc;
	struct scan s = { .line = 1, .col = 1, .fault = fault, .arg = arg };
	json_malloc_t take_memory;
	json_free_t give_back;
	char *as_read;
	size_t open;

	/* there may be passwords in it */
	json_get_alloc_funcs(&take_memory, &give_back);
	json_set_alloc_funcs(malloc, mem_wipe);
	doc = s.doc = jsonc_new(path);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3; /* a byte order mark, as some editors leave it */
		len -= 3;
	}
	as_read = mem_zero(len + 1, 1);
	memcpy(as_read, text, len);
	open = blank(text, len);
	s.text = text;
	s.as_read = as_read;
	s.len = len;
	if (memchr(as_read, '\0', len) != NULL)
		tell_at(
		    &s, strlen(as_read), "a NUL byte: this is no text file");
	else if (open < len)
		tell_at(&s, open, "this comment is never closed");
	else if (valid(&s))
		doc->root = walk_value(&s);
	forget(text, as_read, len);
	mem_wipe(as_read);
	json_set_alloc_funcs(take_memory, give_back);
	return doc;
}

/* ---- questions ---- */

struct jsonc_node *
jsonc_get(const struct jsonc_node *object, const char *key)
{
	struct jsonc_node *node;

	if (object == NULL || object->type != JSONC_OBJECT)
		return NULL;
	for (node = object->in.first; node != NULL; node = node->next)
		if (strcmp(node->key, key) == 0)
			return node;
	return NULL;
}

const char *
jsonc_type_words(enum jsonc_type type)
{
	static const char *const words[] = {
		[JSONC_NULL] = "null",
		[JSONC_BOOL] = "true or false",
		[JSONC_INTEGER] = "a whole number",
		[JSONC_REAL] = "a number",
		[JSONC_STRING] = "a string",
		[JSONC_ARRAY] = "a list",
		[JSONC_OBJECT] = "an object",
	};

	return words[type];
}

double
jsonc_number(const struct jsonc_node *node)
{
	if (node->type == JSONC_REAL)
		return node->real;
	return node->negative ? -(double)node->magnitude
			      : (double)node->magnitude;
}

/* The same number of members, and each the same. */
static bool
equal_inside(const struct jsonc_node *a, const struct jsonc_node *b)
{
	const struct jsonc_node *x, *y = b->in.first;

	if (a->in.n != b->in.n)
		return false;
	for (x = a->in.first; x != NULL; x = x->next) {
		if (a->type == JSONC_OBJECT)
			y = jsonc_get(b, x->key);
		if (!jsonc_equal(x, y))
			return false;
		y = y->next;
	}
	return true;
}

bool
jsonc_equal(const struct jsonc_node *a, const struct jsonc_node *b)
{
	if (a == NULL || b == NULL || a->type != b->type)
		return a == b;
	switch (a->type) {
	case JSONC_BOOL:
		return a->yes == b->yes;
	case JSONC_INTEGER:
		return a->magnitude == b->magnitude &&
		    a->negative == b->negative;
	case JSONC_REAL:
		return a->real == b->real;
	case JSONC_STRING:
		return strcmp(a->text, b->text) == 0;
	case JSONC_ARRAY:
	case JSONC_OBJECT:
		return equal_inside(a, b);
	case JSONC_NULL:
		break;
	}
	return true;
}
