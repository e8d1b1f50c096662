/* SPDX-License-Identifier: Apache-2.0 */
/* The stream with TLS against OpenSSL's own server, which gives back what it gets; and against what is no such server. */
#include "test_certs.h"
#include "test_conn.h"

#include "base/mem.h"
#include "net/stream_tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { BIG = 3 << 20, N_FRAMES = 40, DAYS = 90 };

/* ---- a server, in a thread of its own ---- */

struct server {
	pthread_t thread;
	SSL_CTX *ctx;
	int fd;
	const char *instead;   /* sent in place of everything; NULL: TLS */
	bool garbage;          /* behind the handshake */
};

static void *serve_plain(struct server *server)
{
	char taken[512];
	ssize_t n = read(server->fd, taken, sizeof(taken));

	if (n > 0 && server->instead[0] != '\0')
		n = write(server->fd, server->instead, strlen(server->instead));
	close(server->fd);
	return NULL;
}

static void *serve(void *arg)
{
	struct server *server = arg;
	char *data;
	SSL *ssl;
	int n;

	if (server->instead != NULL)
		return serve_plain(server);
	data = xmalloc(BIG);
	ssl = SSL_new(server->ctx);
	SSL_set_fd(ssl, server->fd);
	if (SSL_accept(ssl) == 1) {
		if (server->garbage && write(server->fd, "this is no record of TLS at all", 31) < 0)
			abort();
		while ((n = SSL_read(ssl, data, BIG)) > 0)
			if (SSL_write(ssl, data, n) != n)
				break;
	}
	SSL_free(ssl);
	close(server->fd);
	ERR_clear_error();
	xfree(data);
	return NULL;
}

static void server_start(struct server *server, int fd)
{
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	server->fd = fd;
	ck_assert_int_eq(pthread_create(&server->thread, NULL, serve, server), 0);
}

static SSL_CTX *server_context(const struct cert *cert, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	ck_assert_int_eq(SSL_CTX_use_certificate(ctx, cert->x509), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(ctx, cert->key), 1);
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	return ctx;
}

/* ---- what tests share ---- */

static struct cert ca, broker, client;
static struct server server;
static struct side side;
static struct stream_tls_maker maker;
static struct tls *tls;
static char folder[] = "/tmp/krmirror-tls-XXXXXX";
static char path[64];

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);   /* the server writes to whoever has gone */
	ca = cert_make("the CA", NULL, NULL, DAYS);
	broker = cert_make("broker", "DNS:broker.example,IP:127.0.0.1", &ca, DAYS);
	client = cert_make("client", "DNS:client", &ca, DAYS);
	server = (struct server){ 0 };
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/store", folder);
	/* OpenSSL opens what it needs once; before descriptors are counted. */
	SSL_CTX_free(server_context(&broker, TLS1_3_VERSION));
}

static void teardown(void)
{
	cert_free(&ca);
	cert_free(&broker);
	cert_free(&client);
	unlink(path);
	rmdir(folder);
}

static struct tls_settings trusting(void)
{
	return (struct tls_settings){ .truststore_certificates = cert_pem(&ca), .check_host = true };
}

/* Connects with settings, which are taken over; waits for ready or the end. */
static void shake(int engine, struct tls_settings settings, const char *host)
{
	struct conn_opts opts = { .frame_max = FRAME_MAX, .connect_timeout_ns = PATIENCE_NS, .maker = &maker.maker };
	int fds[2];

	side_init(&side, engine);
	tls = tls_create(&settings);
	stream_tls_maker_init(&maker, tls, host);
	tcp_pair(fds);
	server_start(&server, fds[1]);
	conn_adopt(&side.conn, fds[0], &opts);
	step_until(side.loop, side.n_ready == 1 || side.n_closed == 1);
}

static void part(void)
{
	if (conn_is_open(&side.conn)) {
		conn_close(&side.conn, RC_CLOSED, "the test ends");
		step_until(side.loop, side.n_closed == 1);
	}
	pthread_join(server.thread, NULL);
	SSL_CTX_free(server.ctx);
	server.ctx = NULL;
	side_down(&side);
	tls_unref(tls);
}

static void refused(int rc, const char *text, const char *hint)
{
	step_until(side.loop, side.n_closed == 1);
	ck_assert_msg(side.why.rc == rc && strstr(side.why.text, text) != NULL, "%s: %s", rc_str(side.why.rc), side.why.text);
	ck_assert_msg(strstr(side.why.hint, hint) != NULL, "%s", side.why.hint);
	part();
}

