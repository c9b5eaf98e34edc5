#include "cli/run_table.h"

static int run(struct context *context)
{
    return run_table(context, TABLE_INCIDENTS);
}

const struct command command_incidents = {
    .name = "incidents",
    .words = "[DB]",
    .help = TEXT_COMMAND_INCIDENTS,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run,
};
