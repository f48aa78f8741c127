/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter of traces, see filter.h: an expression is read once into nodes and
 * then asked of every frame. Runs in the control process, on words from
 * outside: length and depth are bounded.
 */

#include "control/filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "supervisor/near.h"

enum { DEPTH_MAX = 32 };

struct parser {
	struct filter *f;
	const char *text, *at;
	char *why;
	unsigned depth;
	bool failed;
};

static const char *const fields[FILTER_FIELDS] = {
	[FILTER_FC] = "fc",
	[FILTER_UNIT] = "unit",
	[FILTER_ADDR] = "addr",
	[FILTER_COUNT] = "count",
	[FILTER_EXCEPTION] = "exception",
	[FILTER_US] = "us",
	[FILTER_TRANSACTION] = "transaction",
	[FILTER_VALUE] = "value",
	[FILTER_TRANSPORT] = "transport",
	[FILTER_PEER] = "peer",
	[FILTER_CONNECTION] = "connection",
	[FILTER_DIRECTION] = "direction",
	[FILTER_TYPE] = "type",
	[FILTER_FRAMER] = "framer",
	[FILTER_NAME] = "name",
};

static const struct {
	const char *word;
	enum filter_op op;
} ops[] = {
	/* the longer ones first */
	{ "==", FILTER_EQ },
	{ "!=", FILTER_NE },
	{ "<=", FILTER_LE },
	{ ">=", FILTER_GE },
	{ "<", FILTER_LT },
	{ ">", FILTER_GT },
};

static uint8_t expression(struct parser *);

static void fail(struct parser *, const char *at, const char *fmt, ...)
    __attribute__((__format__(printf, 3, 4)));

/* The first mistake is the one that is told. */
static void
fail(struct parser *p, const char *at, const char *fmt, ...)
{
	char what[FILTER_WHY_MAX - 24];
	va_list ap;

	if (p->failed)
		return;
	p->failed = true;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(p->why, FILTER_WHY_MAX, "column %zu: %s",
	    (size_t)(at - p->text) + 1, what);
}

/* ---- words ---- */

static void
skip(struct parser *p)
{
	while (isspace((unsigned char)*p->at))
		p->at++;
}

static bool
take(struct parser *p, const char *word)
{
	skip(p);
	if (strncmp(p->at, word, strlen(word)) != 0)
		return false;
	p->at += strlen(word);
	return true;
}

/* What a name or a bare operand consists of: also addresses, ids, numbers. */
static bool
is_bare(char c)
{
	return isalnum((unsigned char)c) ||
	    (c != '\0' && strchr("_.:-/[]%", c) != NULL);
}

static uint8_t
add(struct parser *p, struct filter_node node)
{
	if (p->f->n == FILTER_NODES) {
		fail(p, p->at, "too many conditions: %d is the most",
		    FILTER_NODES / 2);
		return 0;
	}
	p->f->node[p->f->n] = node;
	return (uint8_t)p->f->n++;
}

static size_t
bare_len(const char *s)
{
	size_t n = 0;

	while (is_bare(s[n]))
		n++;
	return n;
}

/* Keeps len bytes as a string; where. */
static uint16_t
keep(struct filter *f, const char *s, size_t len)
{
	size_t at = f->text_len;

	/* the expression's length bounds that of its operands */
	memcpy(f->text + at, s, len);
	f->text[at + len] = '\0';
	f->text_len += len + 1;
	return (uint16_t)at;
}

/* ---- the grammar ---- */

static void
number(struct parser *p, struct filter_node *node)
{
	const char *start = p->at;
	size_t len = bare_len(start);
	char word[32], *end;

	if (len == 0 || len >= sizeof(word)) {
		fail(p, start, "a number is wanted");
		return;
	}
	memcpy(word, start, len);
	word[len] = '\0';
	errno = 0;
	node->number =
	    strtoll(word, &end, strncasecmp(word, "0x", 2) == 0 ? 16 : 10);
	if (*end != '\0' || errno != 0)
		fail(p, start, "\"%s\" is no number, which %s is compared with",
		    word, fields[node->field]);
	p->at += len;
}

static void
string(struct parser *p, struct filter_node *node)
{
	char quote = *p->at;
	size_t len;

	if (quote != '"' && quote != '\'') {
		len = bare_len(p->at);
		if (len == 0)
			fail(p, p->at, "a word or \"string\" is wanted");
		node->string = keep(p->f, p->at, len);
		p->at += len;
		return;
	}
	len = strcspn(p->at + 1, quote == '"' ? "\"" : "'");
	if (p->at[1 + len] == '\0') {
		fail(p, p->at, "the string does not end");
		return;
	}
	node->string = keep(p->f, p->at + 1, len);
	p->at += len + 2;
}

static void
unknown_field(struct parser *p, const char *start, size_t len)
{
	char word[24];
	const char *near;

	snprintf(word, sizeof(word), "%.*s", (int)len, start);
	near = near_name(word, fields, FILTER_FIELDS);
	if (near != NULL)
		fail(p, start, "no field \"%s\"; did you mean \"%s\"?", word,
		    near);
	else
		fail(p, start, "no field \"%s\"", word);
}

