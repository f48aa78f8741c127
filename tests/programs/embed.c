/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with servers, driven by lines on standard input; each is answered
 * by one on standard output: what the call returned and, after -1, the name of
 * errno and the words. Servers have numbers, in the order of new and start.
 * sys_embed.py drives it.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <holdfast.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERVERS = 32, WORDS = 64 };

static struct hf_store *store;
static struct hf_device *devices[2];
static struct hf_server *servers[SERVERS];
static int nservers;
static volatile sig_atomic_t children;
static int stop_pipe[2] = { -1, -1 };

/* ---- hooks ---- */

static int seen; /* requests, by the worker */

/* Function code 100 answers with what the program had in memory when it was
 * copied, and how many requests have been traced since. */
static enum hf_exception
answer_100(void *arg, struct hf_call *c)
{
	uint16_t value = 0;

	c->reply[c->reply_len++] = (uint8_t) * (int *)arg;
	c->reply[c->reply_len++] = (uint8_t)seen;
	/* the program's store, which the copy may read and not write */
	if (devices[0] != NULL) {
		hf_get_values(devices[0], 3, 50, 1, &value);
		c->reply[c->reply_len++] = (uint8_t)value;
		c->reply[c->reply_len++] =
		    hf_set_values(devices[0], 3, 50, 1, &value) == -1 &&
		    errno == EROFS;
	}
	return HF_EX_NONE;
}

static enum hf_exception
double_it(void *arg, struct hf_cell *c)
{
	(void)arg;
	c->values[0] = (uint16_t)(c->values[0] * 2 + 1);
	return HF_EX_NONE;
}

/* Suppresses what goes to unit 66, and makes more of what goes to unit 68 than
 * there is room for. At unit 69 it crashes. */
static size_t
trace_pdu(
    void *arg, const struct hf_traced *t, uint8_t *pdu, size_t len, size_t room)
{
	(void)arg;
	(void)pdu;
	seen += !t->sending;
	if (t->unit == 68)
		return room + 1;
	if (t->unit == 69)
		abort();
	return t->unit == 66 ? 0 : len;
}

static int
mine_listen(struct hf_listener *l)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(l->host->listen)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)) == -1 ||
	    listen(l->fd, 8) == -1)
		return -1;
	return 0;
}

static int
mine_accept(struct hf_listener *l, struct hf_peer *p)
{
	strcpy(p->text, "somebody");
	return accept(l->fd, NULL, NULL);
}

static enum hf_io
done(ssize_t got, size_t *n, enum hf_io again)
{
	if (got < 0)
		return errno == EAGAIN ? again : HF_IO_FAIL;
	*n = (size_t)got;
	return got == 0 ? HF_IO_EOF : HF_IO_DONE;
}

static enum hf_io
mine_recv(struct hf_conn *c, uint8_t *buf, size_t room, size_t *n)
{
	return done(recv(c->fd, buf, room, 0), n, HF_IO_WANT_READ);
}

static enum hf_io
mine_send(struct hf_conn *c, const uint8_t *buf, size_t len, size_t *n)
{
	return done(send(c->fd, buf, len, MSG_NOSIGNAL), n, HF_IO_WANT_WRITE);
}

static int number = 1;
static struct hf_hooks hooks;

/* Lists in memory that the program has not got at its beginning. */
static const struct hf_hooks *
make_hooks(char *late)
{
	static struct lists {
		struct hf_function f;
		struct hf_action a;
		struct hf_transport t;
		const struct hf_function *fs[2];
		const struct hf_action *as[2];
		const struct hf_transport *ts[2];
	} * l;

	if (l == NULL)
		l = calloc(1, sizeof(*l));
	l->fs[0] = &l->f;
	l->as[0] = &l->a;
	l->ts[0] = &l->t;
	l->f = (struct hf_function){ .size = sizeof(l->f),
		.name = "answer",
		.fc = 100,
		.run = answer_100 };
	l->a = (struct hf_action){
		.size = sizeof(l->a), .name = "double", .run = double_it
	};
	l->t = (struct hf_transport){ .size = sizeof(l->t),
		.name = "mine",
		.listen = mine_listen,
		.accept = mine_accept,
		.recv = mine_recv,
		.send = mine_send };
	hooks = (struct hf_hooks){ .size = sizeof(hooks),
		.arg = &number,
		.trace_pdu = trace_pdu,
		.functions = l->fs,
		.actions = l->as,
		.transports = l->ts };
	if (late[0] == '/')
		*(void **)&hooks.trace_pdu =
		    dlsym(dlopen(late, RTLD_NOW), "late_trace_pdu");
	return &hooks;
}

