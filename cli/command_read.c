#include "cli/run_pipeline.h"

static int run(struct context *context)
{
    return run_pipeline(context, NULL);
}

const struct command command_read = {
    .name = "read",
    .words = "FILE|DIR|-...",
    .help = TEXT_COMMAND_READ,
    .detail = TEXT_COMMAND_READ_DETAIL,
    .least_words = 1,
    .most_words = WORDS_ANY,
    .run = run,
};