static uint8_t
comparison(struct parser *p)
{
	struct filter_node node = { .op = FILTER_HAS };
	const char *start, *at_op;
	size_t len, i;

	skip(p);
	start = p->at;
	len = bare_len(start);
	if (len == 0) {
		fail(p, start, "a field, \"!\" or \"(\" is wanted");
		return 0;
	}
	for (i = 0; i < FILTER_FIELDS; i++)
		if (strlen(fields[i]) == len &&
		    strncmp(fields[i], start, len) == 0)
			break;
	if (i == FILTER_FIELDS) {
		unknown_field(p, start, len);
		return 0;
	}
	node.field = (enum filter_field)i;
	p->at += len;
	skip(p);
	at_op = p->at;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (!take(p, ops[i].word))
			continue;
		node.op = ops[i].op;
		skip(p);
		if (node.field < FILTER_TRANSPORT)
			number(p, &node);
		else if (node.op > FILTER_NE)
			fail(p, at_op, "%s is a string: == or != is wanted",
			    fields[node.field]);
		else
			string(p, &node);
		break;
	}
	if (i == sizeof(ops) / sizeof(ops[0]) && *at_op == '=')
		fail(p, at_op, "\"=\" is no comparison: \"==\" is");
	return add(p, node);
}

static uint8_t
term(struct parser *p)
{
	struct filter_node node = { .op = FILTER_NOT };
	uint8_t inner;

	skip(p);
	if (p->failed)
		return 0;
	if (++p->depth > DEPTH_MAX) {
		fail(p, p->at, "nested too deeply");
		return 0;
	}
	if (*p->at == '!') {
		p->at++;
		node.left = term(p);
		inner = add(p, node);
	} else if (take(p, "(")) {
		inner = expression(p);
		if (!take(p, ")"))
			fail(p, p->at, "\")\" is wanted");
	} else {
		inner = comparison(p);
	}
	p->depth--;
	return inner;
}

static uint8_t
chain(struct parser *p, const char *word, enum filter_op op,
    uint8_t (*part)(struct parser *))
{
	struct filter_node node = { .op = op };
	uint8_t left = part(p);

	while (!p->failed && take(p, word)) {
		node.left = left;
		node.right = part(p);
		left = add(p, node);
	}
	return left;
}

static uint8_t
conjunction(struct parser *p)
{
	return chain(p, "&&", FILTER_AND, term);
}

static uint8_t
expression(struct parser *p)
{
	return chain(p, "||", FILTER_OR, conjunction);
}

int
filter_parse(struct filter *f, const char *text, char *why)
{
	struct parser p = { .f = f, .text = text, .at = text, .why = why };

	f->n = 0;
	f->text_len = 0;
	if (strlen(text) >= FILTER_TEXT_MAX) {
		snprintf(why, FILTER_WHY_MAX, "longer than %d bytes",
		    FILTER_TEXT_MAX - 1);
		return -1;
	}
	skip(&p);
	if (*p.at == '\0')
		return 0;
	expression(&p);
	skip(&p);
	if (*p.at != '\0')
		fail(&p, p.at, "\"&&\", \"||\" or the end is wanted");
	return p.failed ? -1 : 0;
}

/* ---- frames ---- */

static bool
compare(enum filter_op op, int64_t a, int64_t b)
{
	switch (op) {
	case FILTER_EQ:
		return a == b;
	case FILTER_NE:
		return a != b;
	case FILTER_LT:
		return a < b;
	case FILTER_LE:
		return a <= b;
	case FILTER_GT:
		return a > b;
	default:
		return a >= b;
	}
}

/* Of several values one must fit; for != all must. */
static bool
any_value(const struct filter_node *n, const struct filter_frame *fr)
{
	enum filter_op op = n->op == FILTER_NE ? FILTER_EQ : n->op;
	unsigned i = 0;

	if (fr->nvalues == 0)
		return false;
	if (n->op == FILTER_HAS)
		return true;
	while (
	    i < fr->nvalues && !compare(op, fr->value(fr->arg, i), n->number))
		i++;
	return (i < fr->nvalues) != (n->op == FILTER_NE);
}

/* A peer also by its host alone: "10.0.0.7", "::1". */
static bool
is_host(const char *peer, const char *host)
{
	const char *colon = strrchr(peer, ':');
	size_t len = strlen(host);

	if (colon == NULL)
		return false;
	if (peer[0] == '[' && colon > peer + 1)
		return (size_t)(colon - peer) == len + 2 &&
		    strncmp(peer + 1, host, len) == 0;
	return (size_t)(colon - peer) == len && strncmp(peer, host, len) == 0;
}

static bool
holds(const struct filter *f, const struct filter_node *n,
    const struct filter_frame *fr)
{
	const char *s, *operand = f->text + n->string;
	bool equal;

	if (n->field == FILTER_VALUE)
		return any_value(n, fr);
	if (n->field < FILTER_TRANSPORT)
		return fr->number[n->field] != -1 &&
		    (n->op == FILTER_HAS ||
			compare(n->op, fr->number[n->field], n->number));
	s = fr->string[n->field];
	if (s == NULL || n->op == FILTER_HAS)
		return s != NULL;
	equal = strcmp(s, operand) == 0 ||
	    (n->field == FILTER_PEER && is_host(s, operand));
	return equal == (n->op == FILTER_EQ);
}

/* Nodes stand behind those that they are made of: one pass settles all. */
bool
filter_passes(const struct filter *f, const struct filter_frame *fr)
{
	bool is[FILTER_NODES];

	for (unsigned i = 0; i < f->n; i++) {
		const struct filter_node *n = &f->node[i];

		if (n->op == FILTER_OR)
			is[i] = is[n->left] || is[n->right];
		else if (n->op == FILTER_AND)
			is[i] = is[n->left] && is[n->right];
		else if (n->op == FILTER_NOT)
			is[i] = !is[n->left];
		else
			is[i] = holds(f, n, fr);
	}
	return f->n == 0 || is[f->n - 1];
}