/* ---- frames ---- */

struct test_frame {
	struct frame_out out;
	struct iovec iov[3];
	uint8_t prefix[4];
	uint8_t *data;
	size_t len;
	int sent;
};

static void frame_sent(struct frame_out *out, int res)
{
	struct test_frame *f = container_of(out, struct test_frame, out);

	ck_assert_int_eq(res, 0);
	f->sent++;
}

static void frame_make(struct test_frame *f, size_t len)
{
	f->len = len;
	f->data = xmalloc(len);
	for (size_t i = 0; i < len; i++)
		f->data[i] = (uint8_t)(i * 131 + len);
	f->prefix[0] = (uint8_t)(len >> 24);
	f->prefix[1] = (uint8_t)(len >> 16);
	f->prefix[2] = (uint8_t)(len >> 8);
	f->prefix[3] = (uint8_t)len;
	f->iov[0] = (struct iovec){ f->prefix, 4 };
	f->iov[1] = (struct iovec){ f->data, len / 3 };
	f->iov[2] = (struct iovec){ f->data + len / 3, len - len / 3 };
	f->out = (struct frame_out){ .iov = f->iov, .n_iov = 3, .sent = frame_sent };
	f->sent = 0;
}

static void frames_come_back(int engine, int version)
{
	static struct test_frame frames[N_FRAMES];

	server.ctx = server_context(&broker, version);
	shake(engine, trusting(), "broker.example");
	ck_assert_msg(side.n_ready == 1, "%s", side.why.text);
	for (int i = 0; i < N_FRAMES; i++) {
		frame_make(&frames[i], i % 10 == 9 ? BIG : (size_t)(3 + i * i * 211));
		conn_send(&side.conn, &frames[i].out);
	}
	step_until(side.loop, side.n_frames == N_FRAMES);
	for (int i = 0; i < N_FRAMES; i++) {
		ck_assert_int_eq(frames[i].sent, 1);
		ck_assert_uint_eq(side.frames[i]->len, frames[i].len);
		ck_assert_mem_eq(side.frames[i]->data, frames[i].data, frames[i].len);
		xfree(frames[i].data);
	}
	part();
}

START_TEST(frames_come_back_with_1_2)
{
	frames_come_back(_i, TLS1_2_VERSION);
}
END_TEST

START_TEST(frames_come_back_with_1_3)
{
	frames_come_back(_i, TLS1_3_VERSION);
}
END_TEST

/* The end comes while much is under way in both directions. */
START_TEST(closed_in_the_middle)
{
	static struct test_frame frames[2];

	server.ctx = server_context(&broker, TLS1_3_VERSION);
	shake(_i, trusting(), "127.0.0.1");
	ck_assert_msg(side.n_ready == 1, "%s", side.why.text);
	for (int i = 0; i < 2; i++) {
		frame_make(&frames[i], BIG);
		frames[i].out.sent = frame_sent;
	}
	conn_send(&side.conn, &frames[0].out);
	step_until(side.loop, frames[0].sent == 1);
	conn_close(&side.conn, RC_CLOSED, "enough");
	step_until(side.loop, side.n_closed == 1);
	for (int i = 0; i < 2; i++)
		xfree(frames[i].data);
	part();
}
END_TEST

/* ---- who is let in ---- */

START_TEST(a_name_that_the_certificate_does_not_have)
{
	server.ctx = server_context(&broker, TLS1_3_VERSION);
	shake(_i, trusting(), "other.example");
	refused(RC_AUTH, "is for broker.example, 127.0.0.1, not for other.example", "ssl.endpoint.identification.algorithm");
}
END_TEST

START_TEST(names_may_be_left_unchecked)
{
	struct tls_settings settings = trusting();

	settings.check_host = false;
	server.ctx = server_context(&broker, TLS1_2_VERSION);
	shake(_i, settings, "other.example");
	ck_assert_int_eq(side.n_ready, 1);
	part();
}
END_TEST

START_TEST(an_expired_certificate)
{
	struct cert old = cert_make("old", "DNS:broker.example", &ca, -3);

	server.ctx = server_context(&old, TLS1_3_VERSION);
	shake(_i, trusting(), "broker.example");
	refused(RC_AUTH, "CN=old expired at 20", "renew");
	cert_free(&old);
}
END_TEST

