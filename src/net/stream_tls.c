/* SPDX-License-Identifier: Apache-2.0 */
/* TLS between the connection and the loop.
 *
 *   received  loop -> in -> SSL_read -> the caller's buffer
 *   sent      the caller's slices -> SSL_write -> out[filling] -> loop
 *
 * Two buffers out: one is on its way, the other is filled meanwhile. sendv is answered when its bytes are taken over; a
 * sendv that finds the buffer full waits until there is room. Whatever OpenSSL itself has to say (the handshake, an alert,
 * a key update) goes the same way.
 *
 * Every step ends in go_on(), which looks at what the caller waits for and what the loop is to do next; it is the only
 * place that decides. A stream without a context (a file that cannot be read) fails its handshake with the reason. */
#include "net/stream_tls.h"

#include "base/mem.h"
#include "net/tls_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <string.h>
#include <time.h>

enum {
	IN_BYTES = 64 << 10,         /* a few of TLS's records, which have 16 KiB at most */
	OUT_BYTES = 128 << 10,       /* so much is taken over before the caller must wait */
	OUT_MAX = 1 << 20,           /* of a peer that asks for answers and does not read them */
	RECORD_BYTES = 16 << 10,
};

struct out {
	uint8_t *data;
	size_t len, cap;
};

struct tls_stream {
	struct stream stream;
	SSL *ssl;                    /* NULL: it could not be made, see why */
	BIO_METHOD *method;          /* of ssl; one for each stream, so that nothing here is global */
	struct tls_refusal refusal;
	struct err why;              /* of the failure; rc 0: none */
	const char *host;

	struct op rx, tx;
	bool receiving, sending, closing, ended, shaken;
	int failed;                  /* -errno of the loop, or of TLS: nothing goes on */

	uint8_t *in;
	size_t in_head, in_tail;
	struct out out[2];
	int filling;                 /* the other one is on its way */
	size_t sent;                 /* of that one */
	struct iovec slice;

	/* What the caller waits for; NULL: nothing. */
	struct op *handshake, *recv, *send, *close;
	void *recv_buf;
	size_t recv_len;
	const struct iovec *iov;
	int n_iov;
};

static struct tls_stream *self(const struct stream *stream)
{
	return container_of(stream, struct tls_stream, stream);
}

/* ---- OpenSSL's side ---- */

static int bio_write(BIO *bio, const char *data, int len)
{
	struct tls_stream *s = BIO_get_data(bio);
	struct out *out = &s->out[s->filling];

	if (out->len + (size_t)len > OUT_MAX)
		return -1;
	if (out->len + (size_t)len > out->cap) {
		out->cap = MAX(2 * out->cap, out->len + (size_t)len);
		out->data = xrealloc(out->data, out->cap, 1);
	}
	memcpy(out->data + out->len, data, (size_t)len);
	out->len += (size_t)len;
	return len;
}

static int bio_read(BIO *bio, char *data, int len)
{
	struct tls_stream *s = BIO_get_data(bio);
	size_t n = MIN(s->in_tail - s->in_head, (size_t)len);

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		if (s->ended)
			return 0;
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(data, s->in + s->in_head, n);
	s->in_head += n;
	return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	const struct tls_stream *s = BIO_get_data(bio);

	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_EOF)
		return s->ended && s->in_head == s->in_tail;
	return cmd == BIO_CTRL_FLUSH;
}

static int bio_made(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static BIO *bio_create(struct tls_stream *s)
{
	BIO *bio;

	s->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "krmirror");
	CHECK(s->method != NULL);
	BIO_meth_set_write(s->method, bio_write);
	BIO_meth_set_read(s->method, bio_read);
	BIO_meth_set_ctrl(s->method, bio_ctrl);
	BIO_meth_set_create(s->method, bio_made);
	bio = BIO_new(s->method);
	CHECK(bio != NULL);
	BIO_set_data(bio, s);
	return bio;
}

/* ---- what happens ---- */

static void complete(struct tls_stream *s, struct op **op, int res)
{
	struct op *done = *op;

	*op = NULL;
	loop_defer(s->stream.loop, done, res);
}

static void note_failure(struct tls_stream *s, int res)
{
	if (s->failed != 0)
		return;
	s->failed = res;
	if (s->why.rc == RC_OK && res == -EPROTO)
		tls_explain(&s->refusal, s->host, s->ended, !s->shaken, &s->why);
}

/* True when ssl only waits for bytes. */
static bool wants_bytes(struct tls_stream *s, int rc)
{
	int e = SSL_get_error(s->ssl, rc);

	if ((e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) && !s->ended)
		return true;
	if (e != SSL_ERROR_ZERO_RETURN)
		note_failure(s, -EPROTO);
	s->ended = s->ended || e == SSL_ERROR_ZERO_RETURN;
	return false;
}

