/* SPDX-License-Identifier: Apache-2.0 */
#include "control/secret_key.h"

#include "base/mem.h"
#include "control/props.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void derive(const uint8_t raw[SECRET_KEY_LEN], const char *purpose, uint8_t out[SHA256_LEN])
{
	hmac_sha256(raw, (struct bytes_view){ purpose, strlen(purpose) }, out);
}

void secret_key_derive(struct secret_key *key, const uint8_t raw[SECRET_KEY_LEN])
{
	uint8_t id[SHA256_LEN];

	derive(raw, "krmirror seal 1", key->sealing);
	derive(raw, "krmirror sign 1", key->signing);
	derive(raw, "krmirror key id 1", id);
	for (size_t i = 0; i < SECRET_KEY_ID_LEN / 2; i++)
		snprintf(key->id + 2 * i, 3, "%02x", id[i]);
}

static int how_to_make(const char *path, struct err *err)
{
	return err_hint(err, "make one: (umask 077; head -c 32 /dev/urandom > %s)", path);
}

/* One byte more than a key has is read, so that a longer file shows. */
static int read_raw(const char *path, uint8_t raw[SECRET_KEY_LEN + 1], struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st = { 0 };
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0) {
		err_set(err, RC_USAGE, "secret.key.file %s: %s", path, strerror(errno));
		return errno == ENOENT ? how_to_make(path, err) : RC_USAGE;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, RC_USAGE, "secret.key.file %s is no regular file", path);
	}
	while (n > 0 && len < SECRET_KEY_LEN + 1) {
		n = read(fd, raw + len, SECRET_KEY_LEN + 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	close(fd);
	if (n < 0)
		return err_set(err, RC_USAGE, "secret.key.file %s: %s", path, strerror(errno));
	if (len == SECRET_KEY_LEN)
		return RC_OK;
	err_set(err, RC_USAGE, "secret.key.file %s is %s than a key of 32 raw bytes", path,
		len < SECRET_KEY_LEN ? "shorter" : "longer");
	return how_to_make(path, err);
}

static int exposure_check(const char *path, struct notes *notes, struct err *err)
{
	enum file_exposure exposure = props_file_exposure(path);

	if (exposure == FILE_READABLE)
		notes_add(notes, "%s: holds the key of secrets and is readable by others; chmod o-r %s", path, path);
	if (exposure != FILE_WRITABLE)
		return RC_OK;
	err_set(err, RC_USAGE, "%s: holds the key of secrets and is writable by others", path);
	return err_hint(err, "chmod o-rw %s, and use a new key: see `krmirror link rekey`", path);
}

int secret_key_load(struct secret_key **key, const char *path, struct notes *notes, struct err *err)
{
	uint8_t raw[SECRET_KEY_LEN + 1];
	int rc = exposure_check(path, notes, err);

	*key = NULL;
	if (rc == RC_OK)
		rc = read_raw(path, raw, err);
	if (rc == RC_OK) {
		*key = xcalloc(1, sizeof(**key));
		secret_key_derive(*key, raw);
	}
	explicit_bzero(raw, sizeof(raw));
	return rc;
}

void secret_key_free(struct secret_key *key)
{
	if (key != NULL)
		explicit_bzero(key, sizeof(*key));
	xfree(key);
}
