/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that says that everything serves, and where. Written and removed
 * by the supervisor alone.
 */
#include "supervisor/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/aide.h"
#include "supervisor/guard.h"
#include "supervisor/inherit.h"
#include "supervisor/sdnotify.h"
#include "supervisor/super.h"

/* At once: who reads it sees the former text or the new one, never a part.
 * 0, or -1 with errno. */
static int
put(const char *run_dir, const char *text)
{
	char path[PATH_MAX], tmp[PATH_MAX];
	size_t len = strlen(text);
	ssize_t n;
	int fd, err;

	snprintf(path, sizeof(path), "%s/ready", run_dir);
	snprintf(tmp, sizeof(tmp), "%s/ready.new", run_dir);
	fd = open(
	    tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -1;
	n = write(fd, text, len);
	err = n < 0 ? errno : EIO; /* a short write sets none */
	close(fd);
	if (n != (ssize_t)len) {
		unlink(tmp);
		errno = err;
		return -1;
	}
	return rename(tmp, path);
}

/* What failed before the daemon was ever ready keeps it from becoming so; what
 * failed later should not serve any more, until somebody orders it to. */
static bool
should_serve(const struct super *s, const struct service *sv)
{
	return sv->wanted && (sv->state != SHM_FAILED || s->ready_text == NULL);
}

/* All that should serve does, and every aide has had its first chance. */
static bool
complete(const struct super *s)
{
	for (const struct service *sv = s->services; sv != NULL; sv = sv->next)
		if (should_serve(s, sv) && !service_all(sv, LIFE_UP))
			return false;
	return !aides_starting(s);
}

static char *
text_of(const struct super *s)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	for (const struct service *sv = s->services; sv != NULL; sv = sv->next)
		if (should_serve(s, sv))
			fprintf(f, "%s %s %s\n", sv->conf->name,
			    sv->conf->type_name, service_where(sv));
	fclose(f);
	return text;
}

/* Keepers of a former supervisor have brought what they have by now. */
static void
settle_sockets(struct super *s)
{
	for (struct service *sv = s->services; sv != NULL; sv = sv->next)
		inherit_lent(sv->listen_fd);
	inherit_close_rest();
}

/* The address of the page stands where others may write. */
static void
tell_roles(const struct super *s, const char *text)
{
	char page[sizeof(s->control->http)];

	snprintf(page, sizeof(page), "%.*s", (int)sizeof(page) - 1,
	    s->control->http);
	s->roles->ready(s->roles->arg, text, page);
}

void
ready_tell(struct super *s)
{
	char *text;

	if (s->run_dir == NULL || s->phase != SUPER_SERVES || s->code != 0 ||
	    !complete(s))
		return;
	text = text_of(s);
	if (text == NULL ||
	    (s->ready_text != NULL && strcmp(text, s->ready_text) == 0)) {
		free(text);
		return;
	}
	if (put(s->run_dir, text) < 0)
		log_warn("cannot write %s/ready", s->run_dir);
	if (s->ready_text == NULL) {
		log_info("ready");
		settle_sockets(s);
		guard_ready();
		sdnotify("READY=1\nSTATUS=serving");
		if (s->roles->ready != NULL)
			tell_roles(s, text);
	}
	free(s->ready_text);
	s->ready_text = text;
}

void
ready_remove(const char *run_dir)
{
	char path[PATH_MAX];

	if (run_dir == NULL)
		return;
	snprintf(path, sizeof(path), "%s/ready", run_dir);
	unlink(path);
}
