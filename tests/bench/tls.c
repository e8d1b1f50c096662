/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for the benchmark. In front of the stub brokers, which speak plain, so that the worker has TLS on both legs; and
 * the yardstick: what OpenSSL itself takes for the records, with nothing around it.
 *
 *   bench_tls --shared=FILE --trust=FILE [--cpu=1]     prints {"source": PORT, "sink": PORT}; ends with its input
 *   bench_tls --records [--cpu=0] [--ms=500]           prints CPU-s/GiB of packing and of unpacking */
#include "common.h"

#include "../unit/net/test_certs.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 64 << 10, RECORD = 16 << 10, N_RECORDS = 64, DAYS = 2 };

/* ---- keys ---- */

static SSL_CTX *server_context(const char *trust)
{
	struct cert ca = cert_make("the CA of the benchmark", NULL, NULL, DAYS);
	struct cert broker = cert_make("broker", "IP:127.0.0.1", &ca, DAYS);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char *pem = cert_pem(&ca);

	if (SSL_CTX_use_certificate(ctx, broker.x509) != 1 || SSL_CTX_use_PrivateKey(ctx, broker.key) != 1)
		bench_die("a certificate of our own is refused");
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (trust != NULL)
		write_text(trust, pem, "");
	free(pem);
	cert_free(&ca);
	cert_free(&broker);
	return ctx;
}

/* ---- the front ---- */

struct way {
	uint8_t data[PIECE];
	size_t at, end;
};

struct link {
	SSL *ssl;
	int secured, plain;
	struct way in, out;       /* in: to the stub */
};

/* False: it is over. want: what the TLS side waits for. */
static bool failed(const SSL *ssl, int rc, short *want)
{
	switch (SSL_get_error(ssl, rc)) {
	case SSL_ERROR_WANT_READ: *want |= POLLIN; return false;
	case SSL_ERROR_WANT_WRITE: *want |= POLLOUT; return false;
	default: return true;
	}
}

/* To the stub, as far as both sides go; false at the end of either. */
static bool move_in(struct link *l, short *secured, short *plain)
{
	struct way *w = &l->in;

	for (;;) {
		if (w->at == w->end) {
			int n = SSL_read(l->ssl, w->data, PIECE);

			if (n <= 0)
				return !failed(l->ssl, n, secured);
			w->at = 0;
			w->end = (size_t)n;
		}
		ssize_t n = send(l->plain, w->data + w->at, w->end - w->at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			*plain |= POLLOUT;
			return true;
		}
		if (n <= 0)
			return false;
		w->at += (size_t)n;
	}
}

static bool move_out(struct link *l, short *secured, short *plain)
{
	struct way *w = &l->out;

	for (;;) {
		if (w->at == w->end) {
			ssize_t n = recv(l->plain, w->data, PIECE, MSG_DONTWAIT);

			if (n < 0 && errno == EAGAIN) {
				*plain |= POLLIN;
				return true;
			}
			if (n <= 0)
				return false;
			w->at = 0;
			w->end = (size_t)n;
		}
		int n = SSL_write(l->ssl, w->data + w->at, (int)(w->end - w->at));

		if (n <= 0)
			return !failed(l->ssl, n, secured);
		w->at += (size_t)n;
	}
}

static void *serve(void *arg)
{
	struct link *l = arg;
	struct pollfd fds[2] = { { .fd = l->secured }, { .fd = l->plain } };

	do {
		ERR_clear_error();
		fds[0].events = fds[1].events = 0;
	} while (move_in(l, &fds[0].events, &fds[1].events) && move_out(l, &fds[0].events, &fds[1].events) &&
		 poll(fds, 2, -1) > 0);
	SSL_free(l->ssl);
	close(l->secured);
	close(l->plain);
	free(l);
	return NULL;
}

struct door {
	SSL_CTX *ctx;
	int listener;
	uint16_t port, target;
};