/* ---- options: "type=tcp address=127.0.0.1:0 unit=1:plc1" ---- */

static struct hf_server_opts opts;
static struct hf_unit units[8];
static struct hf_identity identity;

static const char *const types[] = { "tcp", "tls", "udp", "serial", "plugin" };

static void
set_unit(char *text)
{
	char *colon = strchr(text, ':');

	*colon = '\0';
	units[opts.nunits].unit =
	    strcmp(text, "*") == 0 ? HF_EVERY_UNIT : atoi(text);
	units[opts.nunits++].device = hf_store_device(store, colon + 1);
	opts.units = units;
}

static void
set(const char *key, char *value)
{
	const struct {
		const char *key;
		const char **text;
		int *number;
	} plain[] = {
		{ "name", &opts.name, NULL },
		{ "framer", &opts.framer, NULL },
		{ "address", &opts.address, NULL },
		{ "certfile", &opts.certfile, NULL },
		{ "keyfile", &opts.keyfile, NULL },
		{ "password", &opts.password, NULL },
		{ "cafile", &opts.cafile, NULL },
		{ "crlfile", &opts.crlfile, NULL },
		{ "client_cert", &opts.client_cert, NULL },
		{ "roles", &opts.roles, NULL },
		{ "port", &opts.port, NULL },
		{ "transport", &opts.transport, NULL },
		{ "more", &opts.more, NULL },
		{ "ignore_missing_slaves", NULL, &opts.ignore_missing_slaves },
		{ "broadcast_enable", NULL, &opts.broadcast_enable },
		{ "handle_local_echo", NULL, &opts.handle_local_echo },
		{ "stop_fd", NULL, &opts.stop_fd },
		{ "baudrate", NULL, (int *)&opts.baudrate },
		{ "bytesize", NULL, (int *)&opts.bytesize },
		{ "stopbits", NULL, (int *)&opts.stopbits },
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(plain[i].key, key) != 0)
			continue;
		if (plain[i].text != NULL)
			*plain[i].text = value;
		else
			*plain[i].number = atoi(value);
	}
	for (int i = 0; strcmp(key, "type") == 0 && i < 5; i++)
		if (strcmp(types[i], value) == 0)
			opts.type = (enum hf_server_type)i;
	if (strcmp(key, "parity") == 0)
		opts.parity = (enum hf_parity)value[0];
	if (strcmp(key, "size") == 0)
		opts.size = (size_t)atoi(value);
	if (strcmp(key, "nunits") == 0)
		opts.nunits = (size_t)atoi(value);
	if (strcmp(key, "vendor") == 0) {
		identity.VendorName = value;
		opts.identity = &identity;
	}
	if (strcmp(key, "unit") == 0)
		set_unit(value);
	if (strcmp(key, "hooks") == 0)
		opts.hooks = make_hooks(value);
	if (strcmp(key, "number") == 0)
		number = atoi(value);
	if (strcmp(key, "pipe") == 0)
		opts.stop_fd = stop_pipe[0];
}

static void
take_opts(char **word)
{
	memset(&opts, 0, sizeof(opts));
	opts.size = sizeof(opts);
	for (; *word != NULL; word++) {
		char *is = strchr(*word, '=');

		*is = '\0';
		set(*word, is + 1);
	}
}

/* ---- answers ---- */

static void
answer(int rc)
{
	if (rc == -1)
		printf("-1 %s %s\n", strerrorname_np(errno), hf_error());
	else
		printf("%d\n", rc);
}

static struct hf_server *
server(const char *word)
{
	return word == NULL || strcmp(word, "-") == 0 ? NULL
						      : servers[atoi(word)];
}

