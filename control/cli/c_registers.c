/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast get and set.
 */

#include "control/cli/c_registers.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/declared.h"
#include "control/cli/named.h"
#include "control/cli/print.h"
#include "control/cli/watched.h"
#include "control/jtext.h"
#include "shm/table.h"

json_t *
registers_params(const struct address *a)
{
	json_t *params = json_pack(
	    "{s:s, s:i}", "table", table_name(a->table), "addr", (int)a->addr);

	if (a->device[0] != '\0')
		json_object_set_new(params, "device", json_string(a->device));
	if (a->type[0] != '\0')
		json_object_set_new(params, "type", json_string(a->type));
	if (a->order[0] != '\0')
		json_object_set_new(params, "order", json_string(a->order));
	return params;
}

void
registers_name(const struct address *a, uint32_t addr, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s:%u", a->device,
	    a->device[0] != '\0' ? "/" : "", table_short(a->table), addr);
}

/* ---- get ---- */

enum { GET_BARE = 2, GET_LABELS = 4, GET_COLUMNS = 5 };

struct wanted {
	struct address address;
	struct declared_label label;
};

/* Addresses between two values: those of "declared" show only by number. */
static unsigned
step_of(const struct address *a, size_t nvalues)
{
	unsigned step = address_step(a);

	if (strcmp(a->type, "bits") == 0 && a->table != STORE_CO &&
	    a->table != STORE_DI)
		return 0;
	return nvalues == 1 ? 0 : step;
}

static void
add_values(struct print *p, const struct wanted *w, const json_t *result)
{
	const struct address *a = &w->address;
	const json_t *values = json_object_get(result, "values");
	unsigned step = step_of(a, json_array_size(values));
	const char *cells[GET_COLUMNS] = {
		[2] = w->label.name, [3] = w->label.unit, [4] = w->label.action
	};
	char name[SHM_NAME_MAX + 32], dotted[SHM_NAME_MAX + 64], scaled[40];
	json_t *value;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)values, i, value) {
		registers_name(
		    a, a->addr + (uint32_t)i * step, name, sizeof(name));
		snprintf(dotted, sizeof(dotted), "%s.%zu", name, i);
		cells[0] =
		    step == 0 && json_array_size(values) > 1 ? dotted : name;
		cells[1] = print_text(value);
		if (w->label.is_scaled && w->label.scale != 0 &&
		    json_is_number(value)) {
			registers_scale(
			    json_number_value(value) * w->label.scale, scaled);
			cells[1] = scaled;
		}
		print_row(p, cells);
	}
}

void
registers_scale(double value, char text[REGISTERS_SCALED])
{
	/* of 21.500000000000004 nobody means the end */
	snprintf(text, REGISTERS_SCALED, "%.12g", value);
}

/* One word: an address, or a name of one. */
static int
resolve_word(struct cli *cli, struct declared *declared, struct wanted *w,
    const char *word)
{
	int code;

	w->label.is_scaled = cli_option(cli, "scaled", 0) != NULL;
	if (named_is(word))
		return named_resolve(cli, word, &w->address, &w->label);
	code = declared_resolve(declared, cli, &w->address, &w->label);
	if (code == CLI_OK && w->label.is_scaled)
		code = declared_scale(declared, cli, &w->address, &w->label);
	return code;
}

/* What is asked for: the words, and what the configuration makes of them. */
static int
resolve_wanted(struct cli *cli, struct wanted *w, int n, char **argv)
{
	struct declared declared = { 0 };
	char why[ADDRESS_WHY_MAX];
	int code = CLI_OK;

	/* all are looked at before any is asked for */
	for (int i = 0; i < n && code == CLI_OK; i++)
		if (!named_is(argv[i]) &&
		    address_parse(argv[i], &w[i].address, why) == -1)
			code = cli_fail(CLI_USAGE, "%s", why);
	for (int i = 0; i < n && code == CLI_OK; i++)
		code = resolve_word(cli, &declared, &w[i], argv[i]);
	declared_fini(&declared);
	return code;
}

