#include "cli/run_table.h"

static int run(struct context *context)
{
    return run_table(context, TABLE_PATHS);
}

const struct command command_paths = {
    .name = "paths",
    .words = "[DB]",
    .help = TEXT_COMMAND_PATHS,
    .detail = TEXT_COMMAND_PATHS_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run,
};