static void
add(struct hf_server *srv)
{
	if (srv == NULL) {
		answer(-1);
		return;
	}
	servers[nservers] = srv;
	printf("%d\n", nservers++);
}

/* ---- commands ---- */

static void
do_store(char **word)
{
	static const struct hf_range ranges[] = {
		{ .table = HF_CO, .count = 16 },
		{ .table = HF_DI, .count = 16 },
		{ .table = HF_HR, .count = 200 },
		{ .table = HF_IR, .count = 16 },
	};

	store = hf_store_new(strcmp(word[0], "-") == 0 ? NULL : word[0]);
	for (int d = 0; d < 2; d++) {
		devices[d] =
		    hf_store_add_device(store, d == 0 ? "plc1" : "plc2", d + 1);
		for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
			hf_device_add_range(devices[d], &ranges[i]);
		if (word[1] != NULL)
			hf_device_add_range(devices[d],
			    &(struct hf_range){ .table = HF_IR,
				.addr = 100,
				.action = word[1] });
	}
	if (hf_store_open(store) == -1)
		answer(-1);
	else
		printf("%s\n", hf_store_name(store));
}

static void
do_attach(char **word)
{
	store = hf_store_attach(word[0]);
	answer(store != NULL ? 0 : -1);
}

static void
do_new(char **word)
{
	take_opts(word);
	add(hf_server_new(store, &opts));
}

static void
do_start(char **word)
{
	struct hf_server *srv;
	static struct hf_server *(*const start[])(struct hf_store *,
	    const struct hf_server_opts *) = { hf_start_async_tcp_server,
		hf_start_async_tls_server, hf_start_async_udp_server,
		hf_start_async_serial_server };

	take_opts(word);
	if (opts.type != HF_PLUGIN) {
		add(start[opts.type](store, &opts));
		return;
	}
	srv = hf_server_new(store, &opts); /* the reference has no starter */
	if (srv != NULL && hf_server_serve_forever(srv, 1) == -1)
		srv = NULL;
	add(srv);
}

static void
do_serve(char **word)
{
	answer(hf_server_serve_forever(server(word[0]), 1));
}

/* Blocks until something ends it; another line, "blocks", says it has begun. */
static void
do_run(char **word)
{
	static int (*const run[])(struct hf_store *,
	    const struct hf_server_opts *) = { hf_start_tcp_server,
		hf_start_tls_server, hf_start_udp_server,
		hf_start_serial_server };

	take_opts(word);
	answer(run[opts.type](store, &opts));
}

static void *
run_in_thread(void *arg)
{
	(void)arg;
	answer(hf_server_serve_forever(servers[nservers - 1], 0));
	fflush(stdout);
	return NULL;
}

/* Serves the newest server in a thread, whose answer comes at the end. */
static void
do_thread_serve(char **word)
{
	pthread_t t;

	(void)word;
	answer(-pthread_create(&t, NULL, run_in_thread, NULL));
	pthread_detach(t);
}

static void *
stop_from_thread(void *arg)
{
	const struct timespec moment = { 0, 2000000 };

	(void)arg;
	while (hf_server_async_stop(NULL) == -1)
		nanosleep(&moment, NULL);
	return NULL;
}

static void *
idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static pthread_t made;

static void
do_thread(char **word)
{
	int stops = word[0] != NULL && strcmp(word[0], "stops") == 0;

	answer(-pthread_create(
	    &made, NULL, stops ? stop_from_thread : idle, NULL));
}

static void
do_join(char **word)
{
	(void)word;
	pthread_cancel(made);
	answer(-pthread_join(made, NULL));
}

static void
do_stop(char **word)
{
	answer(hf_server_stop(server(word[0])));
}

static void
do_shutdown(char **word)
{
	answer(hf_server_shutdown(server(word[0])));
}

static void
do_async_stop(char **word)
{
	answer(hf_server_async_stop(server(word[0])));
}

static void
do_dispatch(char **word)
{
	answer(hf_server_dispatch(server(word[0])));
}

static void
do_poll(char **word)
{
	struct pollfd p = { hf_server_fd(server(word[0])), POLLIN, 0 };

	answer(poll(&p, 1, atoi(word[1])));
}