/* How many columns there are: those of names, units and actions if there are
 * any to show, and somebody to read them. Programs get what they ask for,
 * whatever is declared. */
static int
shown_columns(const struct cli *cli, const struct wanted *w, int n)
{
	bool labels = cli_option(cli, "labels", 0) != NULL;
	int columns = labels ? GET_LABELS : GET_BARE;

	if (!print_is_table(cli))
		return columns;
	for (int i = 0; i < n; i++) {
		const struct declared_label *l = &w[i].label;

		if (l->action[0] != '\0')
			return GET_COLUMNS;
		if (l->name[0] != '\0' || l->unit[0] != '\0')
			columns = GET_LABELS;
	}
	return columns;
}

int
registers_scalable(const struct cli *cli)
{
	if (print_is_json(cli) && cli_option(cli, "scaled", 0) != NULL)
		return cli_fail(CLI_USAGE,
		    "-o json is what the daemon answers, which scales nothing; "
		    "--scaled goes with the other formats");
	return CLI_OK;
}

int
cli_get(struct cli *cli, int argc, char **argv)
{
	static const char *const columns[GET_COLUMNS] = { "ADDRESS", "VALUE",
		"NAME", "UNIT", "ACTION" };
	struct wanted *w = calloc((size_t)argc, sizeof(*w));
	struct print p;
	json_t *params, *result;
	int code;

	if (w == NULL)
		return cli_fail(CLI_INTERNAL, "out of memory");
	code = registers_scalable(cli);
	if (code == CLI_OK && print_is_json(cli) &&
	    cli_option(cli, "labels", 0) != NULL)
		code = cli_fail(CLI_USAGE,
		    "-o json is what the daemon answers, which has no labels; "
		    "--labels goes with the other formats");
	if (code == CLI_OK)
		code = resolve_wanted(cli, w, argc, argv);
	print_init(&p, cli, columns, shown_columns(cli, w, argc), 1);
	for (int i = 0; i < argc && code == CLI_OK; i++) {
		params = registers_params(&w[i].address);
		json_object_set_new(params, "count",
		    json_integer((json_int_t)w[i].address.count));
		code = client_call(
		    cli, "registers.read", params, CLIENT_CALL_MS, &result);
		if (code != CLI_OK)
			break;
		if (print_is_json(cli))
			print_json(result);
		else
			add_values(&p, &w[i], result);
		json_decref(result);
	}
	if (code == CLI_OK && !print_is_json(cli))
		print_flush(&p);
	free(w);
	return code;
}

/* ---- set ---- */

/* A typed word as the value that the type calls for; NULL if it is none. */
static json_t *
parse_value(const struct address *a, const char *word)
{
	static const struct {
		const char *word;
		int bit;
	} bits[] = { { "on", 1 }, { "off", 0 }, { "true", 1 }, { "false", 0 } };
	bool is_bits = a->table == STORE_CO || a->table == STORE_DI ||
	    strcmp(a->type, "bits") == 0;
	char why[JTEXT_WHY_MAX], *end;
	unsigned long long hex;
	double number;
	json_t *json;

	for (size_t i = 0; is_bits && i < sizeof(bits) / sizeof(bits[0]); i++)
		if (strcmp(bits[i].word, word) == 0)
			return json_integer(bits[i].bit);
	if (strcmp(a->type, "string") == 0)
		return json_string(word);
	if (strncmp(word, "0x", 2) == 0 && word[2] != '\0' && word[2] != '-') {
		errno = 0;
		hex = strtoull(word + 2, &end, 16);
		return *end == '\0' && errno == 0 ? jtext_uint(hex) : NULL;
	}
	if (strcmp(word, "nan") == 0 || strcmp(word, "inf") == 0 ||
	    strcmp(word, "-inf") == 0)
		return json_string(word);
	json = jtext_load(word, strlen(word), why);
	if (json_is_number(json) || (json_is_string(json) && word[0] != '"'))
		return json;
	json_decref(json);
	/* .5 and +5 are no JSON */
	if (strspn(word, "+-.0123456789eE") == strlen(word)) {
		number = strtod(word, &end);
		if (*end == '\0' && end != word && isfinite(number))
			return json_real(number);
	}
	return NULL;
}

