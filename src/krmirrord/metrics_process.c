/* SPDX-License-Identifier: Apache-2.0 */
/* What Prometheus' own clients tell of a process, by the same names. */
#include "krmirrord/metrics.h"

#include "base/mem.h"

#include <dirent.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <unistd.h>

static int64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long long pages = -1;

	if (file == NULL)
		return -1;
	if (fscanf(file, "%*d %lld", &pages) != 1)
		pages = -1;
	fclose(file);
	return pages >= 0 ? pages * sysconf(_SC_PAGESIZE) : -1;
}

static int64_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int64_t n = 0;

	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 3;   /* ".", "..", and the one that reads */
}

static double cpu_seconds(void)
{
	struct rusage usage = { 0 };

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void gauge(struct doc *doc, const char *name, const char *help, int64_t value)
{
	struct family f = { .doc = doc, .name = name, .type = "gauge", .help = help };

	if (value >= 0)
		family_number(&f, NULL, (uint64_t)value);
}

void metrics_process(struct doc *doc)
{
	struct family cpu = { .doc = doc, .name = "process_cpu_seconds_total", .type = "counter",
			      .help = "Processor time of the process, user and system." };

	family_real(&cpu, NULL, cpu_seconds());
	gauge(doc, "process_resident_memory_bytes", "Resident memory of the process.", resident_bytes());
	gauge(doc, "process_open_fds", "Open file descriptors of the process.", open_descriptors());
}