static void
do_status(char **word)
{
	struct hf_server_status s;

	hf_server_status(server(word[0]), &s);
	printf("%d %d %d %u %u %s %s\n", s.active, s.up, s.pid, s.restarts,
	    s.connections, s.state, s.address[0] != '\0' ? s.address : "-");
}

static void
do_free(char **word)
{
	hf_server_free(server(word[0]));
	servers[atoi(word[0])] = NULL;
	answer(0);
}

static void
do_end(char **word)
{
	(void)word;
	hf_store_free(store);
	answer(0);
}

static void
do_get(char **word)
{
	uint16_t value = 0;
	int rc = hf_get_values(hf_store_device(store, word[0]),
	    (unsigned)atoi(word[1]), (uint32_t)atoi(word[2]), 1, &value);

	answer(rc == -1 ? -1 : value);
}

static void
do_set(char **word)
{
	uint16_t value = (uint16_t)atoi(word[3]);

	answer(hf_set_values(hf_store_device(store, word[0]),
	    (unsigned)atoi(word[1]), (uint32_t)atoi(word[2]), 1, &value));
}

static void
do_init(char **word)
{
	(void)word;
	answer(hf_init());
}

static void
do_log(char **word)
{
	int fd = open(word[0], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	answer(hf_log(fd, (enum hf_level)atoi(word[1])));
	close(fd);
}

/* What a child of fork() can do to the servers of the program. */
static void
do_child_stops(char **word)
{
	struct hf_server *srv = server(word[0]);
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(hf_server_async_stop(srv) == 0 ? 0 : errno);
	waitpid(pid, &status, 0);
	printf("%s\n", strerrorname_np(WEXITSTATUS(status)));
}

/* A child that only keeps what it has copies of. */
static void
do_child(char **word)
{
	pid_t pid = fork();

	(void)word;
	while (pid == 0)
		pause();
	printf("%d\n", (int)pid);
}

/* Nothing is where 0, 1 and 2 were, from now on. */
static void
do_close_std(char **word)
{
	(void)word;
	fflush(stdout);
	stdin = fdopen(fcntl(0, F_DUPFD_CLOEXEC, 20), "r");
	stdout = fdopen(fcntl(1, F_DUPFD_CLOEXEC, 20), "w");
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	answer(0);
}

static void *
stop_it(void *srv)
{
	/* it may have ended before this was asked */
	return hf_server_stop(srv) == 0 || errno == ESRCH ? NULL : srv;
}

/* Threads wait for a server's end, and it is started again as soon as it has
 * come. Answers how many of them were told something wrong. */
static void
do_restart(char **word)
{
	struct hf_server *srv = server(word[0]);
	pthread_t t[8];
	void *wrong;
	int n = 0;

	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, stop_it, srv);
	hf_server_async_stop(srv);
	while (hf_server_dispatch(srv) == 1)
		poll(NULL, 0, 0);
	n += hf_server_serve_forever(srv, 1) != 0;
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &wrong);
		n += wrong != NULL;
	}
	hf_server_stop(srv);
	answer(n);
}

static volatile sig_atomic_t go_on;

static void *
start_and_free(void *arg)
{
	const struct hf_server_opts tcp = { .size = sizeof(tcp),
		.address = "127.0.0.1:0" };

	(void)arg;
	while (go_on) {
		hf_server_free(hf_start_async_tcp_server(store, &tcp));
		hf_log(-1, HF_INFO);
	}
	return NULL;
}

/* Children of fork() while a thread uses the library. Answers how many of them
 * waited in vain for what that thread had at the time. */
static void
do_fork_storm(char **word)
{
	int stuck = 0, status;
	pthread_t t;
	pid_t pid;

	go_on = 1;
	pthread_create(&t, NULL, start_and_free, NULL);
	for (int i = 0; i < atoi(word[0]) && stuck == 0; i++) {
		poll(NULL, 0, i % 4);
		pid = fork();
		if (pid == 0) {
			alarm(5);
			hf_log(-1, HF_INFO);
			hf_server_stop(NULL);
			_exit(hf_init() == -1);
		}
		waitpid(pid, &status, 0);
		stuck += status != 0;
	}
	go_on = 0;
	pthread_join(t, NULL);
	answer(stuck);
}

