#include "cli/signals.h"

#include <string.h>

/* The one variable of the process that is not constant: a handler has no other way out. */
static volatile sig_atomic_t stop_signal;

static void on_stop(int number)
{
    stop_signal = number;
}

void signals_install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_stop;
    action.sa_flags = (int)SA_RESETHAND; /* the second one ends the program */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGPIPE, &action, NULL);
}

const volatile sig_atomic_t *signals_stop(void)
{
    return &stop_signal;
}
