#include "cli/run_table.h"

static int run(struct context *context)
{
    return run_table(context, TABLE_KIND_COUNT);
}

const struct command command_findings = {
    .name = "findings",
    .words = "[DB]",
    .help = TEXT_COMMAND_FINDINGS,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run,
};