static void *
log_later(void *fd)
{
	static long us;
	const struct timespec moment = { 0, (us += 100) % 4000 * 1000 };

	nanosleep(&moment, NULL);
	hf_log(*(int *)fd, HF_INFO);
	return NULL;
}

/* Servers s0, s1 ... start while a thread says where they log. Answers how many
 * did not start. */
static void
do_log_storm(char **word)
{
	int fd = open(word[0], O_WRONLY | O_APPEND | O_CLOEXEC), failed = 0;
	struct hf_server_opts tcp = { .size = sizeof(tcp),
		.address = "127.0.0.1:0" };
	struct hf_server *srv;
	char name[16];
	pthread_t t;

	tcp.name = name;
	for (int i = 0; i < atoi(word[1]); i++) {
		snprintf(name, sizeof(name), "s%d", i);
		hf_log(-1, HF_INFO);
		pthread_create(&t, NULL, log_later, &fd);
		srv = hf_start_async_tcp_server(store, &tcp);
		pthread_join(t, NULL);
		failed += srv == NULL;
		hf_server_free(srv);
	}
	close(fd);
	answer(failed);
}

/* What wait() finds, and how often SIGCHLD has come. */
static void
do_wait(char **word)
{
	pid_t pid = waitpid(-1, NULL, WNOHANG);

	(void)word;
	printf("found %d %s %d\n", (int)pid,
	    pid == -1 ? strerrorname_np(errno) : "-", (int)children);
}

static void
on_term(int sig)
{
	(void)sig;
	(void)!write(stop_pipe[1], "", 1);
}

static void
on_usr2(int sig)
{
	int err = errno;

	(void)sig;
	hf_server_async_stop(NULL);
	errno = err;
}

static void
on_child(int sig)
{
	(void)sig;
	children++;
}

/* A pipe that TERM is written to, and USR2 stops by itself. */
static void
do_signals(char **word)
{
	(void)word;
	signal(SIGCHLD, on_child);
	signal(SIGTERM, on_term);
	signal(SIGUSR2, on_usr2);
	answer(pipe(stop_pipe));
}

static const char *at_exit;

static void
note_exit(void)
{
	int fd = open(at_exit, O_WRONLY | O_APPEND);

	(void)!write(fd, "exit", 4);
}

/* Notes its end in a file. */
static void
do_atexit(char **word)
{
	at_exit = strdup(word[0]);
	atexit(note_exit);
	answer(0);
}

static const struct command {
	const char *name;
	void (*run)(char **word);
} commands[] = {
	{ "store", do_store },
	{ "attach", do_attach },
	{ "new", do_new },
	{ "start", do_start },
	{ "serve", do_serve },
	{ "run", do_run },
	{ "thread-serve", do_thread_serve },
	{ "thread", do_thread },
	{ "join", do_join },
	{ "stop", do_stop },
	{ "shutdown", do_shutdown },
	{ "async-stop", do_async_stop },
	{ "dispatch", do_dispatch },
	{ "poll", do_poll },
	{ "status", do_status },
	{ "free", do_free },
	{ "end", do_end },
	{ "get", do_get },
	{ "set", do_set },
	{ "init", do_init },
	{ "log", do_log },
	{ "child-stops", do_child_stops },
	{ "child", do_child },
	{ "close-std", do_close_std },
	{ "restart", do_restart },
	{ "fork-storm", do_fork_storm },
	{ "log-storm", do_log_storm },
	{ "wait", do_wait },
	{ "signals", do_signals },
	{ "atexit", do_atexit },
};

static void
obey(char *line)
{
	char *word[WORDS] = { NULL }, *rest;
	int n = 0;

	/* tabs, so that words may hold spaces */
	for (char *w = strtok_r(line, "\t\n", &rest);
	     w != NULL && n < WORDS - 1; w = strtok_r(NULL, "\t\n", &rest))
		word[n++] = w;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (n > 0 && strcmp(commands[i].name, word[0]) == 0)
			commands[i].run(word + 1);
	fflush(stdout);
}

int
main(void)
{
	static char line[8192];

	while (fgets(line, sizeof(line), stdin) != NULL)
		obey(line);
	return 0;
}
