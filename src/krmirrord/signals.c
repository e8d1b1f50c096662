/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/signals.h"

#include "base/log.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_AT_ONCE = 1 };

static void wanted(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

void signals_block(void)
{
	sigset_t set;

	wanted(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void signals_take(struct signals *signals)
{
	static const struct timespec now;
	sigset_t set;
	int number;

	wanted(&set);
	while ((number = sigtimedwait(&set, NULL, &now)) > 0) {
		if (number == SIGHUP) {
			signals->reload = true;
			continue;
		}
		if (signals->stop) {
			log_warn("krmirrord", "ends at once: asked a second time", "signal=%s", strsignal(number));
			_exit(EXIT_AT_ONCE);
		}
		signals->stop = true;
		log_info("krmirrord", "stops", "signal=SIG%s", sigabbrev_np(number));
	}
}