/* What the range declares, in place of "declared" or of nothing. An exit
 * code. */
static int
name_declared(struct cli *cli, struct address *a)
{
	struct declared declared = { 0 };
	struct watched w;
	int code = declared_resolve(&declared, cli, a, NULL);

	declared_fini(&declared);
	if (code != CLI_OK || strcmp(a->type, "declared") != 0)
		return code;
	w = (struct watched){ .address = *a };
	code = watched_resolve(&w, cli);
	if (code == CLI_OK) {
		snprintf(
		    a->type, sizeof(a->type), "%s", typed_type_name(w.type));
		snprintf(a->order, sizeof(a->order), "%s",
		    typed_order_name(w.order));
	}
	watched_fini(&w);
	return code;
}

/* What a value in the unit is as it is stored; takes it over. */
static json_t *
unscale(const struct address *a, json_t *value, double scale)
{
	double number = json_number_value(value) / scale;
	bool real = strncmp(a->type, "float", 5) == 0;

	if (scale == 0 || !json_is_number(value))
		return value;
	json_decref(value);
	if (real)
		return jtext_float64(number);
	if (number >= 0 && number < 0x1p64)
		return jtext_uint((uint64_t)(number + 0.5));
	return number >= -0x1p63 && number < 0
	    ? json_integer((json_int_t)(number - 0.5))
	    : json_real(number);
}

/* The words behind the address as values; NULL after saying what is none. */
static json_t *
parse_values(const struct address *a, double scale, int argc, char **argv)
{
	json_t *values = json_array(), *value;

	for (int i = 1; i < argc; i++) {
		value = parse_value(a, argv[i]);
		if (value == NULL) {
			json_decref(values);
			cli_fail(CLI_USAGE, "\"%s\" is no value for %s",
			    argv[i], argv[0]);
			return NULL;
		}
		json_array_append_new(values, unscale(a, value, scale));
	}
	return values;
}

/* Where to: the address, or the name, and with --scaled by how much. */
static int
resolve_target(
    struct cli *cli, const char *word, struct address *a, double *scale)
{
	struct declared_label label = { .is_scaled = true };
	struct declared declared = { 0 };
	char why[ADDRESS_WHY_MAX];
	int code;

	if (named_is(word)) {
		code = named_resolve(cli, word, a, &label);
	} else {
		if (address_parse(word, a, why) == -1)
			return cli_fail(CLI_USAGE, "%s", why);
		code = name_declared(cli, a);
		if (code == CLI_OK && cli_option(cli, "scaled", 0) != NULL)
			code = declared_scale(&declared, cli, a, &label);
		declared_fini(&declared);
	}
	*scale = cli_option(cli, "scaled", 0) != NULL ? label.scale : 0;
	return code;
}

int
cli_set(struct cli *cli, int argc, char **argv)
{
	json_t *values, *params, *result;
	struct address a;
	double scale = 0;
	int code = resolve_target(cli, argv[0], &a, &scale);

	if (code != CLI_OK)
		return code;
	values = parse_values(&a, scale, argc, argv);
	if (values == NULL)
		return CLI_USAGE;
	params = registers_params(&a);
	json_object_set_new(params, "values", values);
	if (a.has_count)
		json_object_set_new(
		    params, "count", json_integer((json_int_t)a.count));
	code = client_call(
	    cli, "registers.write", params, CLIENT_CALL_MS, &result);
	if (code != CLI_OK)
		return code;
	if (print_is_json(cli))
		print_json(result);
	else
		print_note(cli, "written, commit %s",
		    print_text(json_object_get(result, "seq")));
	json_decref(result);
	return CLI_OK;
}
