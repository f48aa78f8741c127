/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the command line shows what it got. Text from the daemon is made
 * harmless to a terminal before it is shown on one.
 */

#include "control/cli/print.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/jtext.h"

enum { TEXTS = 8, TEXT_BYTES = 256 };

static char *
next_text(void)
{
	static char text[TEXTS][TEXT_BYTES];
	static unsigned next;

	return text[next++ % TEXTS];
}

/* ---- words ---- */

const char *
print_text(const json_t *json)
{
	char *text = next_text(), *dump;
	size_t len;

	if (json == NULL || json_is_null(json))
		return "-";
	if (json_is_string(json) && json_string_value(json)[0] != 1) {
		snprintf(text, TEXT_BYTES, "%s", json_string_value(json));
		return text;
	}
	dump = jtext_dump(json, &len);
	snprintf(text, TEXT_BYTES, "%s", dump != NULL ? dump : "?");
	free(dump);
	/* 5.0 is a float to a program; a person reads 5 */
	len = strlen(text);
	if (json_is_real(json) && len > 2 && strcmp(text + len - 2, ".0") == 0)
		text[len - 2] = '\0';
	return text;
}

const char *
print_time(const json_t *unix_s, int digits, char *text, size_t size)
{
	double at = json_number_value(unix_s);
	time_t whole = (time_t)at;
	struct tm tm;
	size_t len;

	localtime_r(&whole, &tm);
	len = strftime(text, size, "%H:%M:%S", &tm);
	snprintf(text + len, size - len, ".%0*d", digits,
	    (int)((at - (double)whole) * (digits == 3 ? 1e3 : 1e6)));
	return text;
}

const char *
print_role(const json_t *role)
{
	const char *text = json_string_value(role);

	return text != NULL && text[0] == '\0' ? "\"\"" : print_text(role);
}

const char *
print_span(double s)
{
	char *text = next_text();
	long whole = (long)s;

	if (s < 60)
		snprintf(text, TEXT_BYTES, "%.1fs", s);
	else if (s < 3600)
		snprintf(text, TEXT_BYTES, "%ldm %lds", whole / 60, whole % 60);
	else if (s < 86400)
		snprintf(text, TEXT_BYTES, "%ldh %ldm", whole / 3600,
		    whole / 60 % 60);
	else
		snprintf(text, TEXT_BYTES, "%ldd %ldh", whole / 86400,
		    whole / 3600 % 24);
	return text;
}

bool
print_is_table(const struct cli *cli)
{
	return cli->output == CLI_TABLE ||
	    (cli->output == CLI_AUTO && cli->terminal);
}

void
print_note(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	if (!print_is_table(cli))
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void
print_alarm(const struct cli *cli, const char *fmt, ...)
{
	FILE *out = print_is_table(cli) ? stdout : stderr;
	va_list ap;

	if (print_is_json(cli))
		return;
	if (out == stderr)
		fputs("holdfast: ", out);
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	putc('\n', out);
}

bool
print_is_json(const struct cli *cli)
{
	return cli->output == CLI_JSON;
}

void
print_json(const json_t *json)
{
	size_t len;
	char *text = jtext_dump(json, &len);

	if (text != NULL)
		puts(text);
	free(text);
}

/* ---- tables ---- */

void
print_init(struct print *p, struct cli *cli, const char *const *columns,
    int ncolumns, int raw_column)
{
	*p = (struct print){
		.cli = cli,
		.columns = columns,
		.ncolumns = ncolumns,
		.raw_column = raw_column,
	};
}

char *
print_harmless(const char *cell)
{
	char *copy = strdup(cell);

	for (char *c = copy; c != NULL && *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return copy;
}

void
print_row(struct print *p, const char *const *cells)
{
	size_t n = (size_t)p->ncolumns;
	char **all = realloc(p->cells, (p->ncells + n) * sizeof(all[0]));

	if (all == NULL)
		return;
	p->cells = all;
	for (size_t i = 0; i < n; i++)
		all[p->ncells++] = print_harmless(cells[i]);
}

/* How many columns of a terminal a text takes: bytes that begin characters. */
static int
width(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* Words that deserve to be seen. */
static const char *
colour_of(const struct cli *cli, const char *cell)
{
	static const struct {
		const char *word, *on;
	} words[] = {
		{ "up", "\033[32m" },
		{ "failed", "\033[1;31m" },
		{ "backoff", "\033[33m" },
		{ "starting", "\033[33m" },
		{ "draining", "\033[33m" },
	};

	for (size_t i = 0; cli->colour && i < sizeof(words) / sizeof(words[0]);
	     i++)
		if (strcmp(words[i].word, cell) == 0)
			return words[i].on;
	return NULL;
}

static void
print_aligned(
    const struct print *p, const char *const *cells, const int *widths)
{
	const char *colour;
	int pad;

	for (int c = 0; c < p->ncolumns; c++) {
		pad = c + 1 < p->ncolumns ? widths[c] - width(cells[c]) + 2 : 0;
		colour = colour_of(p->cli, cells[c]);
		printf("%s%s%s%*s", colour != NULL ? colour : "", cells[c],
		    colour != NULL ? "\033[0m" : "", pad, "");
	}
	putchar('\n');
}

static void
print_csv(const struct print *p, const char *const *cells)
{
	for (int c = 0; c < p->ncolumns; c++) {
		const char *s = cells[c];

		if (c > 0)
			putchar(',');
		if (strpbrk(s, ",\"") == NULL) {
			fputs(s, stdout);
			continue;
		}
		putchar('"');
		for (; *s != '\0'; s++) {
			if (*s == '"')
				putchar('"');
			putchar(*s);
		}
		putchar('"');
	}
	putchar('\n');
}

static void
print_tabs(const struct print *p, const char *const *cells, int only)
{
	for (int c = 0; c < p->ncolumns; c++) {
		if (only == -1 || only == c)
			printf(
			    "%s%s", c > 0 && only == -1 ? "\t" : "", cells[c]);
	}
	putchar('\n');
}

static void
print_cells(const struct print *p, const char *const *cells, const int *widths)
{
	switch (p->cli->output) {
	case CLI_CSV:
		print_csv(p, cells);
		break;
	case CLI_RAW:
		print_tabs(p, cells, p->raw_column);
		break;
	case CLI_TABLE:
		print_aligned(p, cells, widths);
		break;
	default:
		if (p->cli->terminal)
			print_aligned(p, cells, widths);
		else
			print_tabs(p, cells, -1);
		break;
	}
}

static void
print_rows(struct print *p, bool header)
{
	int widths[PRINT_COLUMNS_MAX], w;

	for (int c = 0; c < p->ncolumns; c++)
		widths[c] = header ? width(p->columns[c]) : 0;
	for (size_t i = 0; i < p->ncells; i++) {
		w = width(p->cells[i]);
		if (w > widths[i % (size_t)p->ncolumns])
			widths[i % (size_t)p->ncolumns] = w;
	}
	if (header)
		print_cells(p, p->columns, widths);
	for (size_t i = 0; i < p->ncells; i += (size_t)p->ncolumns)
		print_cells(p, (const char *const *)(p->cells + i), widths);
	for (size_t i = 0; i < p->ncells; i++)
		free(p->cells[i]);
	free(p->cells);
	p->cells = NULL;
	p->ncells = 0;
}

void
print_flush(struct print *p)
{
	print_rows(p, print_is_table(p->cli) || p->cli->output == CLI_CSV);
}

void
print_bare(struct print *p)
{
	print_rows(p, false);
}
