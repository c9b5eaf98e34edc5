#include "cli/command.h"

static int run(struct context *context)
{
    fprintf(context->view.out, "invcap %s\n", INVCAP_VERSION);
    return EXIT_DONE;
}

const struct command command_version = {
    .name = "version",
    .words = "",
    .help = TEXT_COMMAND_VERSION,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 0,
    .run = run,
};
