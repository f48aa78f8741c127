/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address syntax of the command line. Knows what words there are, not
 * what the daemon has: that is the daemon's to say.
 */

#include "control/cli/address.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/table.h"
#include "supervisor/near.h"

enum { ADDRESSES = 65536, WORDS_MAX = 16, TEXT_MAX = 256 };

static int fail(char *why, const char *text, const char *fmt, ...)
    __attribute__((__format__(printf, 3, 4)));

static int
fail(char *why, const char *text, const char *fmt, ...)
{
	va_list ap;
	int len = snprintf(why, ADDRESS_WHY_MAX, "%.60s: ", text);

	va_start(ap, fmt);
	vsnprintf(why + len, ADDRESS_WHY_MAX - (size_t)len, fmt, ap);
	va_end(ap);
	return -1;
}

static int
fail_word(char *why, const char *text, const char *what, const char *typed,
    const char *const *words, size_t n)
{
	const char *near = near_name(typed, words, n);

	if (near != NULL)
		return fail(why, text,
		    "unknown %s \"%.30s\"; did you mean "
		    "\"%s\"?",
		    what, typed, near);
	return fail(why, text, "unknown %s \"%.30s\"", what, typed);
}

static int
find_table(
    const char *text, const char *typed, enum store_table *table, char *why)
{
	const char *words[TABLE_WORDS];
	int found = table_find(typed);

	if (found == -1 || found >= TABLE_PLAIN)
		return fail_word(why, text, "table", typed, words,
		    table_words(words, TABLE_PLAIN));
	*table = (enum store_table)found;
	return 0;
}

/* A number of decimal or 0x digits and nothing else, at most max. */
static bool
parse_number(const char *s, uint32_t max, uint32_t *out)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	const char *digits = hex ? s + 2 : s;
	unsigned long n;
	char *end;

	if (strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") !=
		strlen(digits) ||
	    digits[0] == '\0' || strlen(digits) > 10)
		return false;
	n = strtoul(digits, &end, hex ? 16 : 10);
	if (n > max)
		return false;
	*out = (uint32_t)n;
	return true;
}

static int
parse_where(const char *text, char *where, struct address *a, char *why)
{
	char *plus = strchr(where, '+');

	if (plus != NULL) {
		*plus = '\0';
		a->has_count = true;
		if (!parse_number(plus + 1, ADDRESSES * 16, &a->count) ||
		    a->count == 0)
			return fail(why, text,
			    "the count after + must be a number from 1");
	}
	if (!parse_number(where, ADDRESSES - 1, &a->addr))
		return fail(
		    why, text, "the address must be a number of 0..65535");
	return 0;
}

static int
parse_type(const char *text, const char *type, const char *order,
    struct address *a, char *why)
{
	const char *words[WORDS_MAX];
	size_t n = 0;

	for (int i = 0; i < TYPED_TYPES; i++)
		words[n++] = typed_type_name((enum typed_type)i);
	words[n++] = "declared";
	if (typed_type_find(type) == -1 && strcmp(type, "declared") != 0)
		return fail_word(why, text, "type", type, words, n);
	snprintf(a->type, sizeof(a->type), "%s", type);
	if (order == NULL)
		return 0;
	for (n = 0; n < TYPED_ORDERS; n++)
		words[n] = typed_order_name((enum typed_order)n);
	if (typed_order_find(order) == -1)
		return fail_word(why, text, "order", order, words, n);
	snprintf(a->order, sizeof(a->order), "%s", order);
	return 0;
}

/* Cuts the next field off at a colon; NULL when there is no more. */
static char *
next_field(char **rest)
{
	char *field = *rest;

	if (field == NULL)
		return NULL;
	*rest = strchr(field, ':');
	if (*rest != NULL)
		*(*rest)++ = '\0';
	return field;
}

/* Copies the text, and cuts device/ off; the rest, or NULL with a sentence. */
static char *
take_device(const char *text, struct address *a, char copy[TEXT_MAX], char *why)
{
	char *slash;

	if (strlen(text) >= TEXT_MAX) {
		fail(why, text, "too long");
		return NULL;
	}
	snprintf(copy, TEXT_MAX, "%s", text);
	slash = strchr(copy, '/');
	if (slash == NULL)
		return copy;
	*slash = '\0';
	if (copy[0] == '\0' || strlen(copy) >= sizeof(a->device)) {
		fail(why, text, "no device before /");
		return NULL;
	}
	memcpy(a->device, copy, strlen(copy) + 1);
	return slash + 1;
}

bool
address_is_table(const char *text)
{
	return strchr(text, ':') == NULL;
}

int
address_parse_table(
    const char *text, struct address *a, char why[ADDRESS_WHY_MAX])
{
	char copy[TEXT_MAX], *table;

	*a = (struct address){ 0 };
	table = take_device(text, a, copy, why);
	return table != NULL ? find_table(text, table, &a->table, why) : -1;
}

int
address_parse(const char *text, struct address *a, char why[ADDRESS_WHY_MAX])
{
	char copy[TEXT_MAX], *rest, *table, *where, *type, *order;

	*a = (struct address){ .count = 1 };
	rest = take_device(text, a, copy, why);
	if (rest == NULL)
		return -1;
	table = next_field(&rest);
	where = next_field(&rest);
	type = next_field(&rest);
	order = next_field(&rest);
	if (where == NULL)
		return fail(why, text,
		    "an address is [device/]table:addr[+count][:type[:order]]");
	if (rest != NULL)
		return fail(
		    why, text, "\":%.30s\" is one field too many", rest);
	if (find_table(text, table, &a->table, why) == -1 ||
	    parse_where(text, where, a, why) == -1)
		return -1;
	if (type != NULL)
		return parse_type(text, type, order, a, why);
	return 0;
}

unsigned
address_step(const struct address *a)
{
	if (a->type[0] == '\0' || a->table == STORE_CO || a->table == STORE_DI)
		return 1;
	if (strcmp(a->type, "declared") == 0)
		return 0;
	return typed_regs((enum typed_type)typed_type_find(a->type));
}
