/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the servers of a program log: nowhere, until it says otherwise. Runs
 * in the program's own process.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/api/api_lock.h"
#include "supervisor/api/api_server.h"

/* API_LOCK_LOG */
static int fd = -1;
static enum log_level level = LOG_INFO;
static unsigned changes;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
quiet(void)
{
	log_to(-1, LOG_INFO);
}

void
api_quiet(void)
{
	pthread_once(&once, quiet);
}

int
api_log(enum log_level *at, unsigned *as_of)
{
	int mine;

	api_lock(API_LOCK_LOG);
	mine = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	*at = level;
	*as_of = changes;
	api_unlock(API_LOCK_LOG);
	return mine;
}

void
api_log_tell(struct hf_server *srv)
{
	struct host_msg m = { .kind = HOST_LOG, .level = level };
	int null = -1;

	if (fd < 0)
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	host_send(atomic_load(&srv->chan), &m, fd >= 0 ? fd : null);
	if (null >= 0)
		close(null);
}

void
api_log_again(struct hf_server *srv, unsigned as_of)
{
	api_lock(API_LOCK_LOG);
	if (changes != as_of)
		api_log_tell(srv);
	api_unlock(API_LOCK_LOG);
}

int
hf_log(int to, enum hf_level at)
{
	int mine = -1, former;

	if ((int)at < HF_ERROR || at > HF_DEBUG)
		return api_fail(EINVAL, "there is no level %d", (int)at);
	if (to >= 0 && (mine = fcntl(to, F_DUPFD_CLOEXEC, 3)) < 0)
		return api_fail(
		    0, "cannot log to descriptor %d: %s", to, strerror(errno));
	api_quiet();
	api_lock(API_LOCK_LOG);
	former = fd;
	fd = mine;
	level = (enum log_level)at;
	changes++;
	log_to(fd, level);
	api_servers_each(api_log_tell);
	api_unlock(API_LOCK_LOG);
	if (former >= 0)
		close(former);
	return 0;
}
