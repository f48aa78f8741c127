/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which child knows which secret. Private keys are files that often only the
 * parent's user may read, so a child reads its own before it becomes another
 * one; what is not its own it forgets. The parent itself never reads a key.
 */
#include "supervisor/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shm/plain.h"
#include "supervisor/super.h"

enum { FILE_MAX = 1 << 20 }; /* no key is longer */

int
secret_ticket(uint8_t key[PROC_TICKET_BYTES])
{
	size_t got = 0;
	ssize_t n;

	while (got < PROC_TICKET_BYTES) {
		n = getrandom(key + got, PROC_TICKET_BYTES - got, 0);
		if (n < 0 && errno != EINTR)
			return -1;
		got += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void
add(struct proc *p, const char *path)
{
	struct proc_file *f = &p->files[p->nfiles++];

	f->path = path;
	f->data = plain_read(path, FILE_MAX, &f->len);
	if (f->data == NULL)
		f->err = errno;
}

/* What cannot be read is noted; the worker says so in its own words. */
static int
read_own(struct proc *p)
{
	const struct conf_tls *tls = &p->transport->tls;
	size_t i;

	p->files = calloc(tls->key.n + 1, sizeof(*p->files));
	if (p->files == NULL)
		return -1;
	for (i = 0; i < tls->key.n; i++)
		add(p, tls->key.at[i]);
	if (tls->password_file != NULL)
		add(p, tls->password_file);
	return 0;
}

void
secret_put(struct ipc_msg *m, const struct conf_transport *t,
    const uint8_t key[PROC_TICKET_BYTES])
{
	_Static_assert((int)PROC_TICKET_BYTES < (int)IPC_TEXT, "and a NUL");

	if (t->type != CONF_TLS)
		return;
	m->rc |= IPC_TICKET;
	memcpy(m->text, key, PROC_TICKET_BYTES);
}

void
secret_take(uint8_t key[PROC_TICKET_BYTES], const struct ipc_msg *m)
{
	if ((m->rc & IPC_TICKET) != 0)
		memcpy(key, m->text, PROC_TICKET_BYTES);
}

void
secret_forget(struct super *s)
{
	struct service *const lists[] = { s->services, s->coming, s->leaving,
		s->gone };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (struct service *sv = lists[i]; sv != NULL; sv = sv->next)
			explicit_bzero(sv->ticket, sizeof(sv->ticket));
}

/* Passwords that stand in the configuration are for the workers of their own
 * transport. */
static void
forget_passwords(const struct proc *p, const struct conf *conf)
{
	for (size_t i = 0; conf != NULL && i < conf->ntransports; i++) {
		char *word = conf->transports[i].tls.password;

		if (word != NULL &&
		    (p == NULL || &conf->transports[i] != p->transport))
			explicit_bzero(word, strlen(word));
	}
}

/* In all configurations that there are. */
static void
forget_others(const struct proc *p, const struct super *s)
{
	forget_passwords(p, p->conf);
	if (s == NULL)
		return;
	forget_passwords(p, s->conf);
	forget_passwords(p, s->start);
	forget_passwords(p, s->apply.former);
	forget_passwords(p, s->apply.next);
}

void
secret_retire(const struct conf *conf)
{
	forget_passwords(NULL, conf);
}

int
secret_share(struct proc *p, struct super *s)
{
	bool tls = p->transport != NULL && p->transport->type == CONF_TLS;

	for (struct service *sv = s->services; tls && sv != NULL; sv = sv->next)
		if (sv->conf == p->transport)
			memcpy(p->ticket_key, sv->ticket, PROC_TICKET_BYTES);
	secret_forget(s);
	forget_others(p, s);
	return tls ? read_own(p) : 0;
}

int
secret_try(struct proc *p, const struct super *s)
{
	forget_others(p, s);
	return p->transport->type == CONF_TLS ? read_own(p) : 0;
}

const uint8_t *
proc_file(const struct proc *p, const char *path, size_t *len)
{
	size_t i;

	for (i = 0; i < p->nfiles; i++) {
		if (strcmp(p->files[i].path, path) != 0)
			continue;
		*len = p->files[i].len;
		errno = p->files[i].err;
		return errno == 0 ? p->files[i].data : NULL;
	}
	errno = ENOENT;
	return NULL;
}

void
proc_files_wipe(struct proc *p)
{
	size_t i;

	for (i = 0; i < p->nfiles; i++) {
		if (p->files[i].data != NULL)
			explicit_bzero(p->files[i].data, p->files[i].len);
		free(p->files[i].data);
	}
	free(p->files);
	p->files = NULL;
	p->nfiles = 0;
}
