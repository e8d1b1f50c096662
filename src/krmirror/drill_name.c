/* SPDX-License-Identifier: Apache-2.0 */
/* krmirror-drill-LINK-HOST-PID-TICKS-UNTIL-KIND: what is needed to tell, from the name alone, whether somebody still
 * needs it. A process id is known by its beginning: ids come again. */
#include "krmirror/drill.h"

#include "base/clock.h"
#include "base/crypto.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	TEXT_MAX = 1024,
	BEGAN_FIELD = 20,            /* of /proc/PID/stat, behind the name and its parenthesis */
	CLOCKS_APART_S = 120         /* of hosts, at most */
};

static uint32_t digest(const char *text)
{
	uint8_t full[SHA256_LEN];
	uint32_t value;

	sha256((const uint8_t *)text, strlen(text), full);
	memcpy(&value, full, sizeof(value));
	return value;
}

static bool file_text(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n;

	text[0] = '\0';
	if (f == NULL)
		return false;
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
	return n > 0;
}

/* Names of hosts and process ids mean the same only within one boot and one namespace. */
static uint32_t host_digest(void)
{
	char text[TEXT_MAX] = "", host[200] = "", boot[64] = "", space[100] = "";
	ssize_t n = readlink("/proc/self/ns/pid", space, sizeof(space) - 1);

	space[n > 0 ? n : 0] = '\0';
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	file_text("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
	snprintf(text, sizeof(text), "%s/%s/%s", host, boot, space);
	return digest(text);
}

/* When a process began; -1: there is none. */
static int64_t began(int64_t pid)
{
	char path[64], text[TEXT_MAX];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
	if (!file_text(path, text, sizeof(text)))
		return -1;
	p = strrchr(text, ')');
	for (int i = 0; p != NULL && i < BEGAN_FIELD; i++)
		p = strchr(p + 1, ' ');
	return p == NULL ? -1 : strtoll(p, NULL, 10);
}

struct drill_owner drill_owner_self(const char *link, int64_t most_ms)
{
	int64_t pid = getpid();

	return (struct drill_owner){ digest(link), host_digest(), pid, began(pid), (clock_wall_ms() + most_ms) / 1000 };
}

void drill_name(const struct drill_owner *o, char kind, int n, char name[DRILL_NAME_MAX])
{
	snprintf(name, DRILL_NAME_MAX, CANARY_PREFIX "%08x-%08x-%lld-%lld-%lld-%c%d", o->link, o->host, (long long)o->pid,
		 (long long)o->ticks, (long long)o->until_s, kind, n);
}

/* The canary in a name, which may have a prefix; NULL: it is none. */
static const char *drill_name_in(const char *name)
{
	return strstr(name, CANARY_PREFIX);
}

bool drill_name_parse(const char *name, struct drill_owner *o)
{
	const char *at = drill_name_in(name);
	long long pid, ticks, until;
	int used = 0;

	*o = (struct drill_owner){ 0 };
	if (at == NULL || sscanf(at + strlen(CANARY_PREFIX), "%8x-%8x-%19lld-%19lld-%19lld-%n", &o->link, &o->host, &pid,
				 &ticks, &until, &used) != 5 || used == 0)
		return false;
	o->pid = pid;
	o->ticks = ticks;
	o->until_s = until;
	return true;
}

bool drill_owner_lives(const struct drill_owner *o, const struct drill_owner *self, int64_t now_s)
{
	if (o->host == self->host)
		return o->pid == self->pid ? o->ticks == self->ticks : began(o->pid) == o->ticks && o->ticks >= 0;
	return now_s < o->until_s + CLOCKS_APART_S;
}