static void shake(struct tls_stream *s)
{
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(s->ssl);
	if (rc == 1) {
		s->shaken = true;
		complete(s, &s->handshake, 0);
	} else if (!wants_bytes(s, rc) && s->failed == 0) {
		note_failure(s, -EPROTO);
	}
}

static void give_plain(struct tls_stream *s)
{
	size_t got = 0, n;
	int rc = 1;

	ERR_clear_error();
	while (got < s->recv_len) {
		rc = SSL_read_ex(s->ssl, (uint8_t *)s->recv_buf + got, s->recv_len - got, &n);
		if (rc != 1)
			break;
		got += n;
	}
	if (got > 0) {
		complete(s, &s->recv, (int)got);
		return;
	}
	if (!wants_bytes(s, rc) && s->ended && s->failed == 0)
		complete(s, &s->recv, 0);
}

/* Writes whole records as long as there is room: small slices are put together first. */
struct gather {
	uint8_t bytes[RECORD_BYTES];
	size_t len;
};

static bool write_record(struct tls_stream *s, const void *data, size_t len)
{
	size_t n;

	if (len == 0)
		return true;
	ERR_clear_error();
	if (SSL_write_ex(s->ssl, data, len, &n) == 1 && n == len)
		return true;
	note_failure(s, -EPROTO);
	return false;
}

/* The bytes of one slice; returns how many were taken. */
static size_t take_slice(struct tls_stream *s, struct gather *g, const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (at < len && s->failed == 0 && s->out[s->filling].len < OUT_BYTES) {
		size_t n = MIN(len - at, RECORD_BYTES - g->len);

		if (n == RECORD_BYTES) {
			if (!write_record(s, data + at, n))
				break;
		} else {
			memcpy(g->bytes + g->len, data + at, n);
			g->len += n;
			if (g->len == RECORD_BYTES && !write_record(s, g->bytes, g->len))
				break;
			g->len %= RECORD_BYTES;
		}
		at += n;
	}
	return at;
}

static void take_plain(struct tls_stream *s)
{
	struct gather g = { .len = 0 };
	size_t total = 0;

	if (s->out[s->filling].len >= OUT_BYTES)
		return;
	for (int i = 0; i < s->n_iov; i++) {
		size_t n = take_slice(s, &g, s->iov[i].iov_base, s->iov[i].iov_len);

		total += n;
		if (n < s->iov[i].iov_len)
			break;
	}
	if (s->failed == 0 && write_record(s, g.bytes, g.len))
		complete(s, &s->send, (int)total);
}

static void send_out(struct tls_stream *s)
{
	const struct out *out = &s->out[s->filling ^ 1];

	s->sending = true;
	s->slice = (struct iovec){ out->data + s->sent, out->len - s->sent };
	loop_sendv(s->stream.loop, &s->tx, s->stream.fd, &s->slice, 1);
}

static void flush(struct tls_stream *s)
{
	if (s->sending || s->out[s->filling].len == 0)
		return;
	s->filling ^= 1;
	s->sent = 0;
	send_out(s);
}

static void receive_in(struct tls_stream *s)
{
	if (s->receiving || s->ended)
		return;
	CHECK(s->in_head == s->in_tail);
	s->in_head = s->in_tail = 0;
	s->receiving = true;
	loop_recv(s->stream.loop, &s->rx, s->stream.fd, s->in, IN_BYTES);
}

/* Everything fails; what is still to be sent (an alert) goes first. */
static void fail_all(struct tls_stream *s)
{
	if (s->sending)
		return;
	if (s->handshake != NULL)
		complete(s, &s->handshake, s->failed);
	if (s->recv != NULL)
		complete(s, &s->recv, s->failed);
	if (s->send != NULL)
		complete(s, &s->send, s->failed);
}

static void go_on(struct tls_stream *s)
{
	if (s->closing) {
		if (!s->receiving && !s->sending && s->close != NULL)
			complete(s, &s->close, 0);
		return;
	}
	if (s->failed == 0 && s->handshake != NULL)
		shake(s);
	if (s->failed == 0 && s->recv != NULL)
		give_plain(s);
	if (s->failed == 0 && s->send != NULL && s->shaken)
		take_plain(s);
	flush(s);
	if (s->failed != 0)
		fail_all(s);
	else if (s->handshake != NULL || s->recv != NULL)
		receive_in(s);
}

static void received(struct op *op, int res)
{
	struct tls_stream *s = container_of(op, struct tls_stream, rx);

	s->receiving = false;
	if (res > 0)
		s->in_tail = (size_t)res;
	else if (res == 0)
		s->ended = true;
	else if (!s->closing)
		note_failure(s, res);
	go_on(s);
}