static void *accept_all(void *arg)
{
	const struct door *door = arg;

	for (;;) {
		struct link *l = calloc(1, sizeof(*l));
		pthread_t thread;

		if (l == NULL)
			bench_die("out of memory");
		l->secured = accept4(door->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (l->secured < 0)
			bench_die("accept: %s", strerror(errno));
		bench_nodelay(l->secured);
		l->plain = bench_connect(door->target);
		l->ssl = SSL_new(door->ctx);
		SSL_set_fd(l->ssl, l->secured);
		SSL_set_accept_state(l->ssl);
		if (pthread_create(&thread, NULL, serve, l) != 0)
			bench_die("no thread");
		pthread_detach(thread);
	}
}

static void open_door(struct door *door, SSL_CTX *ctx, uint16_t target)
{
	pthread_t thread;

	door->ctx = ctx;
	door->target = target;
	door->listener = bench_listen(&door->port);
	if (fcntl(door->listener, F_SETFL, 0) < 0 || pthread_create(&thread, NULL, accept_all, door) != 0)
		bench_die("no thread");
	pthread_detach(thread);
}

static int run_front(int argc, char **argv)
{
	static struct door source, sink;
	struct bench_shared *s = bench_shared_map(bench_arg(argc, argv, "shared"));
	SSL_CTX *ctx = server_context(bench_arg(argc, argv, "trust"));
	char byte;

	open_door(&source, ctx, s->source_port);
	open_door(&sink, ctx, s->sink_port);
	printf("{\"source\": %d, \"sink\": %d}\n", source.port, sink.port);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}

/* ---- the records alone ---- */

static void pass(SSL *from, SSL *to)
{
	uint8_t data[PIECE];
	int n;

	while ((n = BIO_read(SSL_get_wbio(from), data, sizeof(data))) > 0)
		BIO_write(SSL_get_rbio(to), data, n);
}

static void in_memory(SSL *ssl)
{
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
}

/* CPU time of packing N_RECORDS at one end, and of unpacking them at the other. */
static void round_trip(SSL *from, SSL *to, uint8_t *data, uint64_t *pack_ns, uint64_t *unpack_ns)
{
	uint64_t t0 = bench_cpu_ns(), t1;

	for (int i = 0; i < N_RECORDS; i++)
		if (SSL_write(from, data + (size_t)i * RECORD, RECORD) != RECORD)
			bench_die("SSL_write");
	*pack_ns += bench_cpu_ns() - t0;
	pass(from, to);
	t1 = bench_cpu_ns();
	for (int i = 0; i < N_RECORDS; i++)
		if (SSL_read(to, data + (size_t)i * RECORD, RECORD) != RECORD)
			bench_die("SSL_read");
	*unpack_ns += bench_cpu_ns() - t1;
}

static int run_records(int argc, char **argv)
{
	uint64_t end = bench_now_ns() + (uint64_t)bench_arg_int(argc, argv, "ms", 500) * 1000000;
	SSL_CTX *here = server_context(NULL), *there = SSL_CTX_new(TLS_client_method());
	SSL *server = SSL_new(here), *client = SSL_new(there);
	uint64_t pack_ns = 0, unpack_ns = 0, rounds = 0;
	uint8_t *data = calloc(N_RECORDS, RECORD);
	double gib;

	in_memory(server);
	in_memory(client);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	while (SSL_do_handshake(client) != 1 || SSL_do_handshake(server) != 1) {
		pass(client, server);
		(void)SSL_do_handshake(server);
		pass(server, client);
	}
	/* The tickets that the server sends behind the handshake. */
	(void)SSL_read(client, data, 1);
	round_trip(server, client, data, &pack_ns, &unpack_ns);   /* warm */
	for (pack_ns = unpack_ns = 0; bench_now_ns() < end; rounds++)
		round_trip(server, client, data, &pack_ns, &unpack_ns);
	gib = (double)rounds * N_RECORDS * RECORD / (1 << 30);
	printf("{\"cipher\": \"%s\", \"pack\": %.6f, \"unpack\": %.6f}\n", SSL_get_cipher_name(client),
	       (double)pack_ns / 1e9 / gib, (double)unpack_ns / 1e9 / gib);
	return 0;
}

int main(int argc, char **argv)
{
	bool records = bench_arg(argc, argv, "records") != NULL;

	if (!records && (bench_arg(argc, argv, "shared") == NULL || bench_arg(argc, argv, "trust") == NULL))
		bench_die("usage: bench_tls --shared=FILE --trust=FILE | --records; see the head of tls.c");
	signal(SIGPIPE, SIG_IGN);
	bench_pin((int)bench_arg_int(argc, argv, "cpu", records ? 0 : 1));
	return records ? run_records(argc, argv) : run_front(argc, argv);
}
