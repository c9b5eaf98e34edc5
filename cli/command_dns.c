#include "cli/run_table.h"

static int run(struct context *context)
{
    return run_table(context, TABLE_DNS);
}

const struct command command_dns = {
    .name = "dns",
    .words = "[DB]",
    .help = TEXT_COMMAND_DNS,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run,
};
