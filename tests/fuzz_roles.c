/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a file of roles, and behind a NUL any request to those roles.
 * What is refused is refused with lines that say where; what is allowed lies
 * address by address within rules.
 *
 * Needs: supervisor/conf/[a-z]*.c supervisor/near.c supervisor/mem.c supervisor/part*.c shm/[a-z]*.c workers/rights.c -DHOLDFAST_VERSION=__FILE__ -DHOLDFAST_PREFIX=__FILE__ -ljansson -lm -ldl
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workers/rights.h"

#define MAIN                                                                 \
	"{\"devices\":{\"plc1\":{},\"plc2\":{}},\"transports\":{\"t\":{"     \
	"\"type\":\"tls\",\"listen\":\"127.0.0.1:0\",\"cert\":\"/dev/null\"" \
	",\"key\":\"/dev/null\",\"ca\":\"/dev/null\",\"units\":{\"1\":"      \
	"\"plc1\"},\"roles\":\"/proc/self/fd/%d\"}}}"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

static int
put(const void *text, size_t len)
{
	int fd = memfd_create("roles", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, text, len) == (ssize_t)len, "no memory");
	return fd;
}

/* Each line must be a mistake in the file of roles. */
static void
check_lines(const char *told, const char *path)
{
	size_t prefix = strlen(path);

	must(*told != '\0', "refused in silence");
	for (const char *line = told, *end; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		must(end != NULL, "half a line");
		must(strstr(line, "mistakes more\n") != NULL ||
			(strncmp(line, path, prefix) == 0 &&
			    line[prefix] == ':'),
		    "a line that does not name the file");
		for (const char *p = line; p < end; p++)
			must((unsigned char)*p >= ' ', "no printable line");
	}
}

static struct conf *
load(const uint8_t *text, size_t len)
{
	char main[500], name[40], path[40], *told = NULL;
	int roles = put(text, len), fd;
	struct conf *conf;
	size_t size = 0;
	FILE *err = open_memstream(&told, &size);

	must(err != NULL, "no memory");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", roles);
	snprintf(main, sizeof(main), MAIN, roles);
	fd = put(main, strlen(main));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	conf = conf_load(name, err);
	fclose(err);
	close(fd);
	close(roles);
	if (conf == NULL)
		check_lines(told, path);
	else
		must(*told == '\0', "taken with mistakes");
	free(told);
	return conf;
}

/* Whether some rule is for the function code and one address of a table. */
static int
covered(const struct conf_role *role, int device, unsigned fc,
    enum store_table table, uint32_t addr)
{
	for (size_t i = 0; i < role->nrules; i++) {
		const struct conf_rule *r = &role->rules[i];

		if ((r->devices == NULL || r->devices[device]) &&
		    (r->every_fc || r->fcs[fc / 64] >> fc % 64 & 1) &&
		    r->tables >> table & 1 && addr >= r->first &&
		    addr <= r->last)
			return 1;
	}
	return 0;
}

/* What was allowed of the plainer requests. */
static void
check_allowed(
    const struct conf_role *role, int device, const uint8_t *p, size_t len)
{
	static const enum store_table table[] = { [1] = STORE_CO,
		[2] = STORE_DI,
		[3] = STORE_HR,
		[4] = STORE_IR,
		[5] = STORE_CO,
		[6] = STORE_HR,
		[15] = STORE_CO,
		[16] = STORE_HR,
		[22] = STORE_HR };
	unsigned fc = p[0];
	uint32_t addr, n = 1;

	if (len < 5 || fc == 0 ||
	    !(fc <= 6 || fc == 15 || fc == 16 || fc == 22))
		return;
	addr = (uint32_t)p[1] << 8 | p[2];
	if (fc != 5 && fc != 6 && fc != 22)
		n = (uint32_t)p[3] << 8 | p[4];
	for (uint32_t i = 0; i < n && addr + i <= CONF_ADDR_MAX; i++)
		must(covered(role, device, fc, table[fc], addr + i),
		    "an address that no rule has");
}

static void
check_role(const struct conf_role *role, const uint8_t *pdu, size_t len)
{
	uint8_t *block = malloc(len); /* its end is seen by ASan */

	must(block != NULL, "no memory");
	memcpy(block, pdu, len);
	must(rights_allow(role, CONF_NO_DEVICE, block, len) ==
		(role->nrules > 0),
	    "a unit that is nobody's");
	for (int device = 0; device < 2; device++)
		if (rights_allow(role, device, block, len)) {
			must(role->nrules > 0, "allowed by no rule");
			check_allowed(role, device, block, len);
		}
	free(block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *end = memchr(data, 0, len);
	size_t ntext = end != NULL ? (size_t)(end - data) : len;
	size_t npdu = end != NULL ? len - ntext - 1 : 0;
	struct conf *conf = load(data, ntext);
	const struct conf_roles *roles;

	if (conf == NULL)
		return 0;
	roles = &conf->transports[0].tls.roles;
	must(roles->n > 0, "roles of nobody");
	for (size_t i = 0; npdu > 0 && i < roles->n; i++)
		check_role(&roles->at[i], end + 1, npdu);
	conf_free(conf);
	return 0;
}
