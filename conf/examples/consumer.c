/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A consumer of change events: prints who has changed which registers, from
 * what to what, the moment it happens.
 *
 *	cc consumer.c -o consumer $(pkg-config --cflags --libs holdfast)
 *	./consumer STORE [DEVICE]
 *
 * The descriptor of a watch fits into any event loop; here it is poll().
 */
#include <errno.h>
#include <holdfast.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const table[] = { "co", "di", "hr", "ir" };

static void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, hf_error());
	exit(1);
}

static void
changed(void *arg, const struct hf_change *c)
{
	(void)arg;
	for (uint32_t i = 0; i < c->count; i++)
		if (c->was[i] != c->is[i])
			printf("%s/%s:%u was=%u is=%u who=%s\n",
			    hf_device_name(c->device), table[c->table],
			    c->addr + i, c->was[i], c->is[i], c->who);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct hf_store *store;
	struct hf_device *device = NULL;
	struct hf_watch *watch;
	struct pollfd p = { .events = POLLIN };

	if (argc < 2) {
		fprintf(stderr, "usage: consumer STORE [DEVICE]\n");
		return 64;
	}
	store = hf_store_attach(argv[1]);
	if (store == NULL)
		die(argv[1]);
	if (argc > 2) {
		device = hf_store_device(store, argv[2]);
		if (device == NULL)
			die(argv[2]);
	}
	watch = hf_watch_new(store, device); /* NULL: every device */
	if (watch == NULL)
		die("watch");
	printf("watching %s\n", hf_store_name(store));
	fflush(stdout);
	p.fd = hf_watch_fd(watch);
	while (poll(&p, 1, -1) >= 0 || errno == EINTR) {
		if (hf_watch_dispatch(watch, changed, NULL) >= 0)
			continue;
		if (errno != EOVERFLOW)
			break; /* ESTALE: whoever made the store has gone */
		printf("some changes were missed\n");
	}
	fprintf(stderr, "%s\n", hf_error());
	hf_watch_free(watch);
	hf_store_free(store);
	return 0;
}
