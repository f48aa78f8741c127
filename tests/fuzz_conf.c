/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a configuration. What is refused is refused with lines that say
 * where; what is taken is printed as a configuration that is taken again and
 * printed the same.
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

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

/* What conf_load() makes of text, and what it prints. */
static struct conf *
load(const char *text, size_t len, char **told)
{
	size_t size = 0, prefix;
	FILE *err = open_memstream(told, &size);
	int fd = memfd_create("conf", MFD_CLOEXEC);
	char path[40];
	struct conf *conf;

	must(err != NULL && fd >= 0, "no memory");
	must(write(fd, text, len) == (ssize_t)len, "no memory");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	conf = conf_load(path, err);
	fclose(err);
	close(fd);
	prefix = strlen(path);
	must((conf == NULL) == (size > 0), "refused in silence");
	for (char *line = *told; *line != '\0';) {
		char *end = strchr(line, '\n');

		must(end != NULL, "half a line");
		must(strncmp(line, path, prefix) == 0 && line[prefix] == ':',
		    "a line that does not name the file");
		for (; line < end; line++)
			must((unsigned char)*line >= ' ', "no printable line");
		line = end + 1;
	}
	return conf;
}

static char *
dump(const struct conf *conf)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	must(f != NULL, "no memory");
	conf_dump(conf, f);
	fclose(f);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conf *conf, *again;
	char *told = NULL, *once, *twice;

	/* other files are not for a fuzzer to open */
	if (memmem(data, len, "clude", 5) != NULL ||
	    memmem(data, len, "map", 3) != NULL ||
	    memmem(data, len, "\\u007", 5) != NULL ||
	    memmem(data, len, "\\u006", 5) != NULL)
		return 0;
	conf = load((const char *)data, len, &told);
	free(told);
	if (conf == NULL)
		return 0;
	once = dump(conf);
	conf_free(conf);
	again = load(once, strlen(once), &told);
	must(again != NULL, told);
	free(told);
	twice = dump(again);
	must(strcmp(once, twice) == 0, "two dumps differ");
	conf_free(again);
	free(once);
	free(twice);
	return 0;
}