static void sent(struct op *op, int res)
{
	struct tls_stream *s = container_of(op, struct tls_stream, tx);
	struct out *out = &s->out[s->filling ^ 1];

	s->sending = false;
	if (res < 0 && !s->closing)
		note_failure(s, res);
	else if (res > 0)
		s->sent += (size_t)res;
	if (res > 0 && s->sent < out->len && !s->closing) {
		send_out(s);
		return;
	}
	out->len = 0;
	go_on(s);
}

/* ---- the interface ---- */

static void tls_handshake(struct stream *stream, struct op *op)
{
	struct tls_stream *s = self(stream);

	s->handshake = op;
	if (s->ssl == NULL)
		s->failed = -EIO;
	go_on(s);
}

static void tls_recv(struct stream *stream, struct op *op, void *buf, size_t len)
{
	struct tls_stream *s = self(stream);

	s->recv = op;
	s->recv_buf = buf;
	s->recv_len = MIN(len, (size_t)INT32_MAX);
	go_on(s);
}

static void tls_sendv(struct stream *stream, struct op *op, const struct iovec *iov, int n)
{
	struct tls_stream *s = self(stream);

	s->send = op;
	s->iov = iov;
	s->n_iov = n;
	go_on(s);
}

static void cancel(struct tls_stream *s, struct op **op)
{
	if (*op != NULL)
		complete(s, op, -ECANCELED);
}

static void tls_close(struct stream *stream, struct op *op)
{
	struct tls_stream *s = self(stream);

	s->closing = true;
	cancel(s, &s->handshake);
	cancel(s, &s->recv);
	cancel(s, &s->send);
	s->close = op;
	if (s->receiving)
		loop_cancel(stream->loop, &s->rx);
	if (s->sending)
		loop_cancel(stream->loop, &s->tx);
	go_on(s);
}

static void tls_destroy(struct stream *stream)
{
	struct tls_stream *s = self(stream);

	loop_close(stream->loop, stream->fd);
	SSL_free(s->ssl);
	BIO_meth_free(s->method);
	xfree(s->in);
	for (size_t i = 0; i < ARRAY_LEN(s->out); i++)
		xfree(s->out[i].data);
	xfree(s);
}

static bool tls_explained(const struct stream *stream, int res, struct err *err)
{
	const struct tls_stream *s = self(stream);

	(void)res;
	if (s->why.rc == RC_OK)
		return false;
	*err = s->why;
	return true;
}

static int64_t tls_peer_expiry(const struct stream *stream)
{
	const struct tls_stream *s = self(stream);
	STACK_OF(X509) *chain = s->ssl != NULL ? SSL_get0_verified_chain(s->ssl) : NULL;
	int64_t first = -1;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		struct tm tm;
		int64_t at = -1;

		if (ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(chain, i)), &tm) == 1)
			at = timegm(&tm);
		if (at >= 0 && (first < 0 || at < first))
			first = at;
	}
	return first;
}

static const struct stream_ops tls_ops = {
	.name = "TLS",
	.handshake = tls_handshake,
	.recv = tls_recv,
	.sendv = tls_sendv,
	.close = tls_close,
	.destroy = tls_destroy,
	.explain = tls_explained,
	.peer_expiry = tls_peer_expiry,
};

/* ---- making ---- */

static bool is_address(const char *host)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, host, &addr) == 1 || inet_pton(AF_INET6, host, &addr) == 1;
}

/* RFC 6066: an address is no server name. */
static void expect_host(SSL *ssl, const char *host, bool check)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (!is_address(host)) {
		SSL_set_tlsext_host_name(ssl, host);
		if (check)
			SSL_set1_host(ssl, host);
	} else if (check) {
		X509_VERIFY_PARAM_set1_ip_asc(param, host);
	}
}

static void make_ssl(struct tls_stream *s, const struct stream_tls_maker *maker)
{
	SSL_CTX *ctx = tls_context(maker->tls, &s->why);
	BIO *bio;

	if (ctx == NULL)
		return;
	s->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	CHECK(s->ssl != NULL);
	bio = bio_create(s);
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_app_data(s->ssl, &s->refusal);
	SSL_set_connect_state(s->ssl);
	expect_host(s->ssl, maker->host, tls_settings_of(maker->tls)->check_host);
}

static struct stream *make(const struct stream_maker *base, struct loop *loop, int fd)
{
	const struct stream_tls_maker *maker = container_of(base, struct stream_tls_maker, maker);
	struct tls_stream *s = xcalloc(1, sizeof(*s));

	s->stream = (struct stream){ .ops = &tls_ops, .loop = loop, .fd = fd };
	s->rx.done = received;
	s->tx.done = sent;
	s->host = maker->host;
	s->in = xmalloc(IN_BYTES);
	make_ssl(s, maker);
	return &s->stream;
}

void stream_tls_maker_init(struct stream_tls_maker *maker, struct tls *tls, const char *host)
{
	*maker = (struct stream_tls_maker){ .maker = { make }, .tls = tls, .host = host };
}
