/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests a rule of faults.add is for: transport, connection, unit,
 * function codes and addresses, as they were typed. Runs in the control
 * processes.
 */
#include "control/cmd/fault_where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/take.h"
#include "control/view.h"
#include "shm/notice.h"
#include "shm/table.h"

enum { WORD_MAX = 48 };

static bool
take_name(struct cmd_call *call, struct fault_rule *r)
{
	const char *name = cmd_string(call, "transport");

	if (name == NULL)
		return true;
	if (control_transport(call, name) == -1)
		return false;
	snprintf(r->transport, sizeof(r->transport), "%s", name);
	return true;
}

/* Its connection's, which is open. */
static size_t
transport_of(const struct cmd_call *call, const struct fault_rule *r)
{
	int transport =
	    take_transport(call->control, CONN_ID_TRANSPORT(r->connection));

	return transport > 0 ? (size_t)transport : 0;
}

static bool
take_connection(struct cmd_call *call, struct fault_rule *r)
{
	const char *id = cmd_string(call, "connection");
	const struct conf *conf = call->control->proc->conf;

	if (id == NULL)
		return true;
	if (!view_parse_id(call->control, id, &r->connection) ||
	    !view_is_open(call->control, r->connection)) {
		cmd_fail(call, CMD_NOT_FOUND, "no_connection",
		    "connection: no connection \"%.60s\"", id);
		return false;
	}
	r->given |= FAULT_CONNECTION;
	if (r->transport[0] == '\0' ||
	    strcmp(conf->transports[transport_of(call, r)].name,
		r->transport) == 0)
		return true;
	cmd_fail(call, CMD_PARAMS, "bad_value",
	    "connection: \"%.60s\" is none of transport %s", id, r->transport);
	return false;
}

static bool
take_code(struct cmd_call *call, const json_t *json, struct fault_rule *r)
{
	json_int_t fc = json_integer_value(json);

	if (!json_is_integer(json) || fc < 1 || fc > 127)
		return cmd_fail_value(
		    call, "fc", "a function code of 1..127 is wanted");
	r->fc[fc / 64] |= 1ull << fc % 64;
	return true;
}

static bool
take_codes(struct cmd_call *call, struct fault_rule *r)
{
	const json_t *fc = json_object_get(call->params, "fc");
	size_t n = json_array_size(fc);

	if (fc == NULL)
		return true;
	if (!json_is_array(fc))
		return take_code(call, fc, r);
	for (size_t i = 0; i < n; i++)
		if (!take_code(call, json_array_get(fc, i), r))
			return false;
	return n > 0 || cmd_fail_value(call, "fc", "the list is empty");
}

/* Decimal or 0x digits up to `until`, and nothing else. */
static bool
number(const char *s, const char *until, uint32_t *out)
{
	char digits[12];
	size_t len = (size_t)(until - s);
	bool hex = len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');

	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, s, len);
	digits[len] = '\0';
	if (strspn(digits + (hex ? 2 : 0),
		hex ? "0123456789abcdefABCDEF" : "0123456789") !=
	    len - (hex ? 2 : 0))
		return false;
	*out = (uint32_t)strtoul(digits, NULL, hex ? 16 : 10);
	return true;
}

/* What stands behind the table: 100, 100+4 or 100-103. */
static bool
parse_addrs(const char *s, struct fault_rule *r)
{
	const char *end = s + strlen(s), *sep = strpbrk(s, "+-");
	uint32_t n;

	if (!number(s, sep != NULL ? sep : end, &r->first))
		return false;
	r->last = r->first;
	if (sep == NULL)
		return r->first < FAULT_ADDRS;
	if (!number(sep + 1, end, &n) || r->first >= FAULT_ADDRS)
		return false;
	if (*sep == '-')
		r->last = n;
	else if (n == 0 || n > FAULT_ADDRS)
		return false;
	else
		r->last = r->first + n - 1;
	return r->last >= r->first && r->last < FAULT_ADDRS;
}

static bool
parse_range(struct cmd_call *call, const char *s, struct fault_rule *r)
{
	const char *colon = strchr(s, ':'), *words[TABLE_WORDS];
	char name[WORD_MAX];
	int table;

	if (colon != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)(colon - s), s);
		table = table_find(name);
		if (table == -1 || table >= TABLE_PLAIN) {
			cmd_fail(call, CMD_PARAMS, "bad_value",
			    "range: \"%.60s\": no table \"%.40s\"%s", s, name,
			    cmd_near(
				name, words, table_words(words, TABLE_PLAIN)));
			return false;
		}
		r->given |= FAULT_TABLE;
		r->table = (uint32_t)table;
	}
	if (parse_addrs(colon != NULL ? colon + 1 : s, r))
		return true;
	cmd_fail(call, CMD_PARAMS, "bad_value",
	    "range: \"%.60s\": TABLE:ADDR+COUNT is wanted, within 0..65535", s);
	return false;
}

static bool
take_range(struct cmd_call *call, struct fault_rule *r)
{
	const json_t *range = json_object_get(call->params, "range");
	json_int_t first, last;

	if (range == NULL)
		return true;
	r->given |= FAULT_RANGE;
	if (json_is_string(range))
		return parse_range(call, json_string_value(range), r);
	if (json_array_size(range) != 2 ||
	    !json_is_integer(json_array_get(range, 0)) ||
	    !json_is_integer(json_array_get(range, 1)))
		return cmd_fail_value(call, "range",
		    "[FIRST, LAST] or \"TABLE:ADDR+COUNT\" is wanted");
	first = json_integer_value(json_array_get(range, 0));
	last = json_integer_value(json_array_get(range, 1));
	if (first < 0 || last < first || last >= FAULT_ADDRS)
		return cmd_fail_value(call, "range",
		    "[FIRST, LAST] within 0..65535 is wanted, LAST not below "
		    "FIRST");
	r->first = (uint32_t)first;
	r->last = (uint32_t)last;
	return true;
}

static void
take_unit(struct cmd_call *call, struct fault_rule *r)
{
	const json_t *unit = json_object_get(call->params, "unit");

	if (unit == NULL)
		return;
	r->given |= FAULT_UNIT;
	r->unit = (uint32_t)json_integer_value(unit);
}

bool
fault_where(struct cmd_call *call, struct fault_rule *r)
{
	take_unit(call, r);
	return take_name(call, r) && take_connection(call, r) &&
	    take_codes(call, r) && take_range(call, r);
}
