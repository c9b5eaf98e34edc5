#include "cli/run_table.h"

static int run(struct context *context)
{
    return run_table(context, TABLE_HTTP);
}

const struct command command_http = {
    .name = "http",
    .words = "[DB]",
    .help = TEXT_COMMAND_HTTP,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run,
};
