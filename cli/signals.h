/* SIGINT and SIGTERM: the first asks the pipeline to finish and report, the second ends at once. */
#ifndef INVCAP_CLI_SIGNALS_H
#define INVCAP_CLI_SIGNALS_H

#include <signal.h>

/* SIGPIPE is ignored too: a closed standard output is a quiet end (cli_run asks for it). */
void signals_install(void);
/* The number of the signal that asked to stop, 0 none yet. */
const volatile sig_atomic_t *signals_stop(void);

#endif
