#include "cli/run_table.h"

static int run(struct context *context)
{
    return run_table(context, TABLE_DEPENDENCIES);
}

const struct command command_dependencies = {
    .name = "dependencies",
    .words = "[DB]",
    .help = TEXT_COMMAND_DEPENDENCIES,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run,
};
