/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a byte of how, then what. 'r': the bytes that come instead of a server's. '2', '3': a real server of TLS 1.2 or
 * 1.3 that sends TEXT, whose stream is spoilt: four bytes each for where (two), how, and by what.
 *
 * Every op of the stream comes back; and what it gives as plain text is the beginning of what was sent, whatever was done
 * to the records on the way. */
#include "fuzz.h"

#include "../unit/net/test_certs.h"

#include "base/mem.h"
#include "net/stream_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT_LEN = 40000, STEPS_MAX = 10000, CHUNK = 1 << 16 };

/* Made once, for keys cost more than all the rest. */
struct world {
	struct loop *loop;
	SSL_CTX *server[2];
	struct tls *tls;
	uint8_t text[TEXT_LEN];
};

struct watched {
	struct op op;
	bool done;
	int res;
};

struct peer {
	int fd;
	SSL *ssl;             /* NULL: raw bytes */
	size_t passed;        /* to the client */
	size_t written;       /* of the text */
	const uint8_t *spoil;
	size_t spoil_len;
};

static struct world *world(void)
{
	static struct world w;
	struct cert ca, broker;
	struct tls_settings settings = { .check_host = true };
	struct err err;

	if (w.loop != NULL)
		return &w;
	ca = cert_make("the CA", NULL, NULL, 90);
	broker = cert_make("broker", "DNS:broker.example", &ca, 90);
	settings.truststore_certificates = cert_pem(&ca);
	w.loop = loop_create(LOOP_EPOLL, &err);
	CHECK(w.loop != NULL);
	w.tls = tls_create(&settings);
	for (size_t i = 0; i < ARRAY_LEN(w.server); i++) {
		int version = i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;

		w.server[i] = SSL_CTX_new(TLS_server_method());
		CHECK(SSL_CTX_use_certificate(w.server[i], broker.x509) == 1);
		CHECK(SSL_CTX_use_PrivateKey(w.server[i], broker.key) == 1);
		SSL_CTX_set_min_proto_version(w.server[i], version);
		SSL_CTX_set_max_proto_version(w.server[i], version);
	}
	for (size_t i = 0; i < TEXT_LEN; i++)
		w.text[i] = (uint8_t)(i * 131 + i / 251);
	cert_free(&ca);
	cert_free(&broker);
	return &w;
}

static void op_done(struct op *op, int res)
{
	struct watched *w = container_of(op, struct watched, op);

	CHECK(!w->done);
	w->done = true;
	w->res = res;
}

/* ---- the peer ---- */

static void spoil(const struct peer *p, uint8_t *data, size_t len)
{
	for (size_t i = 0; i + 4 <= p->spoil_len; i += 4) {
		size_t at = (size_t)p->spoil[i] << 8 | p->spoil[i + 1];

		if (at < p->passed || at - p->passed >= len)
			continue;
		at -= p->passed;
		if (p->spoil[i + 2] % 2 == 0)
			data[at] ^= p->spoil[i + 3];
		else
			data[at] = p->spoil[i + 3];
	}
}

static void send_all(const struct peer *p, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n <= 0)
			return;   /* the client has gone, or reads no more */
		data += n;
		len -= (size_t)n;
	}
}

/* What the server has to say goes to the client, spoilt. */
static void pass_on(struct peer *p)
{
	uint8_t data[CHUNK];
	int n;

	while ((n = BIO_read(SSL_get_wbio(p->ssl), data, sizeof(data))) > 0) {
		spoil(p, data, (size_t)n);
		p->passed += (size_t)n;
		send_all(p, data, (size_t)n);
	}
}

static void serve(struct peer *p, const struct world *w)
{
	uint8_t data[CHUNK];
	ssize_t n = recv(p->fd, data, sizeof(data), MSG_DONTWAIT);
	size_t wrote;

	if (n > 0)
		BIO_write(SSL_get_rbio(p->ssl), data, (int)n);
	ERR_clear_error();
	if (SSL_do_handshake(p->ssl) == 1 && p->written < TEXT_LEN &&
	    SSL_write_ex(p->ssl, w->text + p->written, MIN((size_t)TEXT_LEN - p->written, (size_t)10000), &wrote) == 1)
		p->written += wrote;
	pass_on(p);
}

static SSL *server_of(SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(ssl);
	return ssl;
}

/* ---- the client ---- */

static void wait_for(const struct world *w, struct watched *op, struct peer *p)
{
	for (int step = 0; !op->done; step++) {
		CHECK(step < STEPS_MAX);
		if (p->ssl != NULL)
			serve(p, w);
		else
			shutdown(p->fd, SHUT_WR);
		/* Nothing comes any more once the server is through: the end, as a client of a dead host sees it. */
		if (step == STEPS_MAX / 2)
			shutdown(p->fd, SHUT_RDWR);
		loop_step(w->loop, 0);
	}
}

static void receive(const struct world *w, struct stream *stream, struct peer *p)
{
	uint8_t got[CHUNK];
	size_t total = 0;

	while (total < TEXT_LEN) {
		struct watched recv_op = { .op = { .done = op_done } };

		stream->ops->recv(stream, &recv_op.op, got, sizeof(got));
		wait_for(w, &recv_op, p);
		if (recv_op.res <= 0)
			break;
		CHECK(total + (size_t)recv_op.res <= TEXT_LEN);
		CHECK(memcmp(got, w->text + total, (size_t)recv_op.res) == 0);
		total += (size_t)recv_op.res;
	}
}

static void talk(const struct world *w, struct stream *stream, struct peer *p)
{
	struct watched handshake = { .op = { .done = op_done } }, closed = { .op = { .done = op_done } };
	struct err err = { 0 };

	stream->ops->handshake(stream, &handshake.op);
	wait_for(w, &handshake, p);
	CHECK(handshake.res == 0 || !stream->ops->explain(stream, handshake.res, &err) || err.text[0] != '\0');
	CHECK(handshake.res != 0 || p->ssl != NULL);
	if (handshake.res == 0)
		receive(w, stream, p);
	stream->ops->close(stream, &closed.op);
	wait_for(w, &closed, p);
	stream->ops->destroy(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = world();
	struct stream_tls_maker maker;
	struct peer p = { .spoil = data + 1, .spoil_len = size - 1 };
	int fds[2];

	if (size == 0)
		return 0;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	p.fd = fds[1];
	if (data[0] == '2' || data[0] == '3')
		p.ssl = server_of(w->server[data[0] - '2']);
	else
		send_all(&p, data + 1, size - 1);
	stream_tls_maker_init(&maker, w->tls, "broker.example");
	talk(w, maker.maker.make(&maker.maker, w->loop, fds[0]), &p);
	SSL_free(p.ssl);
	close(p.fd);
	ERR_clear_error();
	return 0;
}