START_TEST(a_certificate_of_another_ca)
{
	struct cert other = cert_make("other CA", NULL, NULL, DAYS);
	struct cert stranger = cert_make("stranger", "DNS:broker.example", &other, DAYS);

	server.ctx = server_context(&stranger, TLS1_3_VERSION);
	shake(_i, trusting(), "broker.example");
	refused(RC_AUTH, "not trusted", "ssl.truststore");
	cert_free(&other);
	cert_free(&stranger);
}
END_TEST

static void demand(const struct cert *authority)
{
	X509_STORE_add_cert(SSL_CTX_get_cert_store(server.ctx), authority->x509);
	SSL_CTX_set_verify(server.ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

/* With TLS 1.3 the client is through before the server has looked. */
START_TEST(a_client_certificate_is_wanted)
{
	server.ctx = server_context(&broker, _i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
	demand(&ca);
	shake(_i, trusting(), "broker.example");
	refused(RC_AUTH, "TLS: the broker refuses", "ssl.keystore");
}
END_TEST

START_TEST(a_client_certificate_is_shown)
{
	struct tls_settings settings = trusting();

	settings.keystore_key = cert_key_pem(&client, "secret");
	settings.key_password = xstrdup("secret");
	settings.keystore_certificate_chain = cert_pem(&client);
	server.ctx = server_context(&broker, TLS1_2_VERSION);
	demand(&ca);
	shake(_i, settings, "broker.example");
	ck_assert_msg(side.n_ready == 1, "%s", side.why.text);
	ck_assert(tls_expiry(tls) > 0);
	part();
}
END_TEST

/* ---- what is no server of TLS ---- */

START_TEST(a_plain_listener)
{
	server.instead = _i % 2 == 0 ? "" : "HTTP/1.1 400 Bad Request\r\n\r\n";
	shake(_i, trusting(), "broker.example");
	refused(RC_PROTO, "TLS: ", "does this listener speak TLS?");
}
END_TEST

START_TEST(garbage_behind_the_handshake)
{
	server.ctx = server_context(&broker, TLS1_2_VERSION);
	server.garbage = true;
	shake(_i, trusting(), "broker.example");
	step_until(side.loop, side.n_closed == 1);
	ck_assert_msg(side.why.rc == RC_PROTO, "%s: %s", rc_str(side.why.rc), side.why.text);
	part();
}
END_TEST

START_TEST(a_store_that_is_not_there)
{
	struct tls_settings settings = { .truststore_location = xstrdup("/nowhere/trust.pem"), .check_host = true };

	server.instead = "";
	shake(_i, settings, "broker.example");
	step_until(side.loop, side.n_closed == 1);
	ck_assert_msg(side.why.rc == RC_USAGE && strstr(side.why.text, "ssl.truststore.location=/nowhere/trust.pem: No such"),
		      "%s", side.why.text);
	part();
}
END_TEST

/* ---- stores ---- */

static struct err load(struct tls_settings settings)
{
	struct err err = { 0 };
	struct tls *t = tls_create(&settings);
	int rc = tls_load(t, &err);

	ck_assert_int_eq(rc, err.rc);
	tls_unref(t);
	return err;
}

START_TEST(pem_on_one_line)
{
	char *text = cert_pem(&ca);
	struct err err;

	for (char *p = text; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	err = load((struct tls_settings){ .truststore_certificates = text });
	ck_assert_msg(err.rc == RC_OK, "%s", err.text);
}
END_TEST

/* Java reads such a file under either type, so the type says nothing. */
START_TEST(pkcs12_files)
{
	static const char *const passwords[] = { "secret", "wrong" };
	struct err err;

	cert_write_pkcs12(&client, &ca, "secret", path);
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		err = load((struct tls_settings){
			.truststore_location = xstrdup(path), .truststore_password = xstrdup("secret"),
			.truststore_type = xstrdup("JKS"),
			.keystore_location = xstrdup(path), .keystore_password = xstrdup(passwords[i]),
		});
		if (i == 0)
			ck_assert_msg(err.rc == RC_OK, "%s", err.text);
		else
			ck_assert_msg(err.rc == RC_USAGE && strstr(err.text, "password") != NULL, "%s", err.text);
	}
}
END_TEST

START_TEST(java_key_stores_are_refused)
{
	struct err err;

	write_text(path, "\xFE\xED\xFE\xED", "and so on");
	err = load((struct tls_settings){ .truststore_location = xstrdup(path) });
	ck_assert_int_eq(err.rc, RC_USAGE);
	ck_assert_ptr_nonnull(strstr(err.hint, "keytool -importkeystore -srckeystore /tmp/"));
}
END_TEST

START_TEST(a_key_of_another_certificate)
{
	struct tls_settings settings = trusting();
	struct err err;

	settings.keystore_key = cert_key_pem(&broker, NULL);
	settings.keystore_certificate_chain = cert_pem(&client);
	err = load(settings);
	ck_assert_msg(err.rc == RC_USAGE && strstr(err.text, "do not fit") != NULL, "%s", err.text);
}
END_TEST

/* A changed file is read; a bad one is not taken into use. */
START_TEST(files_are_read_again)
{
	struct cert next = cert_make("next", "DNS:client", &ca, 2 * DAYS);
	char *key = cert_key_pem(&client, NULL), *cert = cert_pem(&client), *trust = cert_pem(&ca);
	struct tls_settings settings = { .keystore_location = xstrdup(path), .truststore_certificates = trust };
	struct err err = { 0 };
	struct tls *t;
	int64_t first;

	write_text(path, key, cert);
	t = tls_create(&settings);
	ck_assert_msg(tls_load(t, &err) == RC_OK, "%s", err.text);
	first = tls_expiry(t);
	write_text(path, "half of a file", "");
	ck_assert_int_eq(tls_load(t, &err), RC_OK);
	ck_assert_int_eq(tls_expiry(t), first);
	xfree(key);
	xfree(cert);
	key = cert_key_pem(&next, NULL);
	cert = cert_pem(&next);
	write_text(path, cert, key);
	ck_assert_int_eq(tls_load(t, &err), RC_OK);
	ck_assert_int_gt(tls_expiry(t), first);
	tls_unref(t);
	xfree(key);
	xfree(cert);
	cert_free(&next);
}
END_TEST

static void cannot_be(struct tls_settings settings, const char *text)
{
	struct err err;

	ck_assert_int_eq(tls_settings_check(&settings, &err), RC_USAGE);
	ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
	tls_settings_fini(&settings);
}

START_TEST(settings_that_cannot_be)
{
	cannot_be((struct tls_settings){ .enabled_protocols = xstrdup("TLSv1.1,TLSv1.2") }, "TLSv1.1 is not spoken");
	cannot_be((struct tls_settings){ .truststore_location = xstrdup("/a"), .truststore_certificates = xstrdup("b") },
		  "both set");
	cannot_be((struct tls_settings){ .keystore_key = xstrdup("k") }, "one is missing");
	cannot_be((struct tls_settings){ .keystore_type = xstrdup("JKS") }, "without ssl.keystore.location");
}
END_TEST

START_TEST(cipher_suites_have_the_names_of_iana)
{
	struct tls_settings settings = trusting();
	struct err err;

	settings.cipher_suites = xstrdup("TLS_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
	server.ctx = server_context(&broker, TLS1_2_VERSION);
	shake(_i, settings, "broker.example");
	ck_assert_msg(side.n_ready == 1, "%s", side.why.text);
	part();
	settings = trusting();
	settings.cipher_suites = xstrdup("TLS_OF_MY_OWN");
	err = load(settings);
	ck_assert_msg(err.rc == RC_USAGE && strstr(err.text, "TLS_OF_MY_OWN is not known") != NULL, "%s", err.text);
}
END_TEST

TCase *tls_tests(void)
{
	TCase *tcase = tcase_create("TLS");

	tcase_set_timeout(tcase, 100);
	tcase_add_checked_fixture(tcase, setup, teardown);
	add_for_engines(tcase, frames_come_back_with_1_2);
	add_for_engines(tcase, frames_come_back_with_1_3);
	add_for_engines(tcase, closed_in_the_middle);
	add_for_engines(tcase, a_name_that_the_certificate_does_not_have);
	add_for_engines(tcase, names_may_be_left_unchecked);
	add_for_engines(tcase, an_expired_certificate);
	add_for_engines(tcase, a_certificate_of_another_ca);
	add_for_engines(tcase, a_client_certificate_is_wanted);
	add_for_engines(tcase, a_client_certificate_is_shown);
	add_for_engines(tcase, a_plain_listener);
	add_for_engines(tcase, garbage_behind_the_handshake);
	add_for_engines(tcase, a_store_that_is_not_there);
	add_for_engines(tcase, cipher_suites_have_the_names_of_iana);
	tcase_add_test(tcase, pem_on_one_line);
	tcase_add_test(tcase, pkcs12_files);
	tcase_add_test(tcase, java_key_stores_are_refused);
	tcase_add_test(tcase, a_key_of_another_certificate);
	tcase_add_test(tcase, files_are_read_again);
	tcase_add_test(tcase, settings_that_cannot_be);
	return tcase;
}
