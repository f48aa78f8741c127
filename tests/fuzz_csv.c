/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as CSV, and as a map. Each field is text without a NUL within the
 * buffer, places never go back, and what is refused as a map is refused with
 * lines that say where.
 *
 * Needs: supervisor/conf/[a-z]*.c supervisor/near.c supervisor/mem.c supervisor/part*.c shm/[a-z]*.c -DHOLDFAST_VERSION=__FILE__ -DHOLDFAST_PREFIX=__FILE__ -ljansson -lm -ldl
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor/conf.h"
#include "supervisor/conf/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

static void
read_fields(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct csv_field f[CSV_FIELDS_MAX];
	uint32_t line = 1, col = 0;
	struct csv c;
	int n;

	must(text != NULL, "no memory");
	memcpy(text, data, len);
	text[len] = '\0';
	csv_init(&c, text, len);
	while ((n = csv_next(&c, f)) > 0) {
		must(n <= CSV_FIELDS_MAX, "too many fields");
		for (int i = 0; i < n; i++) {
			must(f[i].text >= text &&
				f[i].text + strlen(f[i].text) <= text + len,
			    "a field outside the text");
			must(f[i].line > line ||
				(f[i].line == line && f[i].col > col),
			    "a place before the last one");
			line = f[i].line;
			col = f[i].col;
		}
	}
	must(n == 0 || (c.why != NULL && c.why_line >= 1 && c.why_col >= 1),
	    "a mistake without its place");
	free(text);
}

static void
read_map(const uint8_t *data, size_t len)
{
	char *told = NULL, path[40];
	size_t size = 0, prefix;
	FILE *err = open_memstream(&told, &size);
	int fd = memfd_create("map", MFD_CLOEXEC);
	struct conf *conf;

	must(err != NULL && fd >= 0, "no memory");
	must(write(fd, data, len) == (ssize_t)len, "no memory");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	conf = conf_load_map(path, err);
	fclose(err);
	close(fd);
	prefix = strlen(path);
	must((conf == NULL) == (size > 0), "refused in silence");
	for (char *line = told; *line != '\0';) {
		char *end = strchr(line, '\n');

		must(end != NULL, "half a line");
		must(strncmp(line, path, prefix) == 0 && line[prefix] == ':',
		    "a line that does not name the file");
		for (; line < end; line++)
			must((unsigned char)*line >= ' ', "no printable line");
		line = end + 1;
	}
	if (conf != NULL)
		conf_free(conf);
	free(told);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	read_fields(data, len);
	read_map(data, len);
	return 0;
}
